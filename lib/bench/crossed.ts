/**
 * Rates and differences of several trainings (seeds) on the same problems, with 95 % intervals that count both: other seeds
 * and other problems might have been drawn. Seeds and problems are crossed, every seed answers every problem, so the bootstrap
 * draws both, independently (the pigeonhole bootstrap: A. B. Owen, Annals of Applied Statistics 1 (2007) 386–411; it errs on the
 * wide side). With three seeds that is a rough account of the seeds; their own values and the t interval stand beside it.
 */
import { fault } from "../engine/errors";
import { createRandom } from "../engine/random";
import { quantile, wilson } from "./report";

/** What a seed did on a problem: `hits` of `of`, e.g. right samples of all; a difference of two rates has signed hits. */
export interface Cell {
  hits: number;
  of: number;
}

export interface CrossedRate {
  /** All hits over all that could be. `NaN` where there is nothing to hit, with the interval [NaN, NaN]. */
  value: number;
  /** 95 %, over seeds and problems. */
  low: number;
  high: number;
  /** Problems that have something to hit, and what they have over all seeds. */
  problems: number;
  of: number;
  /** Each seed's own value. */
  seeds: number[];
}

export interface CrossedOptions {
  seed?: string | number;
  /** Bootstrap samples; 2000 unless told otherwise. */
  draws?: number;
  /** Whether hits are counts among `of`; then the interval of none or all is Wilson's over the problems. */
  rate?: boolean;
}

const DRAWS = 2000;

/**
 * @param cells `[seeds][problems]`, the same problems in the same order for all seeds
 * @throws LabError when there are none, or not as many problems for each seed
 */
export function crossedRate(
  cells: readonly (readonly Cell[])[],
  { seed = 0, draws = DRAWS, rate = true }: CrossedOptions = {},
): CrossedRate {
  const count = cells[0]?.length ?? 0;
  if (count === 0 || cells.some((row) => row.length !== count)) {
    throw fault("crossedRate", "the seeds have not the same problems", {
      got: cells.map((row) => row.length),
      expected: "equal numbers of at least 1",
    });
  }
  const sums = cells.map((row) => total(row));
  const random = createRandom(`crossed/${seed}`);
  const values: number[] = [];
  const [hits, of] = [new Float64Array(cells.length), new Float64Array(cells.length)];
  for (let draw = 0; draw < draws; draw++) {
    hits.fill(0);
    of.fill(0);
    for (let i = 0; i < count; i++) {
      const at = random.int(0, count - 1);
      for (let s = 0; s < cells.length; s++) {
        hits[s] += cells[s][at].hits;
        of[s] += cells[s][at].of;
      }
    }
    let [up, down] = [0, 0];
    for (let s = 0; s < cells.length; s++) {
      const at = random.int(0, cells.length - 1);
      up += hits[at];
      down += of[at];
    }
    if (down > 0) values.push(up / down);
  }
  values.sort((a, b) => a - b);
  const all = total(sums);
  const problems = cells[0].filter((_, i) => cells.some((row) => row[i].of > 0)).length;
  return {
    value: all.hits / all.of,
    low: values.length === 0 ? NaN : quantile(values, 0.025),
    high: values.length === 0 ? NaN : quantile(values, 0.975),
    problems,
    of: all.of,
    seeds: sums.map((sum) => sum.hits / sum.of),
    // Where all is right or nothing, a bootstrap is sure of it; nobody should be.
    ...(rate && problems > 0 && [0, all.of].includes(all.hits)
      ? ends(wilson(all.hits === 0 ? 0 : problems, problems))
      : {}),
  };
}

function ends({ low, high }: { low: number; high: number }): { low: number; high: number } {
  return { low, high };
}

function total(cells: readonly Cell[]): Cell {
  return {
    hits: cells.reduce((sum, { hits }) => sum + hits, 0),
    of: cells.reduce((sum, { of }) => sum + of, 0),
  };
}

/**
 * b less a on the same seeds and problems, each pair of cells as the difference of its two rates.
 * @throws LabError when the two differ in seeds or problems
 */
export function crossedDifference(
  a: readonly (readonly Cell[])[],
  b: readonly (readonly Cell[])[],
  options: Omit<CrossedOptions, "rate"> = {},
): CrossedRate {
  if (a.length !== b.length || a.some((row, s) => row.length !== b[s].length)) {
    throw fault("crossedDifference", "the two are not of the same seeds and problems", {
      got: { a: a.map((row) => row.length), b: b.map((row) => row.length) },
    });
  }
  const steps = a.map((row, s) =>
    row.map((cell, i): Cell => {
      const other = b[s][i];
      if (cell.of === 0 || other.of === 0) return { hits: 0, of: 0 };
      return { hits: other.hits / other.of - cell.hits / cell.of, of: 1 };
    }),
  );
  return crossedRate(steps, { ...options, rate: false });
}

/** Student's t, 97.5 % quantile for 1, 2, … degrees of freedom (`scipy.stats.t.ppf(0.975, df)`). */
const T975 = [
  ...[12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934],
  ...[2.570581835636314, 2.446911851144969, 2.364624251592784, 2.306004135204166],
  ...[2.2621571628540993, 2.2281388519649385, 2.2009851600829457, 2.1788128296634177],
  ...[2.1603686564610127, 2.1447866879169273, 2.131449545559323],
];

/**
 * The 95 % t interval of a mean over seeds, for these problems: of three values it is wide, as it should be.
 * @returns both ends infinite for a single seed
 * @throws LabError for more than 16 seeds
 */
export function seedInterval(values: readonly number[]): {
  mean: number;
  low: number;
  high: number;
} {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: -Infinity, high: Infinity };
  const t = T975[n - 2] as number | undefined;
  if (t === undefined) {
    throw fault("seedInterval", "too many seeds for the table", { got: n, expected: "at most 16" });
  }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = t * Math.sqrt(squares / (n - 1) / n);
  return { mean, low: mean - half, high: mean + half };
}
