/** One token a row from logits in plain memory: the same draw as `policy/generate.ts` makes on tensors. */
import type { DrawnTokens } from "../../policy/sampling";

/** Logits by row; row `i` of a draw reads `data[from(i)·V …]`. */
export interface LogitRows {
  data: Float32Array;
  /** Vocabulary (V). */
  size: number;
  from: (row: number) => number;
}

/**
 * The token is the inverse of the cumulative distribution at the row's uniform number: as many shares as lie, summed up,
 * at or below it. Sums are taken in double precision; against single-precision sums a token can differ only where a
 * number falls within their rounding (about 1e-7) of a boundary.
 * @param uniforms one number in [0, 1) a row; absent, the most likely token is taken
 * @param temperature above 0 when sampling
 */
export function drawTokens(
  { data, size, from }: LogitRows,
  rows: number,
  temperature: number,
  uniforms?: Float32Array,
): DrawnTokens {
  const ids = new Int32Array(rows);
  const logprobs = new Float64Array(rows);
  const entropies = new Float64Array(rows);
  const shares = new Float64Array(size);
  for (let row = 0; row < rows; row++) {
    const scores = data.subarray(from(row) * size, (from(row) + 1) * size);
    let best = 0;
    for (let v = 1; v < size; v++) if (scores[v] > scores[best]) best = v;
    const top = scores[best];
    let total = 0;
    let moment = 0;
    for (let v = 0; v < size; v++) {
      const below = scores[v] - top;
      const share = Math.exp(below);
      shares[v] = share;
      total += share;
      moment += share * below;
    }
    const logTotal = Math.log(total);
    entropies[row] = logTotal - moment / total;
    ids[row] = best;
    if (uniforms !== undefined) {
      if (temperature !== 1) {
        total = 0;
        for (let v = 0; v < size; v++) {
          shares[v] = Math.exp((scores[v] - top) / temperature);
          total += shares[v];
        }
      }
      ids[row] = inverse(shares, uniforms[row] * total);
    }
    logprobs[row] = scores[ids[row]] - top - logTotal;
  }
  return { ids, logprobs, entropies };
}

/**
 * The first share at which the sum exceeds `level`. As `level` lies below the sum of all, taken in the same order, the
 * last one is reached only if its own share lifts the sum above it.
 */
function inverse(shares: Float64Array, level: number): number {
  let sum = 0;
  for (let v = 0; v < shares.length - 1; v++) {
    sum += shares[v];
    if (sum > level) return v;
  }
  return shares.length - 1;
}
