/** A line chart with the number at each point; two of its points are asked for. */
import { createCanvas, type Point } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { ask, reading } from "../wording";

const LETTERS = ["K", "M", "S", "T"];

export const lines: Family = {
  name: "lines",
  subject: "statistics",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    const task = sampleTask(random, level);
    const labels = LETTERS.slice(0, random.int(3, 4));
    const asked = random.shuffle(labels).slice(0, 2);
    const heights = fillPlaces(random, level, task, labels, asked);
    const names = asked.map((label) => `point ${label}`);
    const [a, b] = names;
    return {
      ...task,
      question: ask(random, task, names, { difference: [`How much higher is ${a} than ${b}?`] }),
      read: reading(names),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const [least, most] = [Math.min(...heights), Math.max(...heights)];
        const slot = 104 / labels.length;
        const points = heights.map((value, i): Point => {
          return [4 + slot * (i + 0.5), 68 - (36 * (value - least)) / (most - least)];
        });
        const color = place.pick(style.palette);
        const area = place.chance(0.3);
        canvas.polyline([
          [3, 4],
          [3, 94],
          [109, 94],
        ]);
        for (const [x, y] of points) {
          if (area) canvas.line([x, y], [x, 94], { dash: "2 3", width: 1, stroke: color });
        }
        canvas.polyline(points, { stroke: color, width: style.lineWidth + 0.6 });
        points.forEach(([x, y], i) => {
          const neighbors = [points[i - 1], points[i + 1]].filter((point) => point !== undefined);
          // The number goes to the side from which the line on the whole runs away.
          const rise = neighbors.reduce((sum, point) => sum + y - point[1], 0);
          const at = rise > 0 ? y + 14 : y - 14;
          canvas.number(heights[i], x, at, { maxWidth: slot - 4, plate: style.background });
          canvas.circle(x, y, 3.6, { fill: color });
          canvas.label(labels[i], x, 104);
        });
        return canvas.svg();
      },
    };
  },
};
