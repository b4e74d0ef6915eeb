/** Things with price tags; two or three of them are asked for. */
import { createCanvas, star, type Canvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { ask, reading } from "../wording";

type Icon = (canvas: Canvas, x: number, y: number, fill: string, ink: string) => void;

const THINGS: Readonly<Record<string, Icon>> = {
  star: (canvas, x, y, fill) => canvas.polygon(star(x, y, 16), { fill }),
  ball: (canvas, x, y, fill, ink) => {
    canvas.circle(x, y, 14, { fill, stroke: ink });
    canvas.path(`M${x - 14} ${y}q14 9 28 0M${x} ${y - 14}q9 14 0 28`, { stroke: ink });
  },
  house: (canvas, x, y, fill, ink) => {
    canvas.rect(x - 11, y - 1, 22, 16, { fill });
    canvas.polygon(
      [
        [x - 15, y - 1],
        [x, y - 15],
        [x + 15, y - 1],
      ],
      { fill: ink },
    );
  },
  tree: (canvas, x, y, fill, ink) => {
    canvas.rect(x - 2.5, y + 6, 5, 10, { fill: ink });
    canvas.polygon(
      [
        [x, y - 16],
        [x + 13, y + 8],
        [x - 13, y + 8],
      ],
      { fill },
    );
  },
  glass: (canvas, x, y, fill, ink) => {
    canvas.polygon(
      [
        [x - 10.5, y - 3],
        [x + 10.5, y - 3],
        [x + 8, y + 15],
        [x - 8, y + 15],
      ],
      { fill },
    );
    canvas.polyline(
      [
        [x - 12, y - 14],
        [x - 8, y + 15],
        [x + 8, y + 15],
        [x + 12, y - 14],
      ],
      { stroke: ink },
    );
  },
  moon: (canvas, x, y, fill) => {
    canvas.path(`M${x + 4} ${y - 15}a15 15 0 1 0 9 24a13 13 0 0 1 -9 -24z`, { fill });
  },
};

export const shop: Family = {
  name: "shop",
  subject: "arithmetic",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level, level === 3 ? ["+"] : ["+", "-"]);
    const things = random.shuffle(Object.keys(THINGS)).slice(0, 4);
    const asked = random.shuffle(things).slice(0, task.values.length);
    const prices = fillPlaces(random, level, task, things, asked);
    const names = asked.map((thing) => `the ${thing}`);
    const [a, b] = names;
    return {
      ...task,
      question: ask(random, task, names, {
        sum: asked.length === 2 ? [`How much are ${a} and ${b} in total?`] : [],
        difference: [`How much more is ${a} than ${b}?`],
      }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        things.forEach((thing, i) => {
          const [x, y] = [28 + 56 * (i % 2), 20 + 56 * Math.floor(i / 2)];
          THINGS[thing](canvas, x, y, colors[i], style.ink);
          canvas.number(prices[i], x, y + 26);
        });
        return canvas.svg();
      },
    };
  },
};
