/** A box that forces pull to the left and to the right; the net force is asked for. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, sampleTask } from "../operands";
import { mix } from "../style";
import { listed, sentence } from "../wording";

export const forces: Family = {
  name: "forces",
  subject: "physics",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level, level === 3 ? ["-"] : ["+", "-", "-"]);
    const [main, against] = random.shuffle(["right", "left"]);
    const sides = task.chain.map(({ op }) => (op === "+" ? main : against));
    return {
      ...task,
      question: random.pick([
        "What is the net force on the box?",
        "How big is the net force on the box?",
      ]),
      read(values) {
        const pulls = (side: string): string[] => {
          const numbers = values.filter((_, i) => sides[i] === side).map(String);
          return numbers.length === 0 ? [] : [`on the ${side} is ${listed(numbers)}`];
        };
        return sentence([...pulls(main), ...pulls(against)]);
      },
      content: contentOf(task, sides),
      draw(style, place) {
        const canvas = createCanvas(style);
        const color = place.pick(style.palette);
        const rows = { left: 0, right: 0 } as Record<string, number>;
        const total = (side: string): number => sides.filter((name) => name === side).length;
        const top = Math.max(total("left"), total("right")) > 1 ? 24 : 44;
        canvas.rect(
          42,
          top,
          28,
          88 - top,
          { fill: mix(style.background, color, 0.25), stroke: color },
          2,
        );
        canvas.line([2, 89], [110, 89], { width: 2 });
        task.values.forEach((value, i) => {
          const side = sides[i];
          const y = total(side) === 1 ? 64 : 45 + 34 * rows[side];
          rows[side] += 1;
          const [from, to] = side === "right" ? [70, 109] : [42, 3];
          canvas.arrow([from, y], [to, y], { width: 2.6 });
          canvas.number(value, side === "right" ? 89 : 23, y - 14);
        });
        return canvas.svg();
      },
    };
  },
};
