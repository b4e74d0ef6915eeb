/** Two molecules of atoms with their masses; the mass of one is asked for. */
import { createCanvas, type Point } from "../canvas";
import type { Family } from "../family";
import { contentOf, distractors, rangeOf, sampleTask } from "../operands";
import { inkOn } from "../style";
import { listed } from "../wording";

export const molecule: Family = {
  name: "molecule",
  subject: "chemistry",
  levels: [1, 2, 3],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level, ["+"]);
    const asked = random.pick(["top", "bottom"]);
    const others = distractors(random, random.int(2, 3), task.values, rangeOf(level));
    return {
      ...task,
      question: random.pick([
        `What is the mass of the ${asked} molecule?`,
        `How much mass has the ${asked} molecule?`,
      ]),
      read: (values) => `The masses of the ${asked} molecule are ${listed(values.map(String))}.`,
      content: contentOf(
        task,
        task.values.map(() => `${asked} atom`),
      ),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        [task.values, others].forEach((masses, which) => {
          const top = (which === 0) === (asked === "top");
          const gap = masses.length === 3 ? 37.5 : 44;
          const shift = masses.length === 3 ? 0 : place.int(-8, 8);
          const centers = masses.map((_, i): Point => {
            const bend = masses.length === 3 && i === 1 ? place.pick([-3, 3]) : 0;
            return [56 + shift + gap * (i - (masses.length - 1) / 2), (top ? 28 : 84) + bend];
          });
          const double = place.chance(0.3);
          centers.slice(1).forEach(([x, y], i) => {
            const [fromX, fromY] = centers[i];
            for (const off of double ? [-2.5, 2.5] : [0]) {
              canvas.line([fromX, fromY + off], [x, y + off], { width: 2.2 });
            }
          });
          centers.forEach(([x, y], i) => {
            const fill = colors[(masses[i] + which) % 4];
            canvas.circle(x, y, 16, { fill });
            canvas.number(masses[i], x, y, { fill: inkOn(fill), maxWidth: 23 });
          });
        });
        canvas.line([6, 56], [106, 56], { dash: "2 4", width: 1 });
        return canvas.svg();
      },
    };
  },
};
