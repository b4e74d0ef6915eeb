/**
 * The losses of the GRPO family, to be minimised. They differ in three places, and each place is a function here: the
 * ratio (a token's, or in GSPO the sequence's), the gain (clipped, or in CISPO weighted), and the weights of the tokens
 * (`weights.ts`). Advantages come from `advantages.ts`.
 */
import type { Scalar, Tensor, Tensor1D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { klPerToken } from "./kl";
import type { LossConfig } from "./objective";

/** The tokens of one piece of a batch, completion after completion; every array is `[n]`. */
export interface TokenTerms {
  /** Tokens of each completion; their sum is n. */
  lengths: readonly number[];
  /** Log-probabilities under the policy before this batch's updates. */
  oldLogprobs: Float32Array;
  /** Advantage of the completion that the token belongs to. */
  advantages: Float32Array;
  /** Weight of the token in the loss, from `lossWeights`; 0 masks it everywhere. */
  weights: Float32Array;
  /** Log-probabilities under the frozen reference; needed for a KL in the loss. */
  refLogprobs?: Float32Array;
  /** Importance ratios, from `importanceRatios`; all 1 by default. */
  importance?: Float32Array;
  /** Weight of the token in the mean entropy; needed for an entropy bonus. */
  entropyWeights?: Float32Array;
}

/** What the policy says of the tokens, `[n]` each, differentiable. */
export interface PolicyScores {
  logprobs: Tensor1D;
  /** Entropy of the distribution that the token was drawn from, in nats; needed for an entropy bonus. */
  entropies?: Tensor1D;
}

/**
 * `−Σ w · c · gain + β Σ w · KL − entropyCoef · H`, with the weights w of the loss, the importance ratios c, and H the mean
 * entropy per token.
 * @throws LabError when the KL lacks the reference, or the entropy bonus the entropies
 */
export function policyLoss(
  { logprobs, entropies }: PolicyScores,
  terms: TokenTerms,
  config: LossConfig,
): Scalar {
  const { loss, beta, kl, klIn, klCorrection, entropyCoef } = config;
  const weights = tf.tensor1d(terms.weights);
  const advantages = tf.tensor1d(terms.advantages);
  const logRatio = logprobs.sub<Tensor1D>(tf.tensor1d(terms.oldLogprobs));
  const ratio = loss === "gspo" ? sequenceRatio(logRatio, terms) : logRatio.exp();
  const gain =
    loss === "cispo"
      ? cispoGain({ ratio, advantages, logprobs }, config)
      : clippedGain({ ratio, advantages }, config);
  const corrected = terms.importance === undefined ? gain : gain.mul(tf.tensor1d(terms.importance));
  let total: Scalar = corrected.mul(weights).sum<Scalar>().neg();
  if (beta !== 0 && klIn === "loss") {
    const refLogprobs = needed(terms.refLogprobs, "a KL penalty", "refLogprobs");
    const distance = klPerToken(tf.tensor1d(refLogprobs).sub(logprobs), kl);
    const penalty = klCorrection ? distance.mul(ratio) : distance;
    total = total.add(penalty.mul(weights).sum().mul(beta));
  }
  if (entropyCoef !== 0) {
    const shares = tf.tensor1d(needed(terms.entropyWeights, "an entropy bonus", "entropyWeights"));
    const entropy = needed(entropies, "an entropy bonus", "entropies").mul(shares).sum();
    total = total.sub(entropy.mul(entropyCoef));
  }
  return total;
}

/** PPO's clipped surrogate (arXiv 1707.06347, eq 7; SRPO eq 2; DAPO's clip-higher, 2503.14476, eq 10), to be maximised. */
export function clippedGain(
  { ratio, advantages }: { ratio: Tensor1D; advantages: Tensor1D },
  { clipLow, clipHigh }: Pick<LossConfig, "clipLow" | "clipHigh">,
): Tensor1D {
  const clipped = ratio.clipByValue(1 - clipLow, 1 + clipHigh);
  return tf.minimum(ratio.mul(advantages), clipped.mul(advantages));
}

/**
 * CISPO (MiniMax-M1, 2506.13585, eqs 4 and 5; with one upper bound as in ScaleRL, 2510.13786): the bounded ratio is a weight
 * that no gradient flows through, so that no token is ever left out.
 */
export function cispoGain(
  { ratio, advantages, logprobs }: Record<"ratio" | "advantages" | "logprobs", Tensor1D>,
  { cispoMax }: Pick<LossConfig, "cispoMax">,
): Tensor1D {
  return constant(ratio.minimum(cispoMax)).mul(advantages).mul(logprobs);
}

/**
 * GSPO's ratio of whole sequences (2507.18071, eq 7), `exp(1/|o| Σ_t log ratio)`, given to each of their tokens.
 * @param logRatio `[n]` @returns `[n]`
 */
export function sequenceRatio(
  logRatio: Tensor1D,
  terms: Pick<TokenTerms, "lengths" | "weights">,
): Tensor1D {
  const { row, share } = sharesOfSequence(terms);
  const rows = tf.tensor1d(row, "int32");
  const parts = logRatio.mul<Tensor1D>(tf.tensor1d(share));
  return tf.unsortedSegmentSum(parts, rows, terms.lengths.length).gather(rows).exp() as Tensor1D;
}

/** The completion that each token belongs to, and the token's share in the mean over those of it that count. */
export function sharesOfSequence({ lengths, weights }: Pick<TokenTerms, "lengths" | "weights">): {
  row: Int32Array;
  share: Float32Array;
} {
  const row = new Int32Array(weights.length);
  const share = new Float32Array(weights.length);
  let at = 0;
  lengths.forEach((length, r) => {
    const own = weights.subarray(at, at + length);
    // Within a completion weights differ only by what is masked.
    const sum = own.reduce((a, b) => a + b, 0);
    if (sum !== 0) own.forEach((weight, t) => (share[at + t] = weight / sum));
    row.fill(r, at, at + length);
    at += length;
  });
  return { row, share };
}

/** The same values, through which no gradient flows. */
function constant(x: Tensor1D): Tensor1D {
  const detached = tf.customGrad((input) => ({
    value: (input as Tensor).clone(),
    gradFunc: (dy: Tensor) => tf.zerosLike(dy),
  }));
  return detached(x) as Tensor1D;
}

function needed<T>(value: T | undefined, by: string, what: string): T {
  if (value !== undefined) return value;
  throw fault("policyLoss", `${by} needs ${what}`, {
    got: "none",
    try: `${what} from the policy's forward pass, or the coefficient 0`,
  });
}
