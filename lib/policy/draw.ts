/** Drawing tokens from logits. */
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import type { FusedOps } from "../engine/fused";
import type { DrawnTokens } from "./sampling";

/**
 * One token a row, read back in one piece.
 * @param scores logits `[R, V]` @param uniforms `[R]`, in [0, 1); not looked at when `temperature` is 0
 */
export function draw(
  ops: FusedOps | undefined,
  scores: Tensor2D,
  { temperature, uniforms }: { temperature: number; uniforms: Float32Array },
): DrawnTokens {
  const packed = tf.tidy(() =>
    ops === undefined
      ? drawPlainly(scores, temperature, uniforms)
      : ops.draw(scores, tf.tensor1d(uniforms), temperature),
  );
  return readDrawn(packed);
}

/** @param packed token, log-probability and entropy of each row, `[3, R]`; disposed of */
export function readDrawn(packed: Tensor2D): DrawnTokens {
  const rows = packed.shape[1];
  const values = packed.dataSync<"float32">();
  packed.dispose();
  return {
    ids: Array.from(values.subarray(0, rows)),
    logprobs: values.slice(rows, 2 * rows),
    entropies: values.slice(2 * rows),
  };
}

/** Token, log-probability and entropy of each row in tfjs's own operations, `[3, R]`. */
function drawPlainly(scores: Tensor2D, temperature: number, uniforms: Float32Array): Tensor2D {
  const rows = scores.shape[0];
  const logp = tf.logSoftmax(scores);
  let ids: Tensor1D;
  if (temperature === 0) {
    ids = scores.argMax(1);
  } else {
    const shares = temperature === 1 ? logp.exp() : tf.softmax(scores.div<Tensor2D>(temperature));
    ids = sampleTokens(shares, uniforms);
  }
  const chosen = tf.gather(logp, ids.reshape([rows, 1]), 1, 1).reshape([rows]);
  const entropy = logp.exp().mul(logp).sum(1).neg();
  return tf.stack([ids.toFloat(), chosen, entropy]) as Tensor2D;
}

/**
 * One token a row by the inverse of the cumulative distribution: the first whose cumulated share exceeds u.
 * @param shares `[R, V]`, rows that sum to 1 up to rounding @param uniforms `[R]`, in [0, 1)
 * @returns `[R]` int32; a token without a share is never drawn
 */
export function sampleTokens(shares: Tensor2D, uniforms: Float32Array): Tensor1D {
  const [rows, V] = shares.shape;
  return tf.tidy(() => {
    const cumulated = tf.cumsum(shares, 1);
    // Scaled by what the row sums to in float32: otherwise a u at the upper end would draw the vocabulary's last token,
    // whatever its share.
    const u = tf.tensor2d(uniforms, [rows, 1]).mul(cumulated.slice([0, V - 1], [rows, 1]));
    return cumulated.lessEqual(u).sum(1).toInt() as Tensor1D;
  });
}
