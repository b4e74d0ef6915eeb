/** Clocks: an analogue one at five-minute steps with a duration beside it, and a start and an end on digital ones. */
import { createCanvas, type Point } from "../canvas";
import type { Family, Scene } from "../family";
import type { Random } from "../../../lib/engine/random";
import { chainOf, twoTerms } from "../operands";
import { mix } from "../style";

export const clock: Family = {
  name: "clock",
  subject: "measurement",
  levels: [1, 2],
  heldOut: [],
  sample(random, level) {
    return level === 1 ? sampleHands(random) : sampleDigits(random);
  },
};

function sampleHands(random: Random): Scene {
  const [hour, minute] = [random.int(1, 12), 5 * random.int(1, 11)];
  const op = minute === 55 ? "-" : random.pick(["+", "-"] as const);
  // The hour stays the same, so that minutes are all that counts.
  const duration = op === "+" ? random.int(2, 59 - minute) : random.int(2, minute - 1);
  return {
    values: [minute, duration],
    chain: chainOf("+", op),
    question:
      op === "+"
        ? "At which minute is the clock after the time below?"
        : "At which minute was the clock before the time below?",
    read: ([now, time]) => `The clock is at minute ${now} and the time below is ${time}.`,
    content: `${minute} ${op} ${duration}`,
    draw(style, place) {
      const canvas = createCanvas(style);
      const [x, y, radius] = [56, 42, 39];
      const color = place.pick(style.palette);
      const at = (share: number, reach: number): Point => {
        const angle = 2 * Math.PI * share - Math.PI / 2;
        return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
      };
      canvas.circle(x, y, radius, {
        fill: mix(style.background, color, 0.08),
        stroke: style.ink,
        width: 2,
      });
      for (let i = 0; i < 12; i++) {
        const length = i % 3 === 0 ? 8 : 5;
        canvas.line(at(i / 12, radius - length), at(i / 12, radius - 1), {
          width: i % 3 ? 1.4 : 2.4,
        });
      }
      canvas.line([x, y], at((hour + minute / 60) / 12, 18), { width: 4.4 });
      canvas.line([x, y], at(minute / 60, 31), { width: 2.6, stroke: color });
      canvas.circle(x, y, 3, { fill: style.ink });
      canvas.number(`${duration} min`, 56, 98, { height: 15 });
      return canvas.svg();
    },
  };
}

function sampleDigits(random: Random): Scene {
  const [end, start] = twoTerms(random, "-", { low: 0, high: 59 }).values;
  const hour = random.int(1, 12);
  return {
    values: [end, start],
    chain: chainOf("+", "-"),
    question: random.pick([
      "How many minutes are between the start and the end?",
      "How many minutes is the end after the start?",
    ]),
    read: ([last, first]) => `The end is at minute ${last} and the start is at minute ${first}.`,
    content: `${start} to ${end}`,
    draw(style, place) {
      const canvas = createCanvas(style);
      const color = place.pick(style.palette);
      const face = place.chance(0.5) ? "#10161a" : "#f7f9f4";
      const ink = face === "#10161a" ? "#d6ffe4" : "#101820";
      [start, end].forEach((minute, i) => {
        const y = 3 + 55 * i;
        canvas.label(i === 0 ? "Start" : "End", 56, y + 8, { height: 11 });
        canvas.rect(18, y + 17, 76, 31, { fill: face, stroke: color, width: 2.4 }, 5);
        const text = `${hour}:${String(minute).padStart(2, "0")}`;
        canvas.number(text, 56, y + 32.5, { height: 17, maxWidth: 68, fill: ink });
      });
      return canvas.svg();
    },
  };
}
