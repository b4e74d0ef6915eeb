/** A bar chart with the number on each bar; two or three of its bars are asked for. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { ask, reading } from "../wording";

const LETTERS = ["A", "B", "C", "D"];

export const bars: Family = {
  name: "bars",
  subject: "statistics",
  levels: [1, 2],
  heldOut: [3],
  sample(random, level) {
    const task = sampleTask(random, level);
    const labels = LETTERS.slice(0, level === 3 ? 4 : random.int(3, 4));
    const asked = random.shuffle(labels).slice(0, task.values.length);
    const heights = fillPlaces(random, level, task, labels, asked);
    const noun = random.pick(["bar", "column"]);
    const names = asked.map((label) => `${noun} ${label}`);
    const [a, b] = names;
    return {
      ...task,
      question: ask(random, task, names, {
        sum: [`What do ${a} and ${b} add up to?`],
        difference: [`How much higher is ${a} than ${b}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const oneColor = place.chance(0.4);
        const slot = 104 / labels.length;
        const share = place.pick([0.5, 0.62, 0.74]);
        const floor = 94;
        const most = Math.max(...heights);
        heights.forEach((value, i) => {
          const x = 4 + slot * (i + 0.5);
          const height = Math.max(4, (value / most) * 70);
          const fill = style.palette[oneColor ? 0 : i];
          canvas.rect(x - (slot * share) / 2, floor - height, slot * share, height, { fill });
          canvas.number(value, x, floor - height - 10, { height: 14, maxWidth: slot - 3 });
          canvas.label(labels[i], x, 104, { height: 12 });
        });
        canvas.line([3, floor], [109, floor]);
        return canvas.svg();
      },
    };
  },
};
