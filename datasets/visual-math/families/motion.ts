/** Two cars with their speeds and a clock that runs for both: how far one drives, how far it is ahead. */
import type { Random } from "../../../lib/engine/random";
import { createCanvas } from "../canvas";
import type { Family, Scene, Style } from "../family";
import { chainOf, distractors, product, rangeOf, twoTerms } from "../operands";
import { inkOn } from "../style";
import { reading } from "../wording";

type Car = "A" | "B";
type Speeds = Readonly<Record<Car, number>>;

export const motion: Family = {
  name: "motion",
  subject: "physics",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    return level === 1 ? sampleWay(random) : sampleLead(random);
  },
};

function sampleWay(random: Random): Scene {
  const { many: speed, few: time } = product(random);
  const [other] = distractors(random, 1, [speed], rangeOf(2));
  const car: Car = random.pick(["A", "B"]);
  const speeds: Speeds = car === "A" ? { A: speed, B: other } : { A: other, B: speed };
  return {
    values: [speed, time],
    chain: chainOf("+", "*"),
    question: random.pick([
      `How far is car ${car} after the time?`,
      `How far does car ${car} go in the time?`,
    ]),
    read: reading([`the speed of car ${car}`, "the time"], "is"),
    content: `way ${car} ${speed} ${time}`,
    draw: (style, place) => drawCars(style, place, speeds, time),
  };
}

function sampleLead(random: Random): Scene {
  const [fast, slow] = twoTerms(random, "-", rangeOf(2)).values;
  const time = random.int(2, Math.min(9, Math.floor(250 / (fast - slow))));
  const [first, second]: Car[] = random.shuffle(["A", "B"]);
  const speeds: Speeds = first === "A" ? { A: fast, B: slow } : { A: slow, B: fast };
  return {
    values: [fast, slow, time],
    chain: chainOf("+", "-", "*"),
    question: `How far is car ${first} ahead of car ${second} after the time?`,
    read: reading([`car ${first}`, `car ${second}`, "the time"], "is"),
    content: `lead ${fast} ${slow} ${time}`,
    draw: (style, place) => drawCars(style, place, speeds, time),
  };
}

function drawCars(style: Style, place: Random, speeds: Speeds, time: number): string {
  const canvas = createCanvas(style);
  const paints = place.shuffle(style.palette);
  canvas.circle(38, 14, 10, { stroke: style.ink });
  canvas.polyline([
    [38, 8],
    [38, 14],
    [43, 14],
  ]);
  canvas.number(time, 60, 14, { height: 15 });
  (["A", "B"] as const).forEach((name, i) => {
    const road = 66 + 42 * i;
    const [x, color] = [4 + place.int(0, 5), paints[i]];
    canvas.line([2, road], [110, road], { width: 2 });
    canvas.path(`M${x} ${road - 6}v-14h6l6 -10h20l8 10h6v14z`, { fill: color });
    for (const wheel of [x + 11, x + 36]) {
      canvas.circle(wheel, road - 5.5, 4.5, { fill: style.ink, stroke: style.background });
    }
    canvas.label(name, x + 23, road - 18, { fill: inkOn(color) });
    canvas.number(speeds[name], 73, road - 17, { height: 15, maxWidth: 28 });
    canvas.arrow([91, road - 17], [109, road - 17], { stroke: color, width: 2.4 });
  });
  return canvas.svg();
}
