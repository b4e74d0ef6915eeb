/** What the ratios of an optimiser step were: how often the clip was active, and how far the policy has moved. */
import { klOfToken } from "./kl";
import { sharesOfSequence, type TokenTerms } from "./losses";
import type { LossConfig } from "./objective";

/** Means are over the tokens that count. */
export interface RatioStatistics {
  /**
   * Share of tokens whose gradient the clip stopped, below and above; in GSPO the share of completions; in CISPO, where
   * nothing is stopped, `clipHigh` is the share whose ratio was bounded.
   */
  clipLow: number;
  clipHigh: number;
  /** Least share of a completion's tokens that was clipped below, and largest share that was clipped above. */
  clipLowMin: number;
  clipHighMax: number;
  /** k3 estimate of KL(π_old ‖ π). */
  approxKl: number;
  /** The configured estimate of KL(π ‖ π_ref); 0 without a reference. */
  kl: number;
  /** Mean and largest absolute difference of log-probabilities. */
  meanShift: number;
  maxShift: number;
}

type Tokens = Pick<
  TokenTerms,
  "lengths" | "weights" | "oldLogprobs" | "advantages" | "refLogprobs"
>;

/** @param logprobs `[n]` under the current policy */
export function ratioStatistics(
  logprobs: Float32Array,
  terms: Tokens,
  config: LossConfig,
): RatioStatistics {
  const { oldLogprobs, weights, refLogprobs = logprobs } = terms;
  const n = Math.max(1, weights.filter((weight) => weight !== 0).length);
  const totals = { approxKl: 0, kl: 0, meanShift: 0, maxShift: 0 };
  logprobs.forEach((logprob, i) => {
    if (weights[i] === 0) return;
    const shift = logprob - oldLogprobs[i];
    totals.approxKl += (Math.exp(shift) - 1 - shift) / n;
    totals.kl += klOfToken(refLogprobs[i] - logprob, config.kl) / n;
    totals.meanShift += Math.abs(shift) / n;
    totals.maxShift = Math.max(totals.maxShift, Math.abs(shift));
  });
  return { ...clipShares(logprobs, terms, config), ...totals };
}

function clipShares(
  logprobs: Float32Array,
  { lengths, weights, oldLogprobs, advantages }: Tokens,
  { loss, clipLow, clipHigh, cispoMax }: LossConfig,
): Pick<RatioStatistics, "clipLow" | "clipHigh" | "clipLowMin" | "clipHighMax"> {
  const { row, share } = sharesOfSequence({ lengths, weights });
  const log = Float64Array.from(logprobs, (logprob, i) => logprob - oldLogprobs[i]);
  const means = new Float64Array(lengths.length);
  log.forEach((value, i) => (means[row[i]] += value * share[i]));
  const [low, high] = loss === "cispo" ? [0, cispoMax] : [1 - clipLow, 1 + clipHigh];
  // By completion: the share of its tokens, and by token: how many.
  const shares = lengths.map(() => ({ below: 0, above: 0, counts: false }));
  const tokens = { below: 0, above: 0, count: 0 };
  log.forEach((value, i) => {
    if (weights[i] === 0) return;
    const ratio = Math.exp(loss === "gspo" ? means[row[i]] : value);
    const below = ratio < low && advantages[i] < 0 ? 1 : 0;
    const above = ratio > high && advantages[i] > 0 ? 1 : 0;
    tokens.below += below;
    tokens.above += above;
    tokens.count++;
    const own = shares[row[i]];
    own.below += below * share[i];
    own.above += above * share[i];
    own.counts = true;
  });
  const counted = shares.filter(({ counts }) => counts);
  const sum = (key: "below" | "above"): number => shares.reduce((all, own) => all + own[key], 0);
  const by = Math.max(1, loss === "gspo" ? lengths.length : tokens.count);
  return {
    clipLow: (loss === "gspo" ? sum("below") : tokens.below) / by,
    clipHigh: (loss === "gspo" ? sum("above") : tokens.above) / by,
    clipLowMin: counted.length === 0 ? 0 : Math.min(...counted.map(({ below }) => below)),
    clipHighMax: Math.max(0, ...counted.map(({ above }) => above)),
  };
}
