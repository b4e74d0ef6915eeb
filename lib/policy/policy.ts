/** A policy: its architecture, its parameters, and the steps that every caller shares. */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { predictionIndices, recurringSize, type GroupedBatch } from "./batch";
import type { PolicyConfig } from "./config";
import { decode, fuseDecoder, logits } from "./decoder";
import type { Weights } from "./weights";

export interface Policy {
  config: PolicyConfig;
  weights: Weights;
}

/**
 * Log-probabilities of all completion tokens of a batch, differentiable in the weights.
 * @param images merged image tokens `[sum, D]`
 * @returns `[n]`, n the sum of completion lengths, in the order of {@link predictionIndices}
 */
export function completionLogprobs(
  policy: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
): Tensor1D {
  return tokenLogprobs(policy, batch, images, predictionIndices(batch));
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
    const { scores, padded } = tokenLogits(policy, batch, images, { source, target });
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
): Tensor1D {
  return tf.tidy(() => {
    const { scores, padded } = tokenLogits(policy, batch, images, indices);
    return chosenLogprobs(scores, padded).slice([0], [indices.source.length]);
  });
}

/** Logits `[N, V]` at the source tokens, N ≥ n a size that comes again; `padded` is the target for each of the N. */
function tokenLogits(
  { config, weights }: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  { source, target }: { source: Int32Array; target: Int32Array },
): { scores: Tensor2D; padded: Int32Array } {
  const decoder = fuseDecoder(weights, config.decoder);
  const hidden = decode(decoder, config.decoder, batch, images);
  const [from, padded] = [source, target].map((ids) => {
    const out = new Int32Array(recurringSize(source.length));
    out.set(ids);
    return out;
  });
  const states = hidden.gather(tf.tensor1d(from, "int32")) as Tensor2D;
  return { scores: logits(decoder, config.decoder, states), padded };
}

/**
 * `log softmax(scores)[target]`, row by row, with its gradient in closed form: `dy · (onehot − softmax)`.
 * @param scores `[n, V]` @param target `[n]` @returns `[n]`
 */
export function chosenLogprobs(scores: Tensor2D, target: Int32Array): Tensor1D {
  const [n, V] = scores.shape;
  const choose = tf.customGrad((...args) => {
    const input = args[0] as unknown as Tensor2D;
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const logp = tf.logSoftmax(input);
    const index = tf.tensor1d(target, "int32");
    save([logp, index]);
    return {
      value: tf.gather(logp, index.reshape([n, 1]), 1, 1).reshape([n]),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf
          .oneHot(saved[1] as Tensor1D, V)
          .sub(saved[0].exp())
          .mul(dy.reshape([n, 1])),
    };
  });
  return choose(scores) as Tensor1D;
}

/**
 * `−Σ p log p` of `p = softmax(scores)`, row by row, with its gradient in closed form: `−dy · p · (log p + H)`.
 * @param scores `[n, V]` @returns `[n]`
 */
export function rowEntropies(scores: Tensor2D): Tensor1D {
  const n = scores.shape[0];
  const entropy = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const logp = tf.logSoftmax(args[0] as unknown as Tensor2D);
    const value = logp.exp().mul(logp).sum(1).neg();
    save([logp, value]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [logProbability, H] = saved;
        const slope = logProbability.exp().mul(logProbability.add(H.reshape([n, 1])));
        return slope.mul(dy.reshape([n, 1])).neg();
      },
    };
  });
  return entropy(scores) as Tensor1D;
}
