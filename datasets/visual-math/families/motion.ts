/** Two cars with their speeds and a clock that runs for both: how far one drives, how far it is ahead. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { chainOf, distractors, product, rangeOf } from "../operands";
import { inkOn } from "../style";
import { reading } from "../wording";

export const motion: Family = {
  name: "motion",
  subject: "physics",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    const { many, few: time } = product(random);
    const cars = random.shuffle(["A", "B"]);
    const range = rangeOf(2);
    const slow = level === 1 ? distractors(random, 1, [many], range)[0] : random.int(10, 90);
    const fast = level === 1 ? many : slow + Math.min(many, 99 - slow);
    const [first, second] = cars.map((car) => `car ${car}`);
    const far = level === 1;
    return {
      values: far ? [fast, time] : [fast, slow, time],
      chain: far ? chainOf("+", "*") : chainOf("+", "-", "*"),
      question: far
        ? random.pick([
            `How far is ${first} after the time?`,
            `How far does ${first} go in the time?`,
          ])
        : `How far is ${first} ahead of ${second} after the time?`,
      read: reading(
        far ? [`the speed of ${first}`, "the time"] : [first, second, "the time"],
        "is",
      ),
      content: far ? `${first} ${fast} ${time}` : `${fast} ${slow} ${time}`,
      draw(style, place) {
        const canvas = createCanvas(style);
        const paints = place.shuffle(style.palette);
        const speeds: Record<string, number> = { [cars[0]]: fast, [cars[1]]: slow };
        canvas.circle(38, 14, 10, { stroke: style.ink });
        canvas.polyline([
          [38, 8],
          [38, 14],
          [43, 14],
        ]);
        canvas.number(time, 60, 14, { height: 15 });
        ["A", "B"].forEach((name, i) => {
          const road = 66 + 42 * i;
          const [x, color] = [4 + place.int(0, 5), paints[i]];
          const body = `M${x} ${road - 6}v-14h6l6 -10h20l8 10h6v14z`;
          canvas.line([2, road], [110, road], { width: 2 });
          canvas.path(body, { fill: color });
          for (const wheel of [x + 11, x + 36]) {
            canvas.circle(wheel, road - 5.5, 4.5, { fill: style.ink, stroke: style.background });
          }
          canvas.label(name, x + 23, road - 18, { fill: inkOn(color) });
          canvas.number(speeds[name], 73, road - 17, { height: 15, maxWidth: 28 });
          canvas.arrow([91, road - 17], [109, road - 17], { stroke: color, width: 2.4 });
        });
        return canvas.svg();
      },
    };
  },
};
