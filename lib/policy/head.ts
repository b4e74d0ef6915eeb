/** From hidden states to log-probabilities and entropies, with gradients in closed form. */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fusedOps, LANES } from "../engine/fused";

/** Logits that live at once: 16 million bytes, but never fewer rows than make a product worth its while. */
const MOST_LOGITS = 2 ** 22;
const LEAST_ROWS = 128;
/** A larger head, 256 MB, is not packed: the copy would cost more than the faster product saves. */
const MOST_PACKED = 2 ** 26;

/**
 * `log softmax(states headᵀ)[target]`, row by row. Logits live a chunk of rows at a time and are computed again for the
 * gradient: no tensor of all rows by the whole vocabulary ever exists.
 * @param states after the final norm `[n, D]` @param head `[V, D]` @param target `[n]`
 * @param options.known the result, where a rollout has told it: then only the gradient is computed
 * @param options.frozen whether the head's own gradient, as large as the head, is left out
 * @returns `[n]`
 */
export function headLogprobs(
  states: Tensor2D,
  head: Tensor2D,
  target: Int32Array,
  { known, frozen = false }: { known?: Float32Array; frozen?: boolean } = {},
): Tensor1D {
  const { logprobs, gradients } = productsWith(head, target);
  const choose = tf.customGrad((...args) => {
    const x = args[0] as unknown as Tensor2D;
    const W = frozen ? head : (args[1] as unknown as Tensor2D);
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    save([x, W]);
    return {
      value: known === undefined ? logprobs(x, W) : tf.tensor1d(known),
      gradFunc: (dy: Tensor, [x2, W2]: Tensor[]) => {
        const { dx, dW } = gradients(dy as Tensor1D, x2 as Tensor2D, W2 as Tensor2D, frozen);
        return dW === undefined ? dx : [dx, dW];
      },
    };
  });
  return choose(...(frozen ? [states] : [states, head])) as Tensor1D;
}

/** What {@link headLogprobs} computes, and its gradient; that of a frozen head is left out. */
interface Head {
  logprobs(x: Tensor2D, W: Tensor2D): Tensor1D;
  gradients(dy: Tensor1D, x: Tensor2D, W: Tensor2D, frozen: boolean): HeadSlopes;
}

type HeadSlopes = { dx: Tensor2D; dW?: Tensor2D };

function productsWith(head: Tensor2D, target: Int32Array): Head {
  const ops = fusedOps();
  const packs = head.shape[1] % (2 * LANES) === 0 && head.size <= MOST_PACKED;
  if (ops === undefined || !packs) return inChunks(target);
  const wanted = (): Tensor1D => tf.tensor1d(target, "int32");
  return {
    logprobs: (x, W) => tf.tidy(() => ops.headLogprobs(x, W, wanted())),
    gradients: (dy, x, W, frozen) =>
      tf.tidy((): HeadSlopes => {
        const [dx, dW] = ops.headGrad(dy, x, W, wanted());
        return frozen ? { dx } : { dx, dW };
      }),
  };
}

/** In tfjs's own operations. */
function inChunks(target: Int32Array): Head {
  /** Does a chunk of rows after the other. */
  const each = <T>(n: number, V: number, work: (from: number, count: number) => T): T[] => {
    const size = Math.max(LEAST_ROWS, Math.floor(MOST_LOGITS / V));
    return Array.from({ length: Math.ceil(n / size) }, (_unused, i) =>
      work(i * size, Math.min(size, n - i * size)),
    );
  };
  const logSoftmax = (x: Tensor2D, W: Tensor2D): Tensor2D =>
    tf.logSoftmax(tf.matMul<Tensor2D>(x, W, false, true));
  const chosen = (from: number, count: number): Tensor1D =>
    tf.tensor1d(target.subarray(from, from + count), "int32");
  return {
    logprobs: (x, W) =>
      tf.tidy(() => {
        const parts = each(x.shape[0], W.shape[0], (from, count) =>
          tf.tidy(() => {
            const logp = logSoftmax(x.slice([from, 0], [count, -1]), W);
            const index = chosen(from, count).reshape([count, 1]);
            return tf.gather(logp, index, 1, 1).reshape<Tensor1D>([count]);
          }),
        );
        return tf.concat<Tensor1D>(parts);
      }),
    gradients: (dy, x, W, frozen) =>
      tf.tidy((): HeadSlopes => {
        let dW: Tensor2D | undefined;
        const slopes = each(x.shape[0], W.shape[0], (from, count) => {
          const chunk = tf.tidy((): HeadSlopes => {
            const own: Tensor2D = x.slice([from, 0], [count, -1]);
            const shares = logSoftmax(own, W).exp();
            // Of log softmax(z)[target]: onehot − softmax(z).
            const dLogits: Tensor2D = tf
              .oneHot(chosen(from, count), W.shape[0])
              .sub(shares)
              .mul(dy.slice([from], [count]).reshape([count, 1]));
            const dx: Tensor2D = tf.matMul(dLogits, W);
            if (frozen) return { dx };
            const added: Tensor2D = tf.matMul(dLogits, own, true, false);
            return { dx, dW: dW === undefined ? added : dW.add<Tensor2D>(added) };
          });
          dW?.dispose();
          dW = chunk.dW;
          return chunk.dx;
        });
        return { dx: tf.concat(slopes), dW };
      }),
  };
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
