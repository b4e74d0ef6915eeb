/** What an evaluation says: accuracies with intervals, by family and overall. */
import { fault } from "../engine/errors";
import { createRandom } from "../engine/random";
import type { Transition } from "../types";

/** The two-sided 95 % quantile of the normal distribution. */
const Z95 = 1.959963984540054;

/** A proportion of `n` and the ends of its 95 % interval, all as fractions. */
export interface Proportion {
  n: number;
  value: number;
  low: number;
  high: number;
}

/** One judged problem of a benchmark. */
export interface JudgedRow {
  family: string;
  /** Whether the answer that counts is right. */
  correct: boolean;
  /** Whether the first and the second answer are; absent where a response has only one. */
  firstCorrect?: boolean;
  secondCorrect?: boolean;
  transition?: Transition | null;
  /** Length of the completion in tokens. */
  tokens: number;
}

/** The accuracy of one family, or of all. */
export interface Accuracy {
  family: string;
  n: number;
  accuracy: number;
  low: number;
  high: number;
  /** Accuracy of the first and of the second answer over the rows that have one; `null` where none has. */
  accFirst: number | null;
  accFinal: number | null;
  /** How often each transition occurred; rows without a transition are in none of them. */
  transitions: Record<Transition, number>;
  meanTokens: number;
}

/** Accuracies of a whole benchmark run. */
export interface AccuracyReport {
  overall: Accuracy;
  /** In the order in which the families first appear. */
  families: Accuracy[];
}

/**
 * Wilson's score interval for `correct` of `n`, 95 % (E. B. Wilson, JASA 22 (1927) 209–212). It stays within [0, 1] and
 * keeps its coverage for small n and near 0 and 1, where the usual ± interval fails. For n = 0 it is all of [0, 1].
 * @throws LabError unless 0 <= correct <= n, both whole numbers
 */
export function wilson(correct: number, n: number): Proportion {
  if (!Number.isInteger(n) || !Number.isInteger(correct) || correct < 0 || correct > n) {
    throw fault("wilson", "impossible counts", {
      got: { correct, n },
      expected: "whole numbers with 0 <= correct <= n",
    });
  }
  return wilsonShare(n === 0 ? NaN : correct / n, n);
}

/**
 * {@link wilson} for a share of `n` that is no count: a mean over problems of what several samples gave. A mean of values within
 * [0, 1] varies at most as much as one of right and wrong, so the interval is rather too wide than too narrow.
 */
export function wilsonShare(p: number, n: number): Proportion {
  if (n === 0) return { n, value: NaN, low: 0, high: 1 };
  const z2 = Z95 * Z95;
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  // At the ends the exact bound is 0 or 1; the difference of two roundings may miss it by a hair.
  const low = p === 0 ? 0 : centre - half;
  const high = p === 1 ? 1 : centre + half;
  return { n, value: p, low, high };
}

/**
 * The 95 % interval of a mean: percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).
 * @param values one a problem: what belongs to one problem is drawn together
 * @param options.draws bootstrap samples; 2000 unless told otherwise
 */
export function bootstrapMean(
  values: readonly number[],
  { seed, draws = 2000 }: { seed: string | number; draws?: number },
): { low: number; high: number } {
  const random = createRandom(seed);
  const means = Array.from({ length: draws }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[random.int(0, values.length - 1)];
    return sum / values.length;
  }).sort((x, y) => x - y);
  return { low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** Linear interpolation between order statistics, as numpy's default. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const next = sorted[Math.min(sorted.length - 1, below + 1)];
  return sorted[below] + (at - below) * (next - sorted[below]);
}

/** True when the two intervals share no point. */
export function disjoint(
  a: Pick<Proportion, "low" | "high">,
  b: Pick<Proportion, "low" | "high">,
): boolean {
  return a.high < b.low || b.high < a.low;
}

/** Accuracies with Wilson intervals, by family and overall. */
export function accuracyReport(rows: readonly JudgedRow[]): AccuracyReport {
  const families = [...new Set(rows.map(({ family }) => family))];
  return {
    overall: summarise("overall", rows),
    families: families.map((family) =>
      summarise(
        family,
        rows.filter((row) => row.family === family),
      ),
    ),
  };
}

function summarise(family: string, rows: readonly JudgedRow[]): Accuracy {
  const { n, value, low, high } = wilson(rows.filter(({ correct }) => correct).length, rows.length);
  const transitions: Record<Transition, number> = { RR: 0, RW: 0, WR: 0, WW: 0 };
  for (const { transition } of rows) if (transition) transitions[transition]++;
  return {
    family,
    n,
    accuracy: value,
    low,
    high,
    accFirst: share(rows.map(({ firstCorrect }) => firstCorrect)),
    accFinal: share(rows.map(({ secondCorrect }) => secondCorrect)),
    transitions,
    meanTokens: rows.reduce((sum, { tokens }) => sum + tokens, 0) / rows.length,
  };
}

function share(marks: readonly (boolean | undefined)[]): number | null {
  const known = marks.filter((mark) => mark !== undefined);
  return known.length === 0 ? null : known.filter(Boolean).length / known.length;
}

/** A report as rows for a table: percentages as fractions, the families first and the whole last. */
export function reportRows({ overall, families }: AccuracyReport): Record<string, unknown>[] {
  return [...families, overall].map(({ transitions, ...row }) => ({ ...row, ...transitions }));
}
