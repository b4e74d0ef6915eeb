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
 * Log-probabilities that chosen tokens of a batch give to what is to follow them, differentiable in the weights.
 * @param source which of the batch's tokens predict `[n]` @param target what they are to predict `[n]` @returns `[n]`
 */
export function tokenLogprobs(
  { config, weights }: Policy,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  { source, target }: { source: Int32Array; target: Int32Array },
): Tensor1D {
  return tf.tidy(() => {
    const decoder = fuseDecoder(weights, config.decoder);
    const hidden = decode(decoder, config.decoder, batch, images);
    const n = source.length;
    const [from, to] = [source, target].map((ids) => {
      const out = new Int32Array(recurringSize(n));
      out.set(ids);
      return out;
    });
    const states = hidden.gather(tf.tensor1d(from, "int32")) as Tensor2D;
    return chosenLogprobs(logits(decoder, config.decoder, states), to).slice([0], [n]);
  });
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
