/**
 * The few layers that the vision tower and the decoder share, each a pure function of tensors.
 *
 * Ownership: every function returns new tensors that the caller owns and leaves its inputs alone; call them inside
 * `tf.tidy`. Those with a gradient of their own (`tf.customGrad`) compute it in closed form, because a chain of eager
 * element-wise operations costs more in memory traffic than in arithmetic.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fusedOps, LANES } from "../engine/fused";
import type { Linear } from "./lora";

/**
 * `x Wᵀ + b` with the weight as Hugging Face stores it.
 * @param x `[N, in]` @param weight `[out, in]` @param bias `[out]` @returns `[N, out]`
 */
export function linear(x: Tensor2D, weight: Tensor2D, bias?: Tensor1D): Tensor2D {
  const y: Tensor2D = tf.matMul(x, weight, false, true);
  return bias === undefined ? y : y.add<Tensor2D>(bias);
}

/** {@link linear} with the layer's adapter, if it has one: two small products beside the large one. */
export function linearOf(x: Tensor2D, { weight, bias, adapter }: Linear): Tensor2D {
  const y = linear(x, weight, bias);
  if (adapter === undefined) return y;
  const { a, b, scale } = adapter;
  // The narrow product is scaled: it is what the gradient keeps.
  return y.add(linear(linear(x, a).mul(scale), b));
}

/**
 * Root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467, eq 4): `x / sqrt(mean(x²) + eps) · g`.
 * @param x `[N, D]` @param gain `[D]` @returns `[N, D]`
 */
export function rmsNorm(x: Tensor2D, gain: Tensor1D, eps: number): Tensor2D {
  const ops = x.shape[1] % LANES === 0 ? fusedOps() : undefined;
  const normalise = tf.customGrad((...args) => {
    const [input, scale] = args as unknown as [Tensor2D, Tensor1D];
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    if (ops !== undefined) {
      const [, normed, factor] = ops.addRmsNorm(input, undefined, scale, eps);
      save([input, scale, factor]);
      return {
        value: normed,
        gradFunc: (dy: Tensor, saved: Tensor[]) => {
          const [from, g, r] = saved as [Tensor2D, Tensor1D, Tensor1D];
          return ops.rmsNormGrad(dy as Tensor2D, from, g, r);
        },
      };
    }
    const inverse = input.square().mean(1, true).add(eps).rsqrt();
    const unit = input.mul(inverse);
    save([unit, inverse, scale]);
    return {
      value: unit.mul(scale),
      // With u = x·r and g the gain: dx = r · (g·dy − u · mean(g·dy·u)).
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [u, r, g] = saved;
        const weighted = dy.mul(g);
        const dx = weighted.sub(u.mul(weighted.mul(u).mean(1, true))).mul(r);
        return [dx, dy.mul(u).sum(0)];
      },
    };
  });
  return normalise(x, gain) as Tensor2D;
}

/**
 * The gated unit of SwiGLU (Shazeer, arXiv 2002.05202): `silu(gate) · up`.
 * @param gate `[N, F]` @param up `[N, F]` @returns `[N, F]`
 */
export function swiglu(gate: Tensor2D, up: Tensor2D): Tensor2D {
  const gated = tf.customGrad((...args) => {
    const [g, u] = args as unknown as [Tensor2D, Tensor2D];
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const sigmoid = g.sigmoid();
    const silu = g.mul(sigmoid);
    save([sigmoid, silu, u]);
    return {
      value: silu.mul(u),
      // silu' = σ + silu · (1 − σ)
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [s, h, v] = saved;
        const slope = s.add(h.sub(h.mul(s)));
        return [dy.mul(v).mul(slope), dy.mul(h)];
      },
    };
  });
  return gated(gate, up) as Tensor2D;
}

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864), the two halves of a head rotating against each other as in
 * the Hugging Face implementations: `x·cos + rotate(x)·sin`, `rotate([a, b]) = [−b, a]`.
 * @param x `[N, H, headDim]` @param cos `[N, 1, headDim]` @param sin `[N, 1, headDim]`
 */
export function rotate(x: Tensor3D, cos: Tensor3D, sin: Tensor3D): Tensor3D {
  const [n, heads, headDim] = x.shape;
  const half = headDim / 2;
  const turn = (t: Tensor3D, sign: 1 | -1): Tensor3D => {
    const a = t.slice([0, 0, 0], [n, heads, half]);
    const b = t.slice([0, 0, half], [n, heads, half]);
    return sign === 1 ? tf.concat([b.neg(), a], 2) : tf.concat([b, a.neg()], 2);
  };
  const rotated = tf.customGrad((...args) => {
    const input = args[0] as unknown as Tensor3D;
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    // Saved, not captured: the tables may be gone with their scope when the gradient is computed.
    save([cos, sin]);
    return {
      value: input.mul(cos).add(turn(input, 1).mul(sin)),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        dy.mul(saved[0]).add(turn(dy.mul(saved[1]) as Tensor3D, -1)),
    };
  });
  return rotated(x) as Tensor3D;
}

/**
 * Rows of a table, with the gradient in one pass where there is an operation for it.
 * @param table `[V, D]` @param rows `[n]`, each below V @returns `[n, D]`
 */
export function lookUp(table: Tensor2D, rows: Int32Array): Tensor2D {
  const index = tf.tensor1d(rows, "int32");
  const ops = fusedOps();
  if (ops === undefined) return table.gather(index) as Tensor2D;
  const count = table.shape[0];
  const look = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    save([index]);
    return {
      value: tf.gather(args[0] as unknown as Tensor2D, index),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        ops.scatterRows(dy as Tensor2D, saved[0] as Tensor1D, count),
    };
  });
  return look(table) as Tensor2D;
}

/**
 * Scaled dot-product attention over rectangular batches.
 * @param q `[B, H, T, d]` @param k `[B, H, S, d]` @param v `[B, H, S, d]`
 * @param mask `[B, 1, T, S]` or `[1, 1, T, S]`, 0 where allowed and a large negative number elsewhere
 * @returns `[B, H, T, d]`
 */
export function attention(q: Tensor4D, k: Tensor4D, v: Tensor4D, mask?: Tensor4D): Tensor4D {
  const scores = tf.matMul(q, k, false, true).mul(1 / Math.sqrt(q.shape[3]));
  return tf.matMul(tf.softmax(mask === undefined ? scores : scores.add(mask)), v);
}

/** The additive mask's value for "not allowed": far below any score, and finite so that no row becomes NaN. */
export const MASKED = -1e9;
