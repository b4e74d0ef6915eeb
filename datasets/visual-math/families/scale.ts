/** A balance with numbered weights; the missing weight keeps it level. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, sampleTask } from "../operands";
import { inkOn } from "../style";
import { listed } from "../wording";

export const scale: Family = {
  name: "scale",
  subject: "measurement",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level, level === 3 ? ["-"] : ["+", "-"]);
    const sideOf = task.chain.map(({ op }) => (op === "+" ? 0 : 1));
    const [one, other] = random.shuffle(["left", "right"]);
    return {
      ...task,
      question: random.pick([
        "What is the missing weight on the scale?",
        "How much is the missing weight?",
        "Which weight makes the scale level?",
      ]),
      read(values) {
        const on = (side: number): string =>
          listed(values.filter((_, i) => sideOf[i] === side).map(String));
        return sideOf.includes(1)
          ? `On the ${one} is ${on(0)} and on the ${other} is ${on(1)}.`
          : `On the ${one} is ${on(0)} and on the ${other} is nothing.`;
      },
      content: contentOf(
        task,
        sideOf.map((side) => (side === 0 ? "one" : "other")),
      ),
      draw(style, place) {
        const canvas = createCanvas(style);
        const color = place.pick(style.palette);
        const most = Math.max(...task.values);
        const [beam, gap] = [80, 1];
        const blocks = [0, 1].map((side) => {
          const numbers = task.values.filter((_, i) => sideOf[i] === side);
          const faces = numbers.map((value) => ({ text: String(value), size: value / most }));
          return side === 0 ? faces : place.shuffle([...faces, { text: "?", size: 0.5 }]);
        });
        blocks.forEach((faces, side) => {
          const middle = (side === 0) === (one === "left") ? 29 : 83;
          const wide = faces.length > 1 ? 25.5 : 28;
          faces.forEach(({ text, size }, i) => {
            const fill = text === "?" ? style.background : style.palette[(i + 2 * side) % 4];
            const high = 22 + 24 * size;
            const x = middle + (i - faces.length / 2) * (wide + gap) + gap / 2;
            const paint = text === "?" ? { fill, stroke: style.ink, dash: "3 2" } : { fill };
            canvas.rect(x, beam - high, wide, high, paint, 2);
            const ink = text === "?" ? style.ink : inkOn(fill);
            canvas.number(text, x + wide / 2, beam - high / 2, { fill: ink, maxWidth: wide - 3 });
          });
        });
        canvas.rect(2, beam, 108, 5, { fill: style.ink }, 1);
        canvas.polygon(
          [
            [56, beam + 5],
            [68, 108],
            [44, 108],
          ],
          { fill: color },
        );
        return canvas.svg();
      },
    };
  },
};
