/** A pie chart in per cent with one slice missing. */
import { createCanvas } from "../canvas";
import type { Family, Term } from "../family";
import { contentOf } from "../operands";
import { inkOn } from "../style";
import { listed } from "../wording";

export const pie: Family = {
  name: "pie",
  subject: "statistics",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    const count = level + 1;
    let values: number[];
    do values = Array.from({ length: count }, () => random.int(6, 80));
    while (values.reduce((sum, value) => sum + value, 0) > 95);
    const minus = values.map((_, operand): Term => ({ op: "-", operand }));
    const task = { values, chain: [{ op: "+", operand: null, constant: 100 } as Term, ...minus] };
    return {
      ...task,
      question: random.pick([
        "How big is the missing part of 100?",
        "How much is missing in the circle?",
      ]),
      read: (read) => `The circle has ${listed(read.map(String))} of 100.`,
      content: contentOf(
        task,
        values.map(() => "slice"),
      ),
      draw(style, place) {
        const canvas = createCanvas(style);
        const colors = place.shuffle(style.palette);
        const faces = [...values.map(String), "?"];
        const rest = 100 - values.reduce((sum, value) => sum + value, 0);
        // A slice must be wide enough for its number, so small ones are drawn larger.
        const weights = [...values, rest].map((value) => Math.max(value, 20));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const order = place.shuffle(faces.map((_, i) => i));
        let from = place.next();
        for (const i of order) {
          const to = from + weights[i] / total;
          const missing = faces[i] === "?";
          const fill = missing ? style.background : colors[i];
          const at = (share: number, radius: number): [number, number] => [
            56 + radius * Math.cos(2 * Math.PI * share),
            56 + radius * Math.sin(2 * Math.PI * share),
          ];
          const [start, end] = [at(from, 52), at(to, 52)].map((point) =>
            point.map((c) => c.toFixed(2)).join(" "),
          );
          const large = to - from > 0.5 ? 1 : 0;
          canvas.path(`M56 56L${start}A52 52 0 ${large} 1 ${end}Z`, {
            fill,
            stroke: style.ink,
            width: 1.4,
          });
          const [x, y] = at((from + to) / 2, 33);
          canvas.number(faces[i], x, y, { fill: missing ? style.ink : inkOn(fill), maxWidth: 26 });
          from = to;
        }
        return canvas.svg();
      },
    };
  },
};
