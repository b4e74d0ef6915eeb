/** Whether two policies differ on the same problems, and how many problems it takes to see that they do. */
import { fault } from "../engine/errors";
import { createRandom } from "../engine/random";
import { bootstrapMean } from "./report";

/** How policy b compares with policy a on the same problems. */
export interface PairedDifference {
  n: number;
  /** Accuracy of b less that of a, and its 95 % interval (paired bootstrap). */
  difference: number;
  low: number;
  high: number;
  /** Problems that only a, or only b, got right; of several samples, on which a, or b, was right more often. */
  onlyA: number;
  onlyB: number;
  /** Two-sided p-value. */
  p: number;
  /** McNemar's exact test, or for several samples a problem a randomisation test. */
  test: "McNemar" | "sign flip";
}

/**
 * Compares two policies problem by problem, which sees smaller differences than two separate intervals do.
 * The interval: percentile bootstrap over problems. The p-value: McNemar's test in its exact form (Q. McNemar, Psychometrika 12
 * (1947) 153–157): under equal accuracy the problems that only one policy gets right fall to either with probability 1/2. Where
 * a problem has several samples there is no right or wrong but a share; then each problem's difference is given either sign with
 * probability 1/2 (R. A. Fisher's randomisation test, seeded draws).
 * @param a right or wrong of policy a on each problem, or the share of its samples that are right; `b` the same problems in
 * the same order
 * @param options.draws bootstrap samples; 2000 unless told otherwise
 * @throws LabError when the lists differ in length or are empty
 */
export function pairedDifference(
  a: readonly (boolean | number)[],
  b: readonly (boolean | number)[],
  options: { seed?: number; draws?: number } = {},
): PairedDifference {
  const n = a.length;
  if (n === 0 || b.length !== n) {
    throw fault("pairedDifference", "the two lists are not of the same problems", {
      got: { a: n, b: b.length },
      expected: "equal lengths of at least 1",
    });
  }
  const { seed = 0, draws } = options;
  const steps = a.map((right, i) => Number(b[i]) - Number(right));
  const onlyA = steps.filter((step) => step < 0).length;
  const onlyB = steps.filter((step) => step > 0).length;
  const binary = [...a, ...b].every((value) => Number(value) === 0 || Number(value) === 1);
  return {
    n,
    difference: steps.reduce((sum, step) => sum + step, 0) / n,
    ...bootstrapMean(steps, { seed: `paired-difference/${seed}`, draws }),
    ...{ onlyA, onlyB },
    ...(binary
      ? { p: mcnemar(onlyA, onlyB), test: "McNemar" as const }
      : { p: signFlip(steps, seed), test: "sign flip" as const }),
  };
}

/** McNemar's exact two-sided p-value from the two counts of discordant pairs. */
export function mcnemar(onlyA: number, onlyB: number): number {
  const n = onlyA + onlyB;
  // Terms of the binomial sum through logarithms: 2^-n is below the smallest double from n = 1075 on.
  let logTerm = -n * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= Math.min(onlyA, onlyB); k++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}

/** Draws of the randomisation test; the smallest p-value it can give is one of so many. */
const FLIPS = 10_000;

function signFlip(steps: readonly number[], seed: number): number {
  const random = createRandom(`sign-flip/${seed}`);
  const moved = steps.filter((step) => step !== 0);
  const observed = Math.abs(moved.reduce((sum, step) => sum + step, 0));
  let asFar = 1;
  for (let draw = 0; draw < FLIPS; draw++) {
    let sum = 0;
    for (const step of moved) sum += random.next() < 0.5 ? step : -step;
    if (Math.abs(sum) >= observed - 1e-9) asFar++;
  }
  return asFar / (FLIPS + 1);
}

/** Quantiles of the normal distribution: for a two-sided 5 % test, and for what the test is to find. */
const Z_TEST = 1.959963984540054;
const Z_POWER = { 0.8: 0.8416212335729143, 0.9: 1.2815515655446004 } as const;

/**
 * How many problems a paired comparison needs to find a difference with the given power, at 5 % two-sided
 * (R. J. Connor, Biometrics 43 (1987) 207–211, equation for McNemar's test).
 * @param options.difference of the two accuracies, as a fraction
 * @param options.discordant share of the problems that only one of the two gets right, e.g. as measured on a part
 * @throws LabError unless 0 < |difference| <= discordant <= 1: nothing else is possible
 */
export function problemsNeeded({
  difference,
  discordant,
  power = 0.8,
}: {
  difference: number;
  discordant: number;
  power?: keyof typeof Z_POWER;
}): number {
  const delta = Math.abs(difference);
  if (!(delta > 0 && delta <= discordant && discordant <= 1)) {
    throw fault("problemsNeeded", "impossible shares", {
      got: { difference, discordant },
      expected: "0 < |difference| <= discordant <= 1",
    });
  }
  const root =
    Z_TEST * Math.sqrt(discordant) + Z_POWER[power] * Math.sqrt(discordant - delta * delta);
  return Math.ceil((root * root) / (delta * delta));
}
