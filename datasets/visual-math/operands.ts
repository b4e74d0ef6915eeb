/** The numbers of a problem: two or three terms whose steps carry or borrow in about half of the problems. */
import type { Random } from "../../lib/engine/random";
import { apply } from "./arithmetic";
import type { Term } from "./family";

/** A chain over values that are read in the chain's order. */
export interface Task {
  values: number[];
  chain: Term[];
}

export interface Range {
  low: number;
  high: number;
}

/** Level 1 counts with small numbers, the levels above with two digits. */
export function rangeOf(level: number): Range {
  return level === 1 ? { low: 3, high: 29 } : { low: 10, high: 99 };
}

/** Two terms at levels 1 and 2, three at level 3; `ops` limits the operations to choose from. */
export function sampleTask(
  random: Random,
  level: number,
  ops: readonly ("+" | "-")[] = ["+", "-"],
): Task {
  const range = rangeOf(level);
  return level < 3
    ? twoTerms(random, random.pick(ops), range)
    : threeTerms(random, random.pick(ops), range);
}

/** `a + b`, or `a - b` with a > b. */
export function twoTerms(random: Random, op: "+" | "-", { low, high }: Range): Task {
  const hard = random.chance(0.5);
  for (;;) {
    const values = [random.int(low, high), random.int(low, high)];
    const [a, b] = values;
    if (a === b || (op === "-" && a < b) || crosses(op, a, b) !== hard) continue;
    return { values, chain: chainOf("+", op) };
  }
}

/** `a + b + c`, or `a + b - c` without going below zero. */
export function threeTerms(random: Random, op: "+" | "-", { low, high }: Range): Task {
  const hard = random.chance(0.5);
  for (;;) {
    const values = [random.int(low, high), random.int(low, high), random.int(low, high)];
    const [a, b, c] = values;
    const result = apply(op, a + b, c);
    if (new Set(values).size < 3 || result < 0 || result > 250) continue;
    if (crosses(op, a + b, c) !== hard) continue;
    return { values, chain: chainOf("+", "+", op) };
  }
}

/** `many * few`: a two-digit number and a factor from 2 to 9, at most `most`. */
export function product(random: Random, most = 250): { many: number; few: number } {
  const hard = random.chance(0.5);
  for (;;) {
    const few = random.int(2, 9);
    const many = random.int(10, Math.min(99, Math.floor(most / few)));
    if ((many % 10) * few >= 10 === hard) return { many, few };
  }
}

/** `count` numbers that are none of `taken` and all different, to stand beside the ones that matter. */
export function distractors(
  random: Random,
  count: number,
  taken: readonly number[],
  range: Range,
): number[] {
  const out: number[] = [];
  while (out.length < count) {
    const value = random.int(range.low, range.high);
    if (!taken.includes(value) && !out.includes(value)) out.push(value);
  }
  return out;
}

/**
 * Numbers for all places of a picture: the asked places show the task's values in their order, the others show numbers
 * that nothing asks for.
 */
export function fillPlaces(
  random: Random,
  level: number,
  { values }: Task,
  places: readonly string[],
  asked: readonly string[],
): number[] {
  const others = distractors(random, places.length - asked.length, values, rangeOf(level));
  return places.map((place) =>
    asked.includes(place) ? values[asked.indexOf(place)] : (others.pop() as number),
  );
}

/** A chain whose n-th term is the n-th value. */
export function chainOf(...ops: Term["op"][]): Term[] {
  return ops.map((op, operand) => ({ op, operand }));
}

/**
 * The content of a chain of sums and differences. Terms are sorted, since `A + C` and `C + A` are the same problem.
 * @param names what each value is called in the picture, so that other places make other problems
 */
export function contentOf({ values, chain }: Task, names: readonly string[]): string {
  const terms = chain.map(({ op, operand, constant }) =>
    operand === null ? `${op}${constant}` : `${op}${names[operand]}=${values[operand]}`,
  );
  return terms.sort().join(" ");
}

/** Whether the ones digit carries or borrows. */
function crosses(op: "+" | "-", left: number, right: number): boolean {
  return op === "+" ? (left % 10) + (right % 10) >= 10 : left % 10 < right % 10;
}
