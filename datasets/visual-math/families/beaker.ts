/** Held out: columns of liquid in measuring glasses. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { inkOn } from "../style";
import { ask, reading } from "../wording";

const LETTERS = ["A", "B", "C"];

export const beaker: Family = {
  name: "beaker",
  subject: "chemistry",
  levels: [],
  heldOut: [1, 2],
  sample(random, level) {
    const task = sampleTask(random, level);
    const asked = random.shuffle(LETTERS).slice(0, 2);
    const volumes = fillPlaces(random, level, task, LETTERS, asked);
    const names = asked.map((letter) => `column ${letter}`);
    return {
      ...task,
      question: ask(random, task, names, {
        sum: [`How much are ${names[0]} and ${names[1]} in total?`],
        difference: [`How much higher is ${names[0]} than ${names[1]}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        const most = Math.max(...volumes);
        volumes.forEach((volume, i) => {
          const [x, fill] = [4 + 36 * i, colors[i]];
          const high = 24 + 46 * (volume / most);
          canvas.rect(x, 90 - high, 32, high, { fill });
          canvas.polyline(
            [
              [x, 8],
              [x, 90],
              [x + 32, 90],
              [x + 32, 8],
            ],
            { width: style.lineWidth + 0.4 },
          );
          for (let mark = 20; mark < 86; mark += 11) {
            if (mark < 88 - high) canvas.line([x, mark], [x + 7, mark], { width: 1.2 });
          }
          canvas.number(volume, x + 16, 76, { fill: inkOn(fill), maxWidth: 28 });
          canvas.label(LETTERS[i], x + 16, 102);
        });
        return canvas.svg();
      },
    };
  },
};
