/** Two models on the same problems: the paired difference, and how many problems it takes to see such a one. */
import { fault } from "../engine/errors";
import { pairedDifference, problemsNeeded, type PairedDifference } from "./paired";
import type { BenchResults } from "./results";

export interface BenchComparison extends PairedDifference {
  title: string;
  a: { name: string; accuracy: number };
  b: { name: string; accuracy: number };
  /** Problems that only one of the two results has; they are left out. */
  unshared: number;
  /** What differs between the two beside the model, and so may be what is seen. */
  caveats: string[];
  /** Problems that a difference of so many points takes, at the share of problems on which these two disagree (80 % power). */
  needed: { points: number; problems: number }[];
}

/** Differences that people ask about, in points. */
const POINTS = [1, 2, 5, 10];

/**
 * @param options.points more differences to say the number of problems for
 * @throws LabError when the results are of different benchmarks or share no problem
 */
export function compareResults(
  a: BenchResults,
  b: BenchResults,
  { points = POINTS, seed }: { points?: readonly number[]; seed?: number } = {},
): BenchComparison {
  if (a.spec.benchmark !== b.spec.benchmark) {
    throw fault("compareResults", "these are results of different benchmarks", {
      got: { a: a.spec.benchmark, b: b.spec.benchmark },
    });
  }
  const others = new Map(b.problems.map(({ id, correct }) => [id, correct]));
  const shared = a.problems.filter(({ id }) => others.has(id));
  if (shared.length === 0) throw fault("compareResults", "the two results share no problem");
  const [left, right] = [
    shared.map(({ correct }) => correct),
    shared.map(({ id }) => others.get(id) as number),
  ];
  const paired = pairedDifference(left, right, { seed });
  const discordant = (paired.onlyA + paired.onlyB) / paired.n;
  const observed = Math.abs(100 * paired.difference);
  const asked = [...new Set([...points, ...(observed > 0 ? [observed] : [])])].sort(
    (x, y) => x - y,
  );
  return {
    title: a.title,
    a: { name: a.spec.model.name, accuracy: mean(left) },
    b: { name: b.spec.model.name, accuracy: mean(right) },
    ...paired,
    unshared: a.problems.length + b.problems.length - 2 * shared.length,
    caveats: caveatsOf(a, b),
    needed: asked
      .filter((point) => point / 100 <= discordant)
      .map((point) => ({
        points: point,
        problems: problemsNeeded({ difference: point / 100, discordant }),
      })),
  };
}

function caveatsOf(a: BenchResults, b: BenchResults): string[] {
  const differs = (what: string, x: unknown, y: unknown): string[] => {
    const [one, other] = [JSON.stringify(x), JSON.stringify(y)];
    return one === other ? [] : [`${what}: ${one} and ${other}`];
  };
  return [
    ...differs("rules", a.spec.rules, b.spec.rules),
    ...differs("answer that counts", a.spec.answer, b.spec.answer),
    ...differs("judge", a.spec.judge?.model ?? null, b.spec.judge?.model ?? null),
    ...differs("samples a problem", a.spec.samples, b.spec.samples),
    ...differs("prompt and sampling", a.spec.sampling, b.spec.sampling),
    ...differs("version", a.versions["srpo-lab"], b.versions["srpo-lab"]),
  ];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
