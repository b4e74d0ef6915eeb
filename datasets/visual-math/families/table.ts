/** A table of numbers; two of its cells, or one whole column, are asked for. */
import { createCanvas } from "../canvas";
import type { Family } from "../family";
import { contentOf, fillPlaces, sampleTask } from "../operands";
import { mix } from "../style";
import { ask, listed, reading } from "../wording";

const ROWS = ["A", "B", "C"];
const COLUMNS = ["X", "Y"];

export const table: Family = {
  name: "table",
  subject: "statistics",
  levels: [1, 2],
  heldOut: [3],
  sample(random, level) {
    const whole = level === 3;
    const task = sampleTask(random, level, whole ? ["+"] : ["+", "-"]);
    const column = random.pick(COLUMNS);
    const cells = ROWS.flatMap((row) => COLUMNS.map((name) => `${row}${name}`));
    const asked = whole
      ? ROWS.map((row) => `${row}${column}`)
      : random.shuffle(cells).slice(0, task.values.length);
    const numbers = fillPlaces(random, level, task, cells, asked);
    const names = asked.map((cell) => `row ${cell[0]} column ${cell[1]}`);
    return {
      ...task,
      question: whole
        ? `What is the sum of column ${column}?`
        : ask(random, task, names, {
            difference: [`How much more is ${names[0]} than ${names[1]}?`],
          }),
      read: whole
        ? (values) => `Column ${column} has ${listed(values.map(String))}.`
        : reading(names, "is"),
      content: contentOf(task, asked),
      draw(style, place) {
        const canvas = createCanvas(style);
        const shade = mix(style.background, place.pick(style.palette), 0.16);
        const [left, top, head] = [3, 3, 24];
        const [wide, high] = [(106 - head) / 2, 26.5];
        if (place.chance(0.7)) canvas.rect(left, top, 106, high, { fill: shade });
        if (place.chance(0.5)) canvas.rect(left, top, head, 106, { fill: shade });
        const ruled = place.chance(0.6);
        for (let i = 0; i <= 4; i++) {
          if (ruled || i === 1) canvas.line([left, top + i * high], [109, top + i * high]);
        }
        for (const x of [left, left + head, left + head + wide, 109]) {
          if (ruled || x === left + head) canvas.line([x, top], [x, 109]);
        }
        COLUMNS.forEach((name, j) => {
          canvas.label(name, left + head + wide * (j + 0.5), top + high / 2, { height: 13 });
        });
        ROWS.forEach((row, i) => {
          const y = top + high * (i + 1.5);
          canvas.label(row, left + head / 2, y, { height: 13 });
          COLUMNS.forEach((_, j) => {
            canvas.number(numbers[i * 2 + j], left + head + wide * (j + 0.5), y, { height: 15 });
          });
        });
        return canvas.svg();
      },
    };
  },
};
