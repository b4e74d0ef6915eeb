/** Held out: resistors in series in a loop with a battery. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { ask, reading } from "../wording";

const LETTERS = ["A", "B", "C"];

export const circuit: Family = {
  name: "circuit",
  subject: "physics",
  levels: [],
  heldOut: [1, 2],
  sample(random, level) {
    const task = sampleTask(random, level);
    const asked = random.shuffle(LETTERS).slice(0, 2);
    const ohms = fillPlaces(random, level, task, LETTERS, asked);
    const names = asked.map((letter) => `part ${letter}`);
    return {
      ...task,
      question: ask(random, task, names, {
        sum: [`How much are ${names[0]} and ${names[1]} in total?`],
        difference: [`How much more is ${names[0]} than ${names[1]}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const color = place.pick(style.palette);
        const wire = { width: style.lineWidth + 0.4 };
        canvas.rect(12, 30, 86, 60, { stroke: style.ink, ...wire });
        // The battery: a gap in the left wire with a long and a short plate.
        canvas.rect(8, 56, 8, 8, { fill: style.background });
        canvas.line([3, 56], [21, 56], wire);
        canvas.line([7, 64], [17, 64], { width: 3.4 });
        const boxes = [
          { x: 22, y: 19, label: [37.5, 8] },
          { x: 64, y: 19, label: [79.5, 8] },
          { x: 43, y: 79, label: [58.5, 68] },
        ] as const;
        boxes.forEach(({ x, y, label }, i) => {
          canvas.rect(x, y, 31, 22, { fill: style.background, stroke: color, ...wire });
          canvas.number(ohms[i], x + 15.5, y + 11, { maxWidth: 26 });
          canvas.label(LETTERS[i], label[0], label[1]);
        });
        return canvas.svg();
      },
    };
  },
};
