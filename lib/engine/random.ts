/**
 * Seeded random numbers that are the same on every machine and whose state can be saved in a checkpoint.
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), seeded from a SHA-256 of the seed's text.
 */
import { createHash } from "node:crypto";

export type RandomState = [number, number, number, number];

export interface Random {
  /** Uniform in [0, 1) with 32 bits. */
  next(): number;
  /** Uniform integer in [low, high], both included. */
  int(low: number, high: number): number;
  /** Standard normal (Box–Muller, one value a call). */
  normal(): number;
  /** True with probability `p`. */
  chance(p: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** One key of `weights`, drawn in proportion to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
  /** A new array in random order; the input stays as it is. */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent generator that depends on this one's seed and the label, not on how many numbers were drawn. */
  fork(label: string | number): Random;
  state(): RandomState;
  restore(state: RandomState): void;
}

export function createRandom(seed: string | number): Random {
  const digest = createHash("sha256").update(String(seed)).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let d = 1;

  const next32 = (): number => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next32();

  const random: Random = {
    next: () => next32() / 4294967296,
    int: (low, high) => low + Math.floor(random.next() * (high - low + 1)),
    normal: () => {
      const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
      return radius * Math.cos(2 * Math.PI * random.next());
    },
    chance: (p) => random.next() < p,
    pick: (items) => items[random.int(0, items.length - 1)],
    weighted: <K extends string>(weights: Readonly<Record<K, number>>) => {
      const entries = Object.entries(weights) as [K, number][];
      let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [key, weight] of entries) if ((left -= weight) < 0) return key;
      return entries[entries.length - 1][0];
    },
    shuffle: (items) => {
      const out = items.slice();
      for (let i = out.length - 1; i > 0; i--) {
        const j = random.int(0, i);
        [out[i], out[j]] = [out[j], out[i]];
      }
      return out;
    },
    fork: (label) => createRandom(`${seed}/${label}`),
    state: () => [a, b, c, d],
    restore: (state) => {
      [a, b, c, d] = state;
    },
  };
  return random;
}
