/**
 * Which records a sample takes. Every record has a random key that follows from the seed and its id alone; of each stratum
 * those with the smallest keys are taken. That is a uniform sample without replacement, it does not depend on the records'
 * order, and a larger one contains the smaller.
 */
import { createHash } from "node:crypto";

/** `proportional` keeps the sources' mix, `even` takes as much of every stratum as of the others, as far as they reach. */
export type Balance = "proportional" | "even";

/** 48 bits of a text's SHA-256: enough to tell millions of records apart, and exact in a number. */
export function hash48(text: string): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6);
}

/**
 * How many to take of each stratum.
 * @param sizes how many each stratum has
 * @returns as many numbers, none above its size, which add up to `count` or to all there is. A `proportional` share is rounded
 * by largest remainders, and no stratum is left out before the others have given one.
 */
export function allocate(sizes: readonly number[], count: number, balance: Balance): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (count >= total) return [...sizes];
  return balance === "even" ? evenly(sizes, count) : proportionally(sizes, count, total);
}

function evenly(sizes: readonly number[], count: number): number[] {
  const shares = sizes.map(() => 0);
  for (let left = count; left > 0;) {
    const open = sizes.flatMap((size, i) => (shares[i] < size ? [i] : []));
    const each = Math.floor(left / open.length);
    for (const i of open) {
      const more = Math.min(Math.max(each, 1), sizes[i] - shares[i], left);
      shares[i] += more;
      left -= more;
    }
  }
  return shares;
}

function proportionally(sizes: readonly number[], count: number, total: number): number[] {
  const filled = sizes.flatMap((size, i) => (size > 0 ? [i] : []));
  const exact = sizes.map((size) => (size * count) / total);
  const shares = exact.map(Math.floor);
  if (count >= filled.length) for (const i of filled) shares[i] = Math.max(1, shares[i]);
  // The shares may now add up to more or to less than what is wanted: those farthest from their exact share give or take.
  const sum = (): number => shares.reduce((all, share) => all + share, 0);
  for (let excess = sum() - count; excess !== 0; excess = sum() - count) {
    const step = excess > 0 ? -1 : 1;
    const least = count >= filled.length ? 1 : 0;
    const able = filled.filter((i) => (step > 0 ? shares[i] < sizes[i] : shares[i] > least));
    const gap = (i: number): number => step * (exact[i] - shares[i]);
    shares[able.reduce((best, i) => (gap(i) > gap(best) ? i : best))] += step;
  }
  return shares;
}
