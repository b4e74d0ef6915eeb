/**
 * How the losses of tokens become one number: each loss of the family is a weighted sum over tokens, and here are the
 * weights. What they divide by belongs to the whole batch of an optimiser step, so that the gradients of its micro-batches
 * simply add up, however it is cut.
 */
import type { LossName } from "./objective";

/** What the weights of an optimiser step divide by. */
export interface BatchSize {
  /** Completions of the optimiser step, those included of which no token counts. */
  sequences: number;
  /** Tokens of the optimiser step that count. */
  tokens: number;
  /** Tokens that count of the whole batch of rollouts, divided by the optimiser steps that are made of it. */
  tokensPerStep: number;
  /** The token limit of a completion. */
  maxNewTokens: number;
}

/** @param masks of every completion of the optimiser step @param rollouts of every completion of the whole batch */
export function batchSize(
  masks: readonly Float32Array[],
  {
    rollouts,
    steps,
    maxNewTokens,
  }: { rollouts: readonly Float32Array[]; steps: number; maxNewTokens: number },
): BatchSize {
  return {
    sequences: masks.length,
    tokens: countTokens(masks),
    tokensPerStep: countTokens(rollouts) / steps,
    maxNewTokens,
  };
}

/**
 * The weight of each token.
 *
 * - `grpo`, `gspo`: `1/N Σ_i 1/|o_i| Σ_t`, a mean within each completion, then over completions (DeepSeekMath,
 *   2402.03300, eq 3; SRPO eq 2; GSPO, 2507.18071, eq 5)
 * - `dr_grpo`: `1/(N · L_max) Σ_i Σ_t`, a constant, so that a long wrong answer is not cheaper by the token than a short
 *   one (2503.20783, section 3.2, with TRL's constant)
 * - `bnpo`: `1/Σ|o_i| Σ_i Σ_t` over the optimiser step (TRL's `bnpo`)
 * - `dapo`, `cispo`: the same over the whole batch of rollouts (DAPO, 2503.14476, eq 8; CISPO, 2506.13585, eq 4)
 *
 * @param masks one a completion `[length]`: 1 where a token counts, 0 where it does not
 * @returns `[n]`, completion after completion; 0 where a token does not count
 */
export function lossWeights(
  loss: LossName,
  masks: readonly Float32Array[],
  { sequences, tokens, tokensPerStep, maxNewTokens }: BatchSize,
): Float32Array {
  const divisor = (mask: Float32Array): number => {
    if (loss === "dr_grpo") return sequences * maxNewTokens;
    if (loss === "bnpo") return Math.max(1, tokens);
    if (loss === "dapo" || loss === "cispo") return Math.max(1, tokensPerStep);
    return Math.max(1, countTokens([mask])) * sequences;
  };
  const weights = new Float32Array(masks.reduce((sum, mask) => sum + mask.length, 0));
  let at = 0;
  for (const mask of masks) {
    const by = divisor(mask);
    mask.forEach((counts, t) => (weights[at + t] = counts / by));
    at += mask.length;
  }
  return weights;
}

function countTokens(masks: readonly Float32Array[]): number {
  return masks.reduce((sum, mask) => mask.reduce((a, b) => a + b, sum), 0);
}
