/** From hidden states to log-probabilities and entropies, with gradients in closed form. */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fusedOps, LANES } from "../engine/fused";

/** Of y = x Wᵀ with W `[out, in]`: y, and the gradients of x and W. */
interface LinearProducts {
  apply(x: Tensor2D): Tensor2D;
  ofInput(dy: Tensor2D): Tensor2D;
  ofWeight(dy: Tensor2D, x: Tensor2D): Tensor2D;
}

function productsWith(W: Tensor2D): LinearProducts {
  const ops = fusedOps();
  const [out, inputs] = W.shape;
  if (ops === undefined || inputs % (2 * LANES) !== 0 || W.size > MOST_PACKED) {
    return {
      apply: (x) => tf.matMul(x, W, false, true),
      ofInput: (dy) => tf.matMul(dy, W),
      ofWeight: (dy, x) => tf.matMul(dy, x, true, false),
    };
  }
  return {
    apply: (x) => ops.linear(x, ops.packLinear(W), out),
    ofInput: (dy) => ops.linear(dy, ops.packLinear(W, true), inputs),
    ofWeight: ops.weightGrad,
  };
}

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
  const [n, D] = states.shape;
  const V = head.shape[0];
  const size = Math.max(LEAST_ROWS, Math.floor(MOST_LOGITS / V));
  const chunks = Array.from({ length: Math.ceil(n / size) }, (_unused, i) => {
    const from = i * size;
    return { from, count: Math.min(size, n - from) };
  });
  const part = (x: Tensor2D, { from, count }: (typeof chunks)[number]): Tensor2D =>
    chunks.length === 1 ? x : x.slice([from, 0], [count, D]);
  const targetOf = ({ from, count }: (typeof chunks)[number]): Tensor1D =>
    tf.tensor1d(target.subarray(from, from + count), "int32");

  const forward = (x: Tensor2D, W: Tensor2D, chunk: (typeof chunks)[number]): Found =>
    tf.tidy(() => {
      const logits = productsWith(W).apply(part(x, chunk));
      const [logprob, lse] = rowLogprobs(logits, targetOf(chunk));
      return { logprob, lse };
    });

  const choose = tf.customGrad((...args) => {
    const x = args[0] as unknown as Tensor2D;
    const W = frozen ? head : (args[1] as unknown as Tensor2D);
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const found = known === undefined ? chunks.map((chunk) => forward(x, W, chunk)) : [];
    save([x, W, ...found.map(({ lse }) => lse)]);
    return {
      value:
        known === undefined ? tf.concat(found.map(({ logprob }) => logprob)) : tf.tensor1d(known),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [states2, W2, ...sums] = saved as [Tensor2D, Tensor2D, ...Tensor1D[]];
        const slopes: Tensor2D[] = [];
        let dW: Tensor2D | undefined;
        for (const [i, chunk] of chunks.entries()) {
          const { from, count } = chunk;
          const [dx, dHead] = tf.tidy(() => {
            const own = part(states2, chunk);
            const { apply, ofInput, ofWeight } = productsWith(W2);
            const logits = apply(own);
            const wanted = targetOf(chunk);
            const lse = known === undefined ? sums[i] : rowLogprobs(logits, wanted)[1];
            const dLogits = rowSlopes(dy.slice([from], [count]) as Tensor1D, logits, wanted, lse);
            if (frozen) return [ofInput(dLogits)];
            const added = ofWeight(dLogits, own);
            return [ofInput(dLogits), dW === undefined ? added : dW.add<Tensor2D>(added)];
          });
          slopes.push(dx);
          dW?.dispose();
          dW = dHead;
        }
        const dStates = slopes.length === 1 ? slopes[0] : tf.concat(slopes);
        return dW === undefined ? dStates : [dStates, dW];
      },
    };
  });
  return choose(...(frozen ? [states] : [states, head])) as Tensor1D;
}

type Found = { logprob: Tensor1D; lse: Tensor1D };

/** Log-probabilities of the targets, and the log of each row's sum of exponentials. */
function rowLogprobs(logits: Tensor2D, target: Tensor1D): [logprob: Tensor1D, lse: Tensor1D] {
  const ops = fusedOps();
  if (ops !== undefined) return ops.logprobs(logits, target);
  const lse: Tensor1D = tf.logSumExp(logits, 1);
  const chosen = tf.gather(logits, target.reshape([-1, 1]), 1, 1).reshape<Tensor1D>([-1]);
  return [chosen.sub(lse), lse];
}

/** `dy · (onehot − softmax)` */
function rowSlopes(dy: Tensor1D, logits: Tensor2D, target: Tensor1D, lse: Tensor1D): Tensor2D {
  const ops = fusedOps();
  if (ops !== undefined) return ops.logprobsGrad(dy, logits, target, lse);
  const shares = logits.sub(lse.reshape([-1, 1])).exp();
  return tf
    .oneHot(target, logits.shape[1])
    .sub(shares)
    .mul(dy.reshape([-1, 1]));
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
