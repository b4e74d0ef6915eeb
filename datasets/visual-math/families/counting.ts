/** Shapes to count: two kinds among three, and boxes that all hold the same number. */
import { createCanvas, star, type Canvas } from "../canvas";
import type { Family, Scene } from "../family";
import type { Random } from "../../../lib/engine/random";
import { chainOf, contentOf, product } from "../operands";
import { inkOn } from "../style";
import { ask } from "../wording";

const SHAPES: Readonly<
  Record<string, (canvas: Canvas, x: number, y: number, fill: string) => void>
> = {
  circles: (canvas, x, y, fill) => canvas.circle(x, y, 9, { fill }),
  squares: (canvas, x, y, fill) => canvas.rect(x - 8, y - 8, 16, 16, { fill }),
  triangles: (canvas, x, y, fill) =>
    canvas.polygon(
      [
        [x, y - 9],
        [x + 10, y + 8],
        [x - 10, y + 8],
      ],
      { fill },
    ),
  stars: (canvas, x, y, fill) => canvas.polygon(star(x, y, 11), { fill }),
};

export const counting: Family = {
  name: "counting",
  subject: "arithmetic",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    return level === 1 ? sampleKinds(random) : sampleBoxes(random);
  },
};

function sampleKinds(random: Random): Scene {
  const kinds = random.shuffle(Object.keys(SHAPES)).slice(0, 3);
  const op = random.pick(["+", "-"] as const);
  let values: number[];
  do values = [random.int(2, 8), random.int(2, 7)];
  while (op === "-" && values[0] <= values[1]);
  const others = random.int(1, Math.min(4, 16 - values[0] - values[1]));
  const names = kinds.slice(0, 2);
  const task = { values, chain: chainOf("+", op) };
  return {
    ...task,
    question: ask(random, task, names, {
      sum: [`How many ${names[0]} and ${names[1]} are there?`],
      difference: [`How many more ${names[0]} than ${names[1]} are there?`],
    }),
    read: ([first, second]) =>
      `In the picture there are ${first} ${names[0]} and ${second} ${names[1]}.`,
    content: contentOf(task, names),
    draw(style, place) {
      const canvas = createCanvas(style);
      const cells = place.shuffle(Array.from({ length: 16 }, (_, i) => i));
      const counts = [...values, others];
      counts.forEach((count, kind) => {
        for (let i = 0; i < count; i++) {
          const cell = cells.pop() ?? 0;
          const x = 16 + 26.6 * (cell % 4) + place.int(-1, 1);
          const y = 16 + 26.6 * Math.floor(cell / 4) + place.int(-1, 1);
          SHAPES[kinds[kind]](canvas, x, y, style.palette[kind]);
        }
      });
      return canvas.svg();
    },
  };
}

function sampleBoxes(random: Random): Scene {
  const { many } = product(random);
  const count = random.int(2, Math.min(6, Math.floor(210 / many)));
  const rest = random.int(3, 40);
  const values = [count, many, rest];
  return {
    values,
    chain: chainOf("+", "*", "+"),
    question: random.pick([
      "How many do the boxes and the bag hold?",
      "What do all boxes and the bag hold in total?",
    ]),
    read: ([boxes, each, bag]) =>
      `There are ${boxes} boxes with ${each} each and the bag has ${bag}.`,
    content: `boxes ${values.join(" ")}`,
    draw(style, place) {
      const canvas = createCanvas(style);
      const [boxColor, bagColor] = place.shuffle(style.palette);
      for (let i = 0; i < count; i++) {
        const [x, y] = [4 + 36 * (i % 3), 6 + 31 * Math.floor(i / 3)];
        canvas.rect(x, y, 32, 24, { fill: boxColor }, 2);
        canvas.number(many, x + 16, y + 12, { fill: inkOn(boxColor), maxWidth: 28 });
      }
      canvas.path("M40 108Q34 84 50 80L46 70H66L62 80Q78 84 72 108Z", { fill: bagColor });
      canvas.number(rest, 56, 95, { fill: inkOn(bagColor), maxWidth: 28 });
      return canvas.svg();
    },
  };
}
