/** What several samples a problem say: pass@k, maj@k and mean@k, each an average over problems. */

/** One sample: what was compared, and whether it is right. */
export interface Vote {
  prediction: string | null;
  correct: boolean;
}

export interface AtK {
  k: number;
  /** At least one of k is right; unbiased from all samples. */
  pass: number;
  /** The most frequent prediction of the first k is right. */
  maj: number;
  /** Share of right ones among the first k. */
  mean: number;
}

/** For k = 1, 2, 4, … and the number of samples. @param problems as many votes each, at least one */
export function atK(problems: readonly (readonly Vote[])[]): AtK[] {
  const most = Math.min(...problems.map(({ length }) => length));
  const ks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].filter((k) => k < most);
  return [...ks, most].map((k) => ({
    k,
    pass: average(problems, (votes) => passAtK(votes.length, rightOf(votes), k)),
    maj: average(problems, (votes) => Number(majority(votes.slice(0, k)))),
    mean: average(problems, (votes) => rightOf(votes.slice(0, k)) / k),
  }));
}

/**
 * The chance that k of n samples, drawn without replacement, hold one of the c right ones: 1 − C(n−c, k) / C(n, k), the unbiased
 * estimator of M. Chen et al. (arXiv 2107.03374, equation 1), as a product that does not overflow.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (n - c < k) return 1;
  let none = 1;
  for (let i = n - c + 1; i <= n; i++) none *= 1 - k / i;
  return 1 - none;
}

/** Whether the most frequent prediction is right; of equally frequent ones the first. Samples without one do not vote. */
export function majority(votes: readonly Vote[]): boolean {
  const counts = new Map<string, { count: number; correct: boolean }>();
  for (const { prediction, correct } of votes) {
    if (prediction === null) continue;
    const known = counts.get(prediction) ?? { count: 0, correct };
    counts.set(prediction, { ...known, count: known.count + 1 });
  }
  let leader = { count: 0, correct: false };
  for (const each of counts.values()) if (each.count > leader.count) leader = each;
  return leader.correct;
}

const rightOf = (votes: readonly Vote[]): number => votes.filter(({ correct }) => correct).length;

function average<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0) / items.length;
}
