/**
 * The decoder of Qwen2.5 (arXiv 2412.15115): grouped-query attention with M-RoPE, RMSNorm, SwiGLU.
 *
 * One implementation serves training and sampling. Linear layers run over all tokens of a grouped batch as one flat
 * `[N, D]`; only attention knows segments: prompts attend to themselves, completions to their group's prompt and to
 * themselves. A decoding step is a completion segment of one new token whose earlier keys and values come from a cache.
 */
import type { Rank, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { recurringSize, rectangle, type GroupedBatch } from "./batch";
import type { DecoderConfig } from "./config";
import { decoderOps, fusedLayers } from "./fused-decoder";
import { attention, linear, linearOf, lookUp, MASKED, rmsNorm, rotate, swiglu } from "./layers";
import { linearLayer, mergedMatrix, type Linear } from "./lora";
import { rotaryTables } from "./positions";
import { recomputed } from "./recompute";
import { readTape, type RecordedBatch } from "./tape";
import type { Weights } from "./weights";

/** The decoder's parameters beside its layers'. */
export type DecoderEnds = {
  embedding: Tensor2D;
  norm: Tensor1D;
  /** `[V, D]`; the embedding itself where the head is tied. */
  head: Tensor2D;
};

/** One layer's parameters as they are stored, adapters beside them. */
export interface PlainLayer {
  inputNorm: Tensor1D;
  q: Linear;
  k: Linear;
  v: Linear;
  output: Linear;
  mlpNorm: Tensor1D;
  gate: Linear;
  up: Linear;
  down: Linear;
}

/** The decoder for tfjs's own operations: the weights' own tensors, nothing copied. */
export interface PlainDecoder extends DecoderEnds {
  layers: PlainLayer[];
}

/** One layer's parameters with the projections that share an input put together, and adapters added in. */
export type FusedLayer = {
  inputNorm: Tensor1D;
  /** Query, key and value projections, `[(H + 2·KV)·d, D]`. */
  qkv: Tensor2D;
  qkvBias: Tensor1D;
  output: Tensor2D;
  mlpNorm: Tensor1D;
  /** Gate and up projections, `[2·F, D]`. */
  gateUp: Tensor2D;
  down: Tensor2D;
};

/**
 * The decoder for the fused operations, put together layer by layer. Built inside the gradient for training, once a
 * rollout for sampling.
 */
export type FusedDecoder = DecoderEnds & { layers: FusedLayer[] };

/** What every decoder has; the tensors are the weights' own. */
export function decoderEnds(weights: Weights, { tiedHead }: DecoderConfig): DecoderEnds {
  return {
    embedding: weights.matrix("model.embed_tokens.weight"),
    norm: weights.vector("model.norm.weight"),
    head: weights.matrix(tiedHead ? "model.embed_tokens.weight" : "lm_head.weight"),
  };
}

/** The decoder as it is stored. */
export function plainDecoder(weights: Weights, config: DecoderConfig): PlainDecoder {
  const layers = Array.from({ length: config.layers }, (_unused, i): PlainLayer => {
    const layer = `model.layers.${i}`;
    const attention = (name: string, bias = true): Linear =>
      linearLayer(weights, `${layer}.self_attn.${name}_proj`, { bias });
    const mlp = (name: string): Linear => linearLayer(weights, `${layer}.mlp.${name}_proj`);
    return {
      inputNorm: weights.vector(`${layer}.input_layernorm.weight`),
      ...{ q: attention("q"), k: attention("k"), v: attention("v"), output: attention("o", false) },
      mlpNorm: weights.vector(`${layer}.post_attention_layernorm.weight`),
      ...{ gate: mlp("gate"), up: mlp("up"), down: mlp("down") },
    };
  });
  return { ...decoderEnds(weights, config), layers };
}

/** Puts projections together. The caller's tidy owns the new tensors; the embedding and norms are the weights' own. */
export function fuseDecoder(weights: Weights, config: DecoderConfig): FusedDecoder {
  const m = (module: string): Tensor2D => mergedMatrix(weights, module);
  const v = weights.vector;
  const layers = Array.from({ length: config.layers }, (_unused, i): FusedLayer => {
    const layer = `model.layers.${i}`;
    const projections = ["q_proj", "k_proj", "v_proj"].map((p) => `${layer}.self_attn.${p}`);
    return {
      inputNorm: v(`${layer}.input_layernorm.weight`),
      qkv: tf.concat(projections.map(m)),
      qkvBias: tf.concat(projections.map((p) => v(`${p}.bias`))),
      output: m(`${layer}.self_attn.o_proj`),
      mlpNorm: v(`${layer}.post_attention_layernorm.weight`),
      gateUp: tf.concat(["gate_proj", "up_proj"].map((p) => m(`${layer}.mlp.${p}`))),
      down: m(`${layer}.mlp.down_proj`),
    };
  });
  return { ...decoderEnds(weights, config), layers };
}

/** Gives back what {@link fuseDecoder} has made: all but the weights' own tensors. */
export function disposeFused({ layers }: FusedDecoder, weights: Weights): void {
  const own = new Set(weights.names.map((name) => weights.get(name)));
  tf.dispose(layers.flatMap((layer) => Object.values(layer)).filter((tensor) => !own.has(tensor)));
}

/** Keys and values of one layer, rotated. */
export interface LayerCache {
  /** `[P, KV, Tp, d]` */
  promptK: Tensor4D;
  promptV: Tensor4D;
}

/** Token and image embeddings for table rows as {@link GroupedBatch} numbers them. `[N, D]` */
export function embed(
  { embedding }: DecoderEnds,
  images: Tensor2D | undefined,
  rows: Int32Array,
): Tensor2D {
  if (images === undefined) return lookUp(embedding, rows);
  // Two tables, because one of both would be a copy of the whole vocabulary.
  const V = embedding.shape[0];
  const text = rows.filter((row) => row < V);
  let words = 0;
  const order = rows.map((row) => (row < V ? words++ : text.length + row - V));
  return lookUp(tf.concat([lookUp(embedding, text), images]), order);
}

/** Rotary tables as tensors, `[N, 1, d]` twice. */
export function rotaryTensors(
  positions: ArrayLike<number>,
  config: DecoderConfig,
): { cos: Tensor3D; sin: Tensor3D } {
  const { cos, sin } = rotaryTables(positions, config);
  const shape: [number, number, number] = [positions.length / 3, 1, config.headDim];
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) };
}

/**
 * Hidden states of all tokens of a grouped batch before the final norm, by the fastest way that there is here.
 * @param images merged image tokens `[sum, D]` in the order of the batch's grids
 * @param options.recorded this batch as a rollout with the same weights has computed it: used instead of computing it again
 * @param options.recompute gradient checkpointing: between layers only the stream is kept, and the gradient computes each layer
 * again
 * @returns `[N', D]`: the batch's N tokens in its order, then rows without meaning up to a size that comes again
 */
export function decode(
  weights: Weights,
  config: DecoderConfig,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  { recorded, recompute }: { recorded?: RecordedBatch; recompute?: boolean } = {},
): Tensor2D {
  const ops = decoderOps(config);
  return tf.tidy(() => {
    if (ops === undefined) {
      return decodePlainly(plainDecoder(weights, config), config, batch, images, { recompute });
    }
    const decoder = fuseDecoder(weights, config);
    const { rows, positions } = withSpareRows(batch);
    const x = embed(decoder, images, rows);
    const tape =
      recorded === undefined
        ? undefined
        : readTape(
            recorded.tape,
            { prompts: recorded.prompts, completionLengths: batch.completionLengths },
            config,
          );
    return fusedLayers(ops, decoder, config, batch, x, positions, { tape, recompute });
  });
}

/** Rows and positions of the batch's tokens, filled up to a number of tokens that comes again. */
export function withSpareRows(batch: GroupedBatch): { rows: Int32Array; positions: Int32Array } {
  const rows = new Int32Array(recurringSize(batch.rows.length));
  rows.set(batch.rows);
  const positions = new Int32Array(3 * rows.length);
  positions.set(batch.positions);
  return { rows, positions };
}

/**
 * {@link decode} in tfjs's own operations, on any back end: what the fused operations are held to.
 * @param options.keep receives each layer's prompt keys and values and owns none of them (sampling's prefill)
 * @param options.recompute as for {@link decode}
 */
export function decodePlainly(
  decoder: PlainDecoder,
  config: DecoderConfig,
  batch: GroupedBatch,
  images: Tensor2D | undefined,
  {
    keep,
    recompute = false,
  }: { keep?: (layer: number, cache: LayerCache) => void; recompute?: boolean } = {},
): Tensor2D {
  return tf.tidy(() => {
    let x = embed(decoder, images, withSpareRows(batch).rows);
    const once = recompute ? undefined : plainSurroundings(config, batch);
    decoder.layers.forEach((layer, i) => {
      const run = (stream: Tensor2D, own: PlainLayer): Tensor2D => {
        // What a gradient computes again needs tables and masks again: those of now are gone by then.
        const { cos, sin, attend } = once ?? plainSurroundings(config, batch);
        return decoderLayer(own, config, stream, cos, sin, (q, k, v) =>
          attend(q, k, v, (cache) => keep?.(i, cache)),
        );
      };
      x = recompute ? recomputed(x, layer, run) : run(x, layer);
    });
    return x;
  });
}

/** What all layers share; the caller's tidy owns the tensors. */
interface PlainSurroundings {
  cos: Tensor3D;
  sin: Tensor3D;
  attend: (q: Tensor3D, k: Tensor3D, v: Tensor3D, keep: (cache: LayerCache) => void) => Tensor2D;
}

function plainSurroundings(config: DecoderConfig, batch: GroupedBatch): PlainSurroundings {
  const { P, G, promptLengths, completionLengths } = batch;
  const { kvHeads, headDim } = config;
  const { rows, positions } = withSpareRows(batch);
  const spare = rows.length - batch.rows.length;
  const prompt = segment(promptLengths);
  const completion = completionLengths.length === 0 ? undefined : segment(completionLengths);
  const masks = groupMasks(batch, prompt.T, completion?.T ?? 0);
  const tokens = [prompt.n, completion?.n ?? 0, spare];
  const unmixed = tf.zeros<Rank.R2>([spare, config.heads * headDim]);
  return {
    ...rotaryTensors(positions, config),
    attend: (q, k, v, keep) => {
      const [qs, ks, vs] = [q, k, v].map((t) => tf.split(t, tokens)) as Tensor3D[][];
      const [promptQ, promptK, promptV] = [qs[0], ks[0], vs[0]].map((t) =>
        rowsToHeads(prompt.pad(t), P, prompt.T),
      );
      const cache = { promptK, promptV };
      keep(cache);
      const mixed = prompt.unpad(promptAttention(promptQ, promptK, promptV, masks.prompt));
      if (completion === undefined) return tf.concat([mixed, unmixed]);
      const { T, pad, unpad } = completion;
      const byGroup = (t: Tensor3D): Tensor =>
        pad(t).reshape([P, G, T, kvHeads, -1, headDim]).transpose([0, 3, 1, 4, 2, 5]);
      const own = (t: Tensor3D): Tensor3D => byGroup(t).reshape([P * kvHeads * G, T, headDim]);
      return tf.concat([
        mixed,
        unpad(groupAttention(byGroup(qs[1]), cache, own(ks[1]), own(vs[1]), masks.completion)),
        unmixed,
      ]);
    },
  };
}

/** Rows of one segment: its tokens, its longest row, and the way to a rectangle and back. */
interface Segment {
  n: number;
  T: number;
  pad(tokens: Tensor3D): Tensor3D;
  unpad(cells: Tensor2D): Tensor2D;
}

/** The surrounding tidy owns the index tensors. */
function segment(lengths: readonly number[]): Segment {
  const same = (t: Tensor): Tensor => t;
  const even = lengths.every((length) => length === lengths[0]);
  const { longest, pad, unpad } = rectangle(
    lengths,
    even ? lengths[0] : recurringSize(Math.max(...lengths)),
  );
  if (even) {
    return { n: unpad.length, T: longest, pad: same, unpad: same } as Segment;
  }
  const [cells, tokens] = [tf.tensor1d(pad, "int32"), tf.tensor1d(unpad, "int32")];
  return {
    n: unpad.length,
    T: longest,
    pad: (t) => t.gather(cells),
    unpad: (t) => t.gather(tokens),
  };
}

/**
 * One decoder layer.
 * @param x `[N, D]` @param cos `[N, 1, d]`
 * @param attend mixes tokens: rotated queries `[N, H, d]`, rotated keys and values `[N, KV, d]` to `[N, H·d]`
 */
export function decoderLayer(
  layer: PlainLayer,
  { heads, kvHeads, headDim, rmsNormEps }: DecoderConfig,
  x: Tensor2D,
  cos: Tensor3D,
  sin: Tensor3D,
  attend: (q: Tensor3D, k: Tensor3D, v: Tensor3D) => Tensor2D,
): Tensor2D {
  return tf.tidy(() => {
    const n = x.shape[0];
    const normed = rmsNorm(x, layer.inputNorm, rmsNormEps);
    const qk = tf.concat([linearOf(normed, layer.q), linearOf(normed, layer.k)], 1);
    const rotated = rotate(qk.reshape<Tensor3D>([n, heads + kvHeads, headDim]), cos, sin);
    const [q, k] = tf.split(rotated, [heads, kvHeads], 1) as [Tensor3D, Tensor3D];
    const v = linearOf(normed, layer.v).reshape<Tensor3D>([n, kvHeads, headDim]);
    const y = x.add<Tensor2D>(linearOf(attend(q, k, v), layer.output));
    const mlp = rmsNorm(y, layer.mlpNorm, rmsNormEps);
    const gated = swiglu(linearOf(mlp, layer.gate), linearOf(mlp, layer.up));
    return y.add<Tensor2D>(linearOf(gated, layer.down));
  });
}

/**
 * Attention of completions to their group's prompt, whose keys and values exist once a group, and to their own tokens.
 * @param q `[P, KV, G, g, T, d]`, g query heads a key/value head
 * @param k own keys `[P·KV·G, S, d]` @param v own values, likewise
 * @param mask `[P or 1, 1, T, Tp + S]`
 * @returns `[P·G·T, H·d]`
 */
export function groupAttention(
  q: Tensor,
  { promptK, promptV }: LayerCache,
  k: Tensor3D,
  v: Tensor3D,
  mask?: Tensor4D,
): Tensor2D {
  const [P, KV, G, g, T, d] = q.shape as number[];
  const [Tp, S] = [promptK.shape[2], k.shape[1]];
  const scaled = q.mul(1 / Math.sqrt(d));
  const toPrompt = tf.matMul(scaled.reshape([P, KV, G * g * T, d]), promptK, false, true);
  const toOwn = tf.matMul(scaled.reshape([P * KV * G, g * T, d]), k, false, true);
  const scores = tf.concat(
    [
      toPrompt.reshape<Tensor4D>([P, KV * G * g, T, Tp]),
      toOwn.reshape<Tensor4D>([P, KV * G * g, T, S]),
    ],
    3,
  );
  const shares = tf.softmax(mask === undefined ? scores : scores.add(mask));
  const [onPrompt, onOwn] = tf.split(shares, [Tp, S], 3);
  const fromPrompt = tf.matMul(onPrompt.reshape([P, KV, G * g * T, Tp]), promptV);
  const fromOwn = tf.matMul(onOwn.reshape([P * KV * G, g * T, S]), v);
  return fromPrompt
    .reshape([P, KV, G, g, T, d])
    .add(fromOwn.reshape([P, KV, G, g, T, d]))
    .transpose([0, 2, 4, 1, 3, 5])
    .reshape([P * G * T, KV * g * d]);
}

/** Logits of the next token. @param hidden `[n, D]` before the final norm @returns `[n, V]` */
export function logits(
  { norm, head }: Pick<DecoderEnds, "norm" | "head">,
  config: DecoderConfig,
  hidden: Tensor2D,
): Tensor2D {
  return linear(rmsNorm(hidden, norm, config.rmsNormEps), head);
}

/** Causal attention within each prompt; g query heads share a key/value head. @returns `[P·T, H·d]` */
function promptAttention(q: Tensor4D, k: Tensor4D, v: Tensor4D, mask: Tensor4D): Tensor2D {
  const [P, H, T, d] = q.shape;
  const KV = k.shape[1];
  const g = H / KV;
  const tiled = g === 1 ? mask : tf.tile(mask, [1, 1, g, 1]);
  return attention(q.reshape<Tensor4D>([P, KV, g * T, d]), k, v, tiled as Tensor4D)
    .reshape<Tensor4D>([P, H, T, d])
    .transpose([0, 2, 1, 3])
    .reshape([P * T, H * d]);
}

/** `[P·T, H, d]` to `[P, H, T, d]` */
function rowsToHeads(x: Tensor3D, P: number, T: number): Tensor4D {
  const [, H, d] = x.shape;
  return x.reshape<Tensor4D>([P, T, H, d]).transpose([0, 2, 1, 3]);
}

/**
 * Additive masks: causal within a prompt `[1, 1, Tp, Tp]`; for completions the prompt's tokens and the own ones up to
 * here, `[P, 1, Tc, Tp + Tc]`. Padding on the right needs no mask of its own inside a segment: it comes after all
 * that is read.
 */
function groupMasks(
  { P, promptLengths }: GroupedBatch,
  Tp: number,
  Tc: number,
): { prompt: Tensor4D; completion?: Tensor4D } {
  const prompt = new Float32Array(Tp * Tp);
  for (let t = 0; t < Tp; t++) prompt.fill(MASKED, t * Tp + t + 1, (t + 1) * Tp);
  if (Tc === 0) return { prompt: tf.tensor4d(prompt, [1, 1, Tp, Tp]) };
  const width = Tp + Tc;
  const completion = new Float32Array(P * Tc * width);
  promptLengths.forEach((length, p) => {
    for (let t = 0; t < Tc; t++) {
      const row = (p * Tc + t) * width;
      completion.fill(MASKED, row + length, row + Tp);
      completion.fill(MASKED, row + Tp + t + 1, row + width);
    }
  });
  return {
    prompt: tf.tensor4d(prompt, [1, 1, Tp, Tp]),
    completion: tf.tensor4d(completion, [P, 1, Tc, width]),
  };
}
