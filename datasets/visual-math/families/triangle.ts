/** Triangles: the missing angle from the two others, and the perimeter from the three sides. */
import { createCanvas, type Canvas, type Point } from "../canvas";
import type { Family, Style } from "../family";
import type { Random } from "../../../lib/engine/random";
import { chainOf, contentOf, rangeOf, threeTerms, type Task } from "../operands";
import { mix } from "../style";
import { listed, reading } from "../wording";

export const triangle: Family = {
  name: "triangle",
  subject: "geometry",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    return level === 1 ? sampleAngles(random) : sampleSides(random);
  },
};

function sampleAngles(random: Random): ReturnType<Family["sample"]> {
  let [a, b] = [0, 0];
  while (a + b < 40 || a + b > 160) [a, b] = [random.int(15, 99), random.int(15, 99)];
  const chain: Task["chain"] = [
    { op: "+", operand: null, constant: 180 },
    { op: "-", operand: 0 },
    { op: "-", operand: 1 },
  ];
  const unknown = random.pick(["A", "B", "C"]);
  const known = ["A", "B", "C"].filter((letter) => letter !== unknown);
  const task = { values: [a, b], chain };
  return {
    ...task,
    question: random.pick([
      `What is angle ${unknown} of the triangle?`,
      `How many degrees has angle ${unknown}?`,
    ]),
    read: reading(known.map((letter) => `angle ${letter}`)),
    content: contentOf(task, ["angle", "angle"]),
    draw(style, place) {
      const canvas = createCanvas(style);
      const corners = outline(canvas, style, place, { base: 97, top: 8, reach: 48 });
      const numbers = { A: "?", B: "?", C: "?" } as Record<string, string>;
      known.forEach((letter, i) => (numbers[letter] = `${task.values[i]}°`));
      const [left, right, apex] = corners;
      canvas.number(numbers.A, left[0] + 28, 87, { maxWidth: 30 });
      canvas.number(numbers.B, right[0] - 26, 87, { maxWidth: 30 });
      canvas.number(numbers.C, apex[0] + (56 - apex[0]) * 0.35, 50, { maxWidth: 30 });
      canvas.label("A", left[0], 105);
      canvas.label("B", right[0], 105);
      canvas.label("C", apex[0] + 13, 9);
      return canvas.svg();
    },
  };
}

function sampleSides(random: Random): ReturnType<Family["sample"]> {
  let task = threeTerms(random, "+", rangeOf(2));
  const closes = ({ values }: Task): boolean =>
    Math.max(...values) < values.reduce((sum, side) => sum + side, 0) - Math.max(...values);
  while (!closes(task)) task = threeTerms(random, "+", rangeOf(2));
  return {
    values: task.values,
    chain: chainOf("+", "+", "+"),
    question: random.pick([
      "What is the perimeter of the triangle?",
      "What do the sides of the triangle add up to?",
    ]),
    read: (values) => `The sides are ${listed(values.map(String))}.`,
    content: contentOf(task, ["side", "side", "side"]),
    draw(style, place) {
      const canvas = createCanvas(style);
      const [left, right, apex] = outline(canvas, style, place, { base: 88, top: 10, reach: 38 });
      const [a, b, c] = task.values;
      // Where a side is as low as the digits' feet it is nearest to them.
      const edge = (corner: Point): number => apex[0] + ((corner[0] - apex[0]) * (49 - 10)) / 78;
      canvas.number(a, edge(left) - 4, 42, { anchor: "end", maxWidth: 26 });
      canvas.number(b, edge(right) + 4, 42, { anchor: "start", maxWidth: 26 });
      canvas.number(c, 56, 101);
      return canvas.svg();
    },
  };
}

/** Draws the triangle and gives its corners: left, right, apex. */
function outline(
  canvas: Canvas,
  style: Style,
  place: Random,
  { base, top, reach }: { base: number; top: number; reach: number },
): [Point, Point, Point] {
  const color = place.pick(style.palette);
  const corners: [Point, Point, Point] = [
    [56 - reach, base],
    [56 + reach, base],
    [56 + place.int(-8, 8), top],
  ];
  const fill = place.chance(0.5) ? mix(style.background, color, 0.12) : undefined;
  canvas.polygon(corners, { fill, stroke: color, width: style.lineWidth + 0.4 });
  return corners;
}
