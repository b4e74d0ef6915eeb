/** Rectangles: the area, the perimeter, and the area around a hole. */
import { createCanvas } from "../canvas";
import type { Family, Scene, Style } from "../family";
import type { Random } from "../../../lib/engine/random";
import { chainOf, product, rangeOf, twoTerms } from "../operands";
import { mix } from "../style";

export const rectangle: Family = {
  name: "rectangle",
  subject: "geometry",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    return level === 1
      ? sampleArea(random)
      : level === 2
        ? samplePerimeter(random)
        : sampleHole(random);
  },
};

function sampleArea(random: Random): Scene {
  const { many, few } = product(random);
  const values = random.shuffle([many, few]);
  return {
    values,
    chain: chainOf("+", "*"),
    question: random.pick([
      "What is the area of the rectangle?",
      "How big is the area of the rectangle?",
    ]),
    read: readSides,
    content: `area ${many} ${few}`,
    draw: (style, place) => drawRectangle(style, place, values),
  };
}

function samplePerimeter(random: Random): Scene {
  let values: number[];
  do values = twoTerms(random, "+", rangeOf(2)).values;
  while (values[0] + values[1] > 125);
  return {
    values,
    chain: [...chainOf("+", "+"), { op: "*", operand: null, constant: 2 }],
    question: random.pick([
      "What is the perimeter of the rectangle?",
      "How long is the way around the rectangle?",
    ]),
    read: readSides,
    content: `perimeter ${values
      .slice()
      .sort((a, b) => a - b)
      .join(" ")}`,
    draw: (style, place) => drawRectangle(style, place, values),
  };
}

function sampleHole(random: Random): Scene {
  const { many, few } = product(random);
  const hole = random.int(10, Math.min(99, Math.floor(many * few * 0.8)));
  const values = [...random.shuffle([many, few]), hole];
  return {
    values,
    chain: chainOf("+", "*", "-"),
    question: random.pick([
      "What is the area of the rectangle without the hole?",
      "How big is the area around the hole?",
    ]),
    read: ([wide, high, area]) => `The sides are ${wide} and ${high} and the hole has ${area}.`,
    content: `hole ${many} ${few} ${hole}`,
    draw: (style, place) => drawRectangle(style, place, values),
  };
}

function readSides([wide, high]: readonly number[]): string {
  return `The rectangle is ${wide} wide and ${high} high.`;
}

function drawRectangle(style: Style, place: Random, [wide, high, hole]: readonly number[]): string {
  const canvas = createCanvas(style);
  const color = place.pick(style.palette);
  // Roughly in proportion, yet never too thin to be seen.
  const lean = Math.min(1, Math.max(-1, Math.log2(wide / high)));
  const [w, h] = [62 + 12 * lean, 62 - 14 * lean];
  const below = place.chance(0.5);
  const [x, y] = [6, below ? 6 + (78 - h) / 2 : 28 + (78 - h) / 2];
  const fill = place.chance(0.75) ? mix(style.background, color, 0.14) : undefined;
  canvas.rect(x, y, w, h, { fill, stroke: color, width: style.lineWidth + 0.6 });
  canvas.number(wide, x + w / 2, below ? y + h + 12 : y - 12, { height: 15 });
  canvas.number(high, x + w + 5, y + h / 2, { height: 15, anchor: "start" });
  if (hole !== undefined) {
    canvas.rect(x + w / 2 - 17, y + h / 2 - 12, 34, 24, { fill: style.background, stroke: color });
    canvas.number(hole, x + w / 2, y + h / 2, { maxWidth: 28 });
  }
  return canvas.svg();
}
