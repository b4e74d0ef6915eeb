/** A rod of labelled parts: the length of some of them, or of one when the whole is known. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
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
    const lengths = fillPlaces(random, level, task, LETTERS, asked);
    const names = asked.map((letter) => `part ${letter}`);
    const [a, b] = names;
    return {
      ...task,
      question: ask(random, task, names, {
        sum:
          asked.length === 2 ? [`How long are ${a} and ${b} in total?`] : ["How long is the rod?"],
        difference: [`How much longer is ${a} than ${b}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        const weights = lengths.map((length) => length + 1.1 * Math.max(...lengths));
        const unit = 106 / weights.reduce((sum, weight) => sum + weight, 0);
        const above = place.chance(0.5);
        const [y, tick] = [(above ? 48 : 34) + place.int(-5, 5), above ? -1 : 1];
        let x = 3;
        lengths.forEach((length, i) => {
          const wide = weights[i] * unit;
          const [from, to, middle] = [x + 1.5, x + wide - 1.5, x + wide / 2];
          const dimension = above ? y - 8 : y + 38;
          const end = dimension - 4 * tick;
          canvas.rect(x, y, wide, 30, { fill: colors[i] });
          canvas.label(LETTERS[i], middle, y + 15, { fill: inkOn(colors[i]), height: 13 });
          canvas.polyline([
            [from, end],
            [from, dimension],
            [to, dimension],
            [to, end],
          ]);
          canvas.number(length, middle, dimension + 12 * tick, { height: 15, maxWidth: wide - 3 });
          x += wide;
        });
        return canvas.svg();
      },
    };
  },
};
