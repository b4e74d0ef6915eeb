/**
 * The decoder's layers on the lab's own operations, forward and backward in closed form: one node on tfjs's tape instead of
 * some fifty a layer, and attention over exactly the tokens there are. `decoder.ts` is the same computation in tfjs's own
 * operations and says what every step means; the two are tested against each other.
 */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fusedOps, LANES, type FusedOps, type RotaryTables, type Segments } from "../engine/fused";
import type { GroupedBatch } from "./batch";
import type { DecoderConfig } from "./config";
import type { FusedDecoder, FusedLayer } from "./decoder";
import { rotaryTables } from "./positions";
import type { TapeLayer, TapeReader } from "./tape";

/** The lab's own operations where there are any and they fit the decoder's widths. */
export function decoderOps({
  hiddenSize,
  intermediateSize,
  heads,
  headDim,
}: DecoderConfig): FusedOps | undefined {
  const wide = [hiddenSize, intermediateSize, heads * headDim].every(
    (width) => width % (2 * LANES) === 0,
  );
  const fits = wide && headDim % LANES === 0;
  return fits ? fusedOps() : undefined;
}

/** What all layers share; the caller's tidy owns the tensors. */
interface Surroundings {
  ops: FusedOps;
  config: DecoderConfig;
  segments: Segments;
  tables: RotaryTables;
  shape: Tensor1D;
}

/** What a layer's gradient needs of its forward pass. */
interface LayerWork {
  /** Residual stream that enters, `[N, D]`, normalised, and the norm's factor `[N]`. */
  x: Tensor2D;
  xNormed: Tensor2D;
  xInverse: Tensor1D;
  /** Rotated queries and keys, and values, `[N, (H + 2·KV)·d]`. */
  qkv: Tensor2D;
  /** `[N, H·d]` and `[N, H]` */
  mixed: Tensor2D;
  lse: Tensor2D;
  /** Residual stream after attention. */
  y: Tensor2D;
  yNormed: Tensor2D;
  yInverse: Tensor1D;
  /** `[N, 2F]` and `[N, F]` */
  gateUp: Tensor2D;
  gated: Tensor2D;
}

const WORK = [
  "x",
  "xNormed",
  "xInverse",
  "qkv",
  "mixed",
  "lse",
  "y",
  "yNormed",
  "yInverse",
  "gateUp",
  "gated",
] as const satisfies readonly (keyof LayerWork)[];

const WEIGHTS = [
  "inputNorm",
  "qkv",
  "qkvBias",
  "output",
  "mlpNorm",
  "gateUp",
  "down",
] as const satisfies readonly (keyof FusedLayer)[];

export interface FusedOptions {
  /** Receives what each layer computed, and where the prompts begin; it owns none of it. */
  keep?: (layer: number, work: TapeLayer, prompts: Tensor1D) => void;
  /** The batch as a rollout computed it with the same weights: nothing forward is computed again. */
  tape?: TapeReader;
  /** Keeps the stream that enters each layer alone; the gradient computes the rest of a layer's work again. */
  recompute?: boolean;
}

/**
 * Hidden states after all layers, before the final norm, differentiable in the embeddings and the layers' weights.
 * @param x embeddings of the batch's N tokens, then spare rows `[N', D]` @param positions `[3 · N']`
 * @returns `[N', D]`
 */
export function fusedLayers(
  ops: FusedOps,
  decoder: FusedDecoder,
  config: DecoderConfig,
  batch: GroupedBatch,
  x: Tensor2D,
  positions: Int32Array,
  { keep, tape, recompute = false }: FusedOptions = {},
): Tensor2D {
  const around: Surroundings = {
    ops,
    config,
    segments: segmentsOf(batch),
    tables: tablesOf(positions, config),
    shape: tf.tensor1d([config.heads, config.kvHeads, config.headDim], "int32"),
  };
  const weights = decoder.layers.flatMap((layer) => WEIGHTS.map((name) => layer[name] as Tensor));
  const stack = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const [input, ...parameters] = args.slice(0, -1) as Tensor[];
    const layers = layersOf(parameters);
    const saved: Tensor[] = [];
    let value: Tensor2D;
    if (tape === undefined) {
      let stream = input as Tensor2D;
      let delta: Tensor2D | undefined;
      for (const [i, layer] of layers.entries()) {
        const work = forward(around, layer, stream, delta);
        keep?.(i, work, around.segments.prompts);
        const entered = i === 0 ? [] : [stream, delta as Tensor2D];
        [stream, delta] = [work.y, product(around, work.gated, layer.down)];
        saved.push(...(recompute ? [work.x] : WORK.map((name) => work[name])));
        if (recompute) tf.dispose([...entered, ...WORK.flatMap((name) => passing(name, work))]);
      }
      value = delta === undefined ? stream.clone() : stream.add<Tensor2D>(delta);
    } else {
      value = tape.leaving();
    }
    // The tables may be gone with their scope when the gradient is computed, so they are saved as well.
    const { cos, sin, at } = around.tables;
    const { prompts, completions } = around.segments;
    save([...parameters, cos, sin, at, prompts, completions, around.shape, ...saved]);
    return {
      value,
      gradFunc: (dy: Tensor, kept: Tensor[]) => {
        const tensors = kept.slice();
        const again = layersOf(tensors.splice(0, WEIGHTS.length * layers.length));
        const [cosine, sine, rows, starts, ends, heads] = tensors.splice(0, 6);
        const then: Surroundings = {
          ...{ ops, config, shape: heads as Tensor1D },
          segments: { prompts: starts, completions: ends } as Segments,
          tables: { cos: cosine, sin: sine, at: rows } as RotaryTables,
        };
        const workOf = (i: number): LayerWork => {
          if (tape !== undefined) return fromTape(then, again[i], tape.layer(i));
          if (recompute) return forward(then, again[i], tensors[i] as Tensor2D, undefined);
          const own = tensors.slice(i * WORK.length, (i + 1) * WORK.length);
          return named(WORK, own) as unknown as LayerWork;
        };
        return backwardThrough(then, again, workOf, dy as Tensor2D);
      },
    };
  });
  return stack(x, ...weights) as Tensor2D;
}

/** A layer's work from what the tape keeps of it. */
function fromTape({ ops, config }: Surroundings, layer: FusedLayer, kept: TapeLayer): LayerWork {
  const [, xNormed, xInverse] = ops.addRmsNorm(
    ...([kept.x, undefined, layer.inputNorm, config.rmsNormEps] as const),
  );
  const [, yNormed, yInverse] = ops.addRmsNorm(
    ...([kept.y, undefined, layer.mlpNorm, config.rmsNormEps] as const),
  );
  return { ...kept, xNormed, xInverse, yNormed, yInverse, gated: ops.swiglu(kept.gateUp) };
}

/** What of a layer's work nobody needs once the next layer has begun: all but what enters it and what it hands on. */
function passing(name: keyof LayerWork, work: LayerWork): Tensor[] {
  return name === "x" || name === "y" ? [] : [work[name]];
}

/** `input weightᵀ` */
function product({ ops }: Surroundings, input: Tensor2D, weight: Tensor2D): Tensor2D {
  return tf.tidy(() => ops.linear(input, ops.packLinear(weight), weight.shape[0]));
}

/** One layer but for its last product, which the next one's norm takes up. @param delta what the layer before adds to `stream` */
function forward(
  around: Surroundings,
  layer: FusedLayer,
  stream: Tensor2D,
  delta: Tensor2D | undefined,
): LayerWork {
  const { ops, config, segments, tables, shape } = around;
  const { heads, kvHeads, rmsNormEps: eps } = config;
  const [x, xNormed, xInverse] = ops.addRmsNorm(stream, delta, layer.inputNorm, eps);
  const projected = product(around, xNormed, layer.qkv);
  const qkv = ops.rotary(projected, layer.qkvBias, tables, heads + kvHeads);
  projected.dispose();
  const [mixed, lse] = ops.attention(qkv, segments, shape);
  const written = product(around, mixed, layer.output);
  const [y, yNormed, yInverse] = ops.addRmsNorm(x, written, layer.mlpNorm, eps);
  written.dispose();
  const gateUp = product(around, yNormed, layer.gateUp);
  const gated = ops.swiglu(gateUp);
  return { x, xNormed, xInverse, qkv, mixed, lse, y, yNormed, yInverse, gateUp, gated };
}

/** Gradients of the embeddings and of every layer's weights, in the order in which the stack takes them. */
function backwardThrough(
  around: Surroundings,
  layers: readonly FusedLayer[],
  workOf: (layer: number) => LayerWork,
  dy: Tensor2D,
): Tensor[] {
  const gradients: Tensor[] = [];
  let slope = dy;
  for (let i = layers.length - 1; i >= 0; i--) {
    const { dx, weights } = tf.tidy(() => backward(around, layers[i], workOf(i), slope));
    if (i < layers.length - 1) slope.dispose();
    slope = dx;
    gradients.unshift(...WEIGHTS.map((name) => weights[name] as Tensor));
  }
  return [slope, ...gradients];
}

/** @param dOut gradient of what leaves the layer: `y + delta` */
function backward(
  { ops, config, segments, tables, shape }: Surroundings,
  layer: FusedLayer,
  work: LayerWork,
  dOut: Tensor2D,
): { dx: Tensor2D; weights: FusedLayer } {
  // Of y = x Wᵀ with W [out, in]: dx = dy W, dW = dyᵀ x.
  const product = (dy: Tensor2D, weight: Tensor2D): Tensor2D =>
    ops.linear(dy, ops.packLinear(weight, true), weight.shape[1]);
  const ofWeight = ops.weightGrad;

  const down = ofWeight(dOut, work.gated);
  const dGateUp = ops.swigluGrad(product(dOut, layer.down), work.gateUp);
  const gateUp = ofWeight(dGateUp, work.yNormed);
  const [dY, mlpNorm] = ops.addRmsNormGrad(
    ...([product(dGateUp, layer.gateUp), dOut, work.y, layer.mlpNorm, work.yInverse] as const),
  );
  const output = ofWeight(dY, work.mixed);
  const dRotated = ops.attentionGrad(
    ...([product(dY, layer.output), work.qkv, work.mixed, work.lse, segments, shape] as const),
  );
  const [dProjected, qkvBias] = ops.rotaryGrad(dRotated, tables, config.heads + config.kvHeads);
  const qkv = ofWeight(dProjected, work.xNormed);
  const [dx, inputNorm] = ops.addRmsNormGrad(
    ...([product(dProjected, layer.qkv), dY, work.x, layer.inputNorm, work.xInverse] as const),
  );
  return { dx, weights: { inputNorm, qkv, qkvBias, output, mlpNorm, gateUp, down } };
}

function layersOf(tensors: readonly Tensor[]): FusedLayer[] {
  return Array.from(
    { length: tensors.length / WEIGHTS.length },
    (_unused, i) =>
      named(
        WEIGHTS,
        tensors.slice(i * WEIGHTS.length, (i + 1) * WEIGHTS.length),
      ) as unknown as FusedLayer,
  );
}

function named(names: readonly string[], tensors: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
}

function segmentsOf({ promptLengths, completionLengths }: GroupedBatch): Segments {
  const prompts = starts(promptLengths, 0);
  return {
    prompts: tf.tensor1d(prompts, "int32"),
    completions: tf.tensor1d(starts(completionLengths, prompts[prompts.length - 1]), "int32"),
  };
}

/** Where each begins, and where the last ends. */
function starts(lengths: readonly number[], first: number): number[] {
  let at = first;
  return [first, ...lengths.map((length) => (at += length))];
}

/** Tables of the different positions only: text shares most of them between rows. @param positions `[3 · N]` */
function tablesOf(positions: Int32Array, config: DecoderConfig): RotaryTables {
  const known = new Map<number, number>();
  const different: number[] = [];
  const at = new Int32Array(positions.length / 3);
  for (let i = 0; i < at.length; i++) {
    const [t, h, w] = [positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]];
    const key = (t * 2 ** 17 + h) * 2 ** 17 + w;
    let row = known.get(key);
    if (row === undefined) {
      row = known.size;
      known.set(key, row);
      different.push(t, h, w);
    }
    at[i] = row;
  }
  const { cos, sin } = rotaryTables(different, config);
  const shape: [number, number] = [known.size, config.headDim];
  return {
    cos: tf.tensor2d(cos, shape),
    sin: tf.tensor2d(sin, shape),
    at: tf.tensor1d(at, "int32"),
  };
}
