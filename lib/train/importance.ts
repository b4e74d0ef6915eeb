/**
 * Importance correction where the engine that sampled gives a token another probability than the trainer does: other
 * kernels, another precision, weights that came late. The loss of each token is multiplied by a bounded ratio
 * π_trainer(old) / π_sampler.
 */
import type { ImportanceConfig } from "./objective";

/** Log-probabilities of the same tokens by who samples and by who trains, `[n]`, completion after completion. */
export interface Disagreement {
  /** Under the engine that sampled. */
  sampler: Float32Array;
  /** Under the trainer before its update. */
  trainer: Float32Array;
  /** 1 where a token counts. */
  mask: Float32Array;
  /** Tokens of each completion. */
  lengths: readonly number[];
}

/**
 * Truncated importance sampling (`*_truncate`: beyond the bounds the ratio is the bound; Yao et al.,
 * fengyao.notion.site/off-policy-rl) and masked (`*_mask`: beyond the bounds it is 0; IcePop, arXiv 2510.18855), by token or
 * by the product over a completion.
 * The rules are those of TRL's `vllm_importance_sampling_mode`.
 * @returns the ratio of each token `[n]`, in `sequence_*` modes the same for all tokens of a completion; all 1 for `none`
 */
export function importanceRatios(
  { sampler, trainer, mask, lengths }: Disagreement,
  { importanceSampling, importanceMin, importanceMax }: ImportanceConfig,
): Float32Array {
  const ratios = new Float32Array(sampler.length).fill(1);
  if (importanceSampling === "none") return ratios;
  const bySequence = importanceSampling.startsWith("sequence");
  const bounded = (ratio: number): number => {
    if (importanceSampling.endsWith("truncate")) {
      return Math.min(Math.max(ratio, importanceMin), importanceMax);
    }
    return ratio < importanceMin || ratio > importanceMax ? 0 : ratio;
  };
  const difference = (i: number): number => (mask[i] === 0 ? 0 : trainer[i] - sampler[i]);
  let at = 0;
  for (const length of lengths) {
    const end = at + length;
    let sum = 0;
    for (let i = at; i < end; i++) {
      sum += difference(i);
      ratios[i] = bounded(Math.exp(difference(i)));
    }
    if (bySequence) ratios.fill(bounded(Math.exp(sum)), at, end);
    at = end;
  }
  return ratios;
}
