/** What became of each token of a rollout: which part of the response it is, its ratio, and what the update did with it. */
import { parseResponse } from "../reflection/template";
import type { RolloutRow } from "../train/rollouts";
import type { Response } from "../types";

/** How a loss clips, as a run's `spec.json` has it under `grpo`. */
export interface ClipRule {
  /** In `gspo` all tokens of a response have the ratio of the whole; `cispo` stops no token. */
  loss: string;
  clipLow: number;
  clipHigh: number;
}

export type TokenPart = keyof Response["spans"] | "tag";

export interface TokenCell {
  id: number;
  /** Empty for a special token, such as the one that ends the turn. */
  text: string;
  /** `tag` is everything outside the parts. */
  part: TokenPart;
  /** Log-probabilities before the step's updates and as the loss saw them; `null` where they are no numbers. */
  old: number | null;
  current: number | null;
  /** What the loss multiplied the advantage with; 1 in the step's first minibatch. */
  ratio: number;
  /** Beyond which end of the range the loss stopped its gradient. */
  clipped: "low" | "high" | null;
  /** The loss did not look at it. */
  masked: boolean;
  advantage: number;
  /** Where the update pushed it: up (1), down (−1), or not at all, because it was clipped, masked or had no advantage. */
  push: -1 | 0 | 1;
}

/**
 * The tokens of a rollout. Clipping is PPO's (arXiv 1707.06347, eq 7): a ratio below `1 − clipLow` of a token with a negative
 * advantage, or above `1 + clipHigh` of one with a positive advantage.
 */
export function tokenCells(
  { text, truncated, advantage, tokens }: RolloutRow,
  { loss, clipLow, clipHigh }: ClipRule,
): TokenCell[] {
  const { ids, ends, old, current, mask } = tokens;
  const { spans } = parseResponse(text, { truncated });
  const logRatios = ids.map((_id, t) => (current[t] ?? NaN) - (old[t] ?? NaN));
  const counts = (t: number): boolean => mask?.[t] !== 0;
  const whole = logRatios.filter((_ratio, t) => counts(t));
  const sequence = whole.reduce((sum, value) => sum + value, 0) / whole.length;
  return ids.map((id, t): TokenCell => {
    const start = t === 0 ? 0 : ends[t - 1];
    const ratio = Math.exp(loss === "gspo" ? sequence : logRatios[t]);
    const clipped = loss === "cispo" ? null : clippedSide(ratio, advantage, clipLow, clipHigh);
    const masked = !counts(t);
    return {
      id,
      text: text.slice(start, ends[t]),
      part: partOf(spans, start, ends[t]),
      old: old[t],
      current: current[t],
      ratio,
      clipped,
      masked,
      advantage,
      push: masked || clipped !== null ? 0 : (Math.sign(advantage) as TokenCell["push"]),
    };
  });
}

function clippedSide(
  ratio: number,
  advantage: number,
  clipLow: number,
  clipHigh: number,
): TokenCell["clipped"] {
  if (advantage < 0 && ratio < 1 - clipLow) return "low";
  if (advantage > 0 && ratio > 1 + clipHigh) return "high";
  return null;
}

/** The part that most of the token's characters lie in: a token may begin in a tag and end in a think. */
function partOf(spans: Response["spans"], start: number, end: number): TokenPart {
  let [best, most] = ["tag" as TokenPart, 0];
  for (const [part, span] of Object.entries(spans)) {
    const shared = Math.min(end, span.end) - Math.max(start, span.start);
    if (shared > most && 2 * shared >= end - start) [best, most] = [part as TokenPart, shared];
  }
  return best;
}
