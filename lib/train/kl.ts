/**
 * Estimates of KL(π ‖ π_ref) from single tokens that π sampled (Schulman, joschu.net/blog/kl-approx.html), with
 * δ = log π_ref − log π:
 *
 *     k1 = −δ               unbiased, of either sign
 *     k2 = δ² / 2           biased, never below 0; its gradient is that of the KL on samples of π
 *     k3 = e^δ − δ − 1      unbiased, never below 0
 *
 * In a loss it is the estimate that is differentiated. On average over samples of π the gradient of k1 is 0, which holds
 * nothing back, and that of k3 is the gradient of KL(π_ref ‖ π); k2, or any of them times the ratio (`klCorrection`), has
 * the gradient of KL(π ‖ π_ref). In a reward only the value counts, and k1 is right.
 */
import type { Tensor1D } from "@tensorflow/tfjs";
import type { KlEstimate } from "./objective";

/** @param delta log π_ref − log π of each token `[n]`, differentiable @returns `[n]` */
export function klPerToken(delta: Tensor1D, estimate: KlEstimate): Tensor1D {
  if (estimate === "k1") return delta.neg();
  if (estimate === "k2") return delta.square().mul(0.5);
  return delta.exp().sub(delta).sub(1);
}

/** The same for one token's plain number. */
export function klOfToken(delta: number, estimate: KlEstimate): number {
  if (estimate === "k1") return -delta;
  if (estimate === "k2") return delta ** 2 / 2;
  return Math.exp(delta) - 1 - delta;
}

/**
 * A completion's KL, the sum over its tokens: what `klIn: "reward"` takes off the reward, times β (RLOO, 2402.14740,
 * section 2; InstructGPT, 2203.02155, eq 2).
 */
export function sequenceKl(
  logprobs: ArrayLike<number>,
  refLogprobs: ArrayLike<number>,
  estimate: KlEstimate,
): number {
  let sum = 0;
  for (let t = 0; t < logprobs.length; t++) {
    sum += klOfToken(refLogprobs[t] - logprobs[t], estimate);
  }
  return sum;
}
