/** A policy: its architecture, its parameters, and the steps that every caller shares. */
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { predictionIndices, recurringSize, type GroupedBatch } from "./batch";
import type { PolicyConfig } from "./config";
import { decode, decoderEnds, logits, type DecoderEnds } from "./decoder";
import { chosenLogprobs, headLogprobs, rowEntropies } from "./head";
import { lookUp, rmsNorm } from "./layers";
import { recordedLogprobs, type RecordedBatch } from "./tape";
import type { Weights } from "./weights";

export interface Policy {
  config: PolicyConfig;
  weights: Weights;
  /** Whether gradients compute each layer of the decoder again instead of keeping what it computed; less memory, more time. */
  gradientCheckpointing?: boolean;
}

/**
 * Log-probabilities of all completion tokens of a batch, differentiable in the weights.
 * @param images merged image tokens `[sum, D]` @param recorded the batch's forward pass, where a rollout has made it
 * @returns `[n]`, n the sum of completion lengths, in the order of {@link predictionIndices}
 */
export function completionLogprobs(
  policy: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  recorded?: RecordedBatch,
): Tensor1D {
  return tokenLogprobs(policy, batch, images, predictionIndices(batch), recorded);
}

/**
 * The same, with the entropy of the distribution that each token was drawn from, in nats. Both are differentiable.
 * @returns `[n]` each
 */
export function completionScores(
  policy: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
): { logprobs: Tensor1D; entropies: Tensor1D } {
  const { source, target } = predictionIndices(batch);
  return tf.tidy(() => {
    const { ends, states, padded } = sourceStates(policy, batch, images, { source, target });
    const scores = logits(ends, policy.config.decoder, states);
    const n = source.length;
    return {
      logprobs: chosenLogprobs(scores, padded).slice<Tensor1D>([0], [n]),
      entropies: rowEntropies(scores).slice<Tensor1D>([0], [n]),
    };
  });
}

/**
 * Log-probabilities that chosen tokens of a batch give to what is to follow them, differentiable in the weights.
 * @param source which of the batch's tokens predict `[n]` @param target what they are to predict `[n]` @returns `[n]`
 */
export function tokenLogprobs(
  policy: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  indices: { source: Int32Array; target: Int32Array },
  recorded?: RecordedBatch,
): Tensor1D {
  return tf.tidy(() => {
    const { ends, states, padded } = sourceStates(policy, batch, images, indices, recorded);
    const normed = rmsNorm(states, ends.norm, policy.config.decoder.rmsNormEps);
    const known = recorded && new Float32Array(padded.length);
    if (recorded !== undefined) known?.set(recordedLogprobs(recorded));
    const frozen = policy.weights.adapters !== undefined;
    return headLogprobs(normed, ends.head, padded, { known, frozen }).slice([0], [indices.source.length]); // prettier-ignore
  });
}

/** Hidden states `[N, D]` of the source tokens, N ≥ n a size that comes again; `padded` is the target for each of the N. */
function sourceStates(
  { config, weights, gradientCheckpointing: recompute }: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  { source, target }: { source: Int32Array; target: Int32Array },
  recorded?: RecordedBatch,
): { ends: DecoderEnds; states: Tensor2D; padded: Int32Array } {
  const hidden = decode(weights, config.decoder, batch, images, { recorded, recompute });
  const [from, padded] = [source, target].map((ids) => {
    const out = new Int32Array(recurringSize(source.length));
    out.set(ids);
    return out;
  });
  const ends = decoderEnds(weights, config.decoder);
  return { ends, states: lookUp(hidden, from), padded };
}
