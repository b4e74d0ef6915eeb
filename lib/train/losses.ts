/** Advantages and losses of the GRPO family, each with its paper and equation. Advantages are plain numbers. */
import type { Scalar, Tensor1D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";

/**
 * Group-relative advantages (DeepSeekMath, arXiv 2402.03300, section 4.1.2; SRPO eq 3): `(r − mean) / std` within the
 * group of one prompt.
 * @param rewards the group's rewards `[G]`
 * @param stdFloor the least divisor. The paper divides by the bare deviation; where a group differs by its length
 * term alone that blows 0.1-sized differences up to full-sized advantages, so the lab sets a floor.
 */
export function groupAdvantages(
  rewards: readonly number[],
  { stdFloor, scale = true }: { stdFloor: number; scale?: boolean },
): number[] {
  const mean = average(rewards);
  if (!scale) return rewards.map((reward) => reward - mean);
  const divisor = Math.max(deviation(rewards), stdFloor, 1e-9);
  return rewards.map((reward) => (reward - mean) / divisor);
}

/** The mean; 0 of nothing. */
export function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

/** Standard deviation with divisor n − 1, as TRL and verl take it; 0 of fewer than two values. */
export function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = average(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}

/** One minibatch's tokens, in the order of `predictionIndices`; every array is `[n]`. */
export interface TokenTerms {
  /** Log-probabilities under the policy that sampled. */
  oldLogprobs: Float32Array;
  /** Advantage of the completion that the token belongs to. */
  advantages: Float32Array;
  /** Weight of the token in the loss; all weights sum to 1 where every sequence counts the same. */
  weights: Float32Array;
  /** Log-probabilities under the frozen reference; needed when `beta` is not 0. */
  refLogprobs?: Float32Array;
}

export interface ClipOptions {
  /** PPO's ε below 1 and above it (they differ in DAPO's "clip higher"). */
  clipLow: number;
  clipHigh: number;
  /** Weight of the k3 estimate of KL(π ‖ π_ref). */
  beta: number;
}

/**
 * Weights that average tokens within a sequence first, then sequences (`1/G Σ 1/|o_i| Σ`, SRPO eq 2).
 * @param lengths tokens of each sequence
 */
export function sequenceMeanWeights(lengths: readonly number[]): Float32Array {
  const weights = new Float32Array(lengths.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const length of lengths) {
    weights.fill(1 / (length * lengths.length), at, at + length);
    at += length;
  }
  return weights;
}

/**
 * The clipped surrogate (PPO, arXiv 1707.06347, eq 7; SRPO eq 2), to be minimised:
 * `−Σ w · min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A) + β Σ w · k3`, with `k3 = e^δ − δ − 1`, `δ = log π_ref − log π`
 * (Schulman, joschu.net/blog/kl-approx.html).
 * @param logprobs `[n]`, differentiable
 * @throws LabError when `beta` is not 0 and there is no reference
 */
export function clippedLoss(logprobs: Tensor1D, terms: TokenTerms, options: ClipOptions): Scalar {
  const { clipLow, clipHigh, beta } = options;
  const weights = tf.tensor1d(terms.weights);
  const advantages = tf.tensor1d(terms.advantages);
  const ratio = logprobs.sub(tf.tensor1d(terms.oldLogprobs)).exp();
  const clipped = ratio.clipByValue(1 - clipLow, 1 + clipHigh);
  const gain = tf.minimum(ratio.mul(advantages), clipped.mul(advantages));
  const loss: Scalar = gain.mul(weights).sum<Scalar>().neg();
  if (beta === 0) return loss;
  if (terms.refLogprobs === undefined) {
    throw fault("clippedLoss", "a KL penalty needs the reference's log-probabilities", {
      got: `beta ${beta} without refLogprobs`,
      try: "score the tokens with the reference policy, or beta 0",
    });
  }
  const delta = tf.tensor1d(terms.refLogprobs).sub(logprobs);
  const k3 = delta.exp().sub(delta).sub(1);
  return loss.add(k3.mul(weights).sum().mul(beta));
}

/** How often the clip was active, below and above, and how far the policy has moved; means over tokens. */
export interface RatioStatistics {
  clipLow: number;
  clipHigh: number;
  /** k3 estimate of KL(π_old ‖ π) over the minibatch's tokens. */
  approxKl: number;
  /** k3 estimate of KL(π ‖ π_ref); 0 without a reference. */
  kl: number;
  /** Largest absolute difference of log-probabilities. */
  maxShift: number;
}

/** @param logprobs `[n]` under the current policy */
export function ratioStatistics(
  logprobs: Float32Array,
  { oldLogprobs, advantages, refLogprobs = logprobs }: TokenTerms,
  { clipLow, clipHigh }: ClipOptions,
): RatioStatistics {
  const n = Math.max(1, logprobs.length);
  const totals: RatioStatistics = { clipLow: 0, clipHigh: 0, approxKl: 0, kl: 0, maxShift: 0 };
  logprobs.forEach((logprob, i) => {
    const shift = logprob - oldLogprobs[i];
    const ratio = Math.exp(shift);
    if (ratio < 1 - clipLow && advantages[i] < 0) totals.clipLow += 1 / n;
    if (ratio > 1 + clipHigh && advantages[i] > 0) totals.clipHigh += 1 / n;
    totals.approxKl += (ratio - 1 - shift) / n;
    const delta = refLogprobs[i] - logprob;
    totals.kl += (Math.exp(delta) - 1 - delta) / n;
    totals.maxShift = Math.max(totals.maxShift, Math.abs(shift));
  });
  return totals;
}
