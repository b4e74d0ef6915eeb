/** A rod of labelled parts: the length of some of them, or of one when the whole is known. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, distractors, rangeOf, sampleTask } from "../operands";
import { inkOn } from "../style";
import { ask, reading } from "../wording";

const LETTERS = ["A", "B", "C"];

export const rod: Family = {
  name: "rod",
  subject: "measurement",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level, level === 3 ? ["+"] : ["+", "-"]);
    const asked = random.shuffle(LETTERS).slice(0, task.values.length);
    const others = distractors(random, 3 - asked.length, task.values, rangeOf(level));
    const lengths = LETTERS.map((letter) =>
      asked.includes(letter) ? task.values[asked.indexOf(letter)] : (others.pop() ?? 0),
    );
    const names = asked.map((letter) => `part ${letter}`);
    const [a, b] = names;
    return {
      ...task,
      question: ask(random, task, names, {
        sum: asked.length === 2 ? [`How long are ${a} and ${b} in total?`] : ["How long is the rod?"],
        difference: [`How much longer is ${a} than ${b}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        const weights = lengths.map((length) => length + 0.9 * Math.max(...lengths));
        const unit = 106 / weights.reduce((sum, weight) => sum + weight, 0);
        const [y, above] = [44 + place.int(-3, 3), place.chance(0.5)];
        let x = 3;
        lengths.forEach((length, i) => {
          const wide = weights[i] * unit;
          const middle = x + wide / 2;
          canvas.rect(x, y, wide, 24, { fill: colors[i] });
          canvas.label(LETTERS[i], middle, y + 12, { fill: inkOn(colors[i]), height: 13 });
          const dimension = above ? y - 8 : y + 32;
          canvas.polyline([[x + 1.5, dimension - 4], [x + 1.5, dimension], [x + wide - 1.5, dimension], [x + wide - 1.5, dimension - 4]].map(([px, py]) => [px, above ? 2 * dimension - py : py] as const));
          canvas.number(length, middle, above ? y - 20 : y + 44, { maxWidth: wide - 3 });
          x += wide;
        });
        return canvas.svg();
      },
    };
  },
};
