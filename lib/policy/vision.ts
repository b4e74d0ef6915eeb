/**
 * The vision tower of Qwen2.5-VL (arXiv 2502.13923, section 2.1): patch embedding, blocks with window or full
 * attention and two-dimensional rotary positions, and the merger that turns 2×2 patches into one decoder token.
 *
 * Patches arrive in the image processor's order (merge squares one after another). For the blocks they are put in
 * window order, which keeps every square together, and the merged tokens are put back at the end.
 */
import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import type { PolicyConfig, VisionConfig } from "./config";
import { attention, linear, MASKED, rmsNorm, rotate, swiglu } from "./layers";
import type { Weights } from "./weights";

/** Patches along time, height and width of one picture; time is 1 for a still one. */
export type Grid = readonly [number, number, number];

/** Decoder tokens that a picture takes. */
export function mergedTokens(grid: Grid, mergeSize: number): number {
  return (grid[0] * grid[1] * grid[2]) / mergeSize ** 2;
}

/** What the tower's attention needs to know of a batch of pictures; plain numbers, computed once a batch. */
export interface VisionLayout {
  /** Patches in all. */
  patches: number;
  /** For each merged token in window order: its index in the processor's order. `[patches / merge²]` */
  windowOrder: Int32Array;
  /** Patches in each window, in window order. */
  windowLengths: number[];
  /** Patches in each picture (the extent of full attention). */
  pictureLengths: number[];
  /** Row and column of each patch, in window order. `[patches, 2]` */
  positions: Int32Array;
}

/** Lays out the pictures of a batch; pure. */
export function layoutVision(grids: readonly Grid[], config: VisionConfig): VisionLayout {
  const { mergeSize } = config;
  const square = mergeSize ** 2;
  const window = Math.floor(config.windowSize / mergeSize / config.patchSize);
  const windowOrder: number[] = [];
  const windowLengths: number[] = [];
  const pictureLengths: number[] = [];
  const positions: number[] = [];
  let base = 0;
  for (const [t, h, w] of grids) {
    const [rows, columns] = [h / mergeSize, w / mergeSize];
    for (let frame = 0; frame < t; frame++) {
      for (let top = 0; top < rows; top += window) {
        for (let left = 0; left < columns; left += window) {
          let tokens = 0;
          for (let r = top; r < Math.min(top + window, rows); r++) {
            for (let c = left; c < Math.min(left + window, columns); c++, tokens++) {
              windowOrder.push(base + (frame * rows + r) * columns + c);
              for (let i = 0; i < square; i++) {
                positions.push(r * mergeSize + Math.floor(i / mergeSize));
                positions.push(c * mergeSize + (i % mergeSize));
              }
            }
          }
          windowLengths.push(tokens * square);
        }
      }
      pictureLengths.push(h * w);
    }
    base += t * rows * columns;
  }
  return {
    patches: base * square,
    windowOrder: Int32Array.from(windowOrder),
    windowLengths,
    pictureLengths,
    positions: Int32Array.from(positions),
  };
}

/**
 * Pictures to decoder tokens.
 * @param patches `[patches, channels · temporal · patch²]`, pictures one after another
 * @returns `[patches / merge², outputSize]`, in the order in which the image placeholders stand in the prompt
 */
export function encodeImages(
  weights: Weights,
  config: VisionConfig,
  patches: Tensor2D,
  grids: readonly Grid[],
): Tensor2D {
  return tf.tidy(() => {
    const layout = layoutVision(grids, config);
    const square = config.mergeSize ** 2;
    const merged = layout.patches / square;
    const w = (name: string): Tensor2D => weights.matrix(`visual.${name}`);
    const b = (name: string): Tensor1D => weights.vector(`visual.${name}`);

    const [n, width] = patches.shape;
    const order = tf.tensor1d(layout.windowOrder, "int32");
    const embedding = w("patch_embed.proj.weight").reshape<Tensor2D>([config.hiddenSize, width]);
    const inWindows = patches.reshape([merged, square * width]).gather(order);
    let x = linear(inWindows.reshape([n, width]), embedding);

    const headDim = config.hiddenSize / config.heads;
    const rotary = visionRotary(layout.positions, headDim);
    const [cos, sin] = [rotary.cos, rotary.sin].map((t) => tf.tensor3d(t, [n, 1, headDim]));
    for (let i = 0; i < config.depth; i++) {
      const lengths = config.fullAttentionBlocks.includes(i)
        ? layout.pictureLengths
        : layout.windowLengths;
      const name = (suffix: string): string => `blocks.${i}.${suffix}`;
      const entering = x;
      x = tf.tidy(() => {
        const qkv = linear(
          rmsNorm(entering, b(name("norm1.weight")), 1e-6),
          w(name("attn.qkv.weight")),
          b(name("attn.qkv.bias")),
        );
        const mixed = segmentAttention(qkv, config.heads, lengths, cos, sin);
        const middle = entering.add<Tensor2D>(
          linear(mixed, w(name("attn.proj.weight")), b(name("attn.proj.bias"))),
        );
        const y = rmsNorm(middle, b(name("norm2.weight")), 1e-6);
        const hidden = swiglu(
          linear(y, w(name("mlp.gate_proj.weight")), b(name("mlp.gate_proj.bias"))),
          linear(y, w(name("mlp.up_proj.weight")), b(name("mlp.up_proj.bias"))),
        );
        return middle.add<Tensor2D>(
          linear(hidden, w(name("mlp.down_proj.weight")), b(name("mlp.down_proj.bias"))),
        );
      });
    }

    const squares = rmsNorm(x, b("merger.ln_q.weight"), 1e-6).reshape<Tensor2D>([
      merged,
      square * config.hiddenSize,
    ]);
    const inner = gelu(linear(squares, w("merger.mlp.0.weight"), b("merger.mlp.0.bias")));
    const out = linear(inner, w("merger.mlp.2.weight"), b("merger.mlp.2.bias"));
    return out.gather(tf.tensor1d(inverse(layout.windowOrder), "int32")) as Tensor2D;
  });
}

/** Patches of several pictures that are encoded together: full attention takes memory by the longest picture's square. */
const MOST_PATCHES = 2048;

/** Merged tokens of pictures as plain numbers, `[tokens · outputSize]`. @param patches `[patches · width]` */
export function imageFeatures(
  { config, weights }: { config: PolicyConfig; weights: Weights },
  patches: ArrayLike<number>,
  grids: readonly Grid[],
): Float32Array {
  const { vision } = config;
  const width = vision.channels * vision.temporalPatchSize * vision.patchSize ** 2;
  const count = (some: readonly Grid[]): number => some.reduce((sum, [t, h, w]) => sum + t * h * w, 0); // prettier-ignore
  const pixels = Float32Array.from(patches);
  const features = new Float32Array((count(grids) / vision.mergeSize ** 2) * vision.outputSize);
  let [from, written] = [0, 0];
  for (let first = 0; first < grids.length;) {
    let next = first + 1;
    while (next < grids.length && count(grids.slice(first, next + 1)) <= MOST_PATCHES) next++;
    const part = grids.slice(first, next);
    const rows = count(part);
    const values = tf.tidy(() => {
      const own = tf.tensor2d(pixels.subarray(from * width, (from + rows) * width), [rows, width]);
      return encodeImages(weights, vision, own, part).dataSync<"float32">();
    });
    features.set(values, written);
    [first, from, written] = [next, from + rows, written + values.length];
  }
  return features;
}

/**
 * Attention inside each segment. Segments of equal length, the usual case, are one reshape; others are padded to the
 * longest.
 * @param qkv `[N, 3·D]` @param lengths sum to N @param cos `[N, 1, d]` @returns `[N, D]`
 */
function segmentAttention(
  qkv: Tensor2D,
  heads: number,
  lengths: readonly number[],
  cos: Tensor3D,
  sin: Tensor3D,
): Tensor2D {
  const n = qkv.shape[0];
  const size = qkv.shape[1] / 3;
  const d = size / heads;
  const parts = qkv.reshape<Tensor3D>([n, 3 * heads, d]);
  const qk = rotate(parts.slice([0, 0, 0], [n, 2 * heads, d]), cos, sin);
  const rotated = tf.concat([qk, parts.slice([0, 2 * heads, 0], [n, heads, d])], 1);
  const { segments, longest, ragged, source, mask, places } = padSegments(lengths);

  let rows = rotated.reshape<Tensor2D>([n, 3 * size]);
  if (ragged) rows = rows.gather(tf.tensor1d(source, "int32"));
  const split = rows.reshape([segments, longest, 3, heads, d]).transpose([2, 0, 3, 1, 4]);
  const [q, k, v] = tf.unstack(split) as [Tensor4D, Tensor4D, Tensor4D];
  const hidden = ragged ? tf.tensor4d(mask, [segments, 1, 1, longest]) : undefined;
  const mixed = attention(q, k, v, hidden).transpose([0, 2, 1, 3]);
  const flat = mixed.reshape<Tensor2D>([segments * longest, size]);
  return ragged ? flat.gather(tf.tensor1d(places, "int32")) : flat;
}

/** Segments side by side, each padded to the longest. */
export interface PaddedSegments {
  segments: number;
  longest: number;
  /** Whether anything is padded at all. */
  ragged: boolean;
  /** Which patch stands in each place; padding repeats the first. `[segments · longest]` */
  source: Int32Array;
  /** Added to the scores: 0 for a patch, a large negative number for padding. `[segments · longest]` */
  mask: Float32Array;
  /** In which place each patch stands. `[N]` */
  places: Int32Array;
}

/** @param lengths of the segments, in patches */
export function padSegments(lengths: readonly number[]): PaddedSegments {
  const longest = Math.max(...lengths);
  const source = new Int32Array(lengths.length * longest);
  const mask = new Float32Array(lengths.length * longest).fill(MASKED);
  const places = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  lengths.forEach((length, s) => {
    for (let i = 0; i < length; i++, at++) {
      source[s * longest + i] = at;
      mask[s * longest + i] = 0;
      places[at] = s * longest + i;
    }
  });
  const ragged = places.length < source.length;
  return { segments: lengths.length, longest, ragged, source, mask, places };
}

/** Rotary tables over rows and columns: half of the frequencies each. `[N · headDim]` twice. */
export function visionRotary(
  positions: Int32Array,
  headDim: number,
): { cos: Float32Array; sin: Float32Array } {
  const n = positions.length / 2;
  const quarter = headDim / 4;
  const cos = new Float32Array(n * headDim);
  const sin = new Float32Array(n * headDim);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < headDim / 2; j++) {
      const axis = j < quarter ? 0 : 1;
      const angle = positions[2 * i + axis] * 10000 ** (-(j % quarter) / quarter);
      for (const at of [i * headDim + j, i * headDim + headDim / 2 + j]) {
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
  }
  return { cos, sin };
}

/** Exact GELU (Hendrycks and Gimpel, arXiv 1606.08415), with the error function. */
function gelu(x: Tensor2D): Tensor2D {
  return x.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5));
}

/** Where each of the ordered tokens came from: undoes `order`. */
export function inverse(order: Int32Array): Int32Array {
  const out = new Int32Array(order.length);
  order.forEach((from, to) => (out[from] = to));
  return out;
}
