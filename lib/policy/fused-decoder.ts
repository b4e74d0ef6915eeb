/**
 * The decoder's layers on the lab's own operations, forward and backward in closed form: one node on tfjs's tape instead of
 * some fifty a layer, and attention over exactly the tokens there are. `decoder.ts` is the same computation in tfjs's own
 * operations and says what every step means; the two are tested against each other.
 */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import {
  fusedOps,
  LANES,
  type Field,
  type FusedOps,
  type RotaryTables,
  type Segments,
  type Work,
} from "../engine/fused";
import type { GroupedBatch } from "./batch";
import type { DecoderConfig } from "./config";
import type { FusedDecoder, FusedLayer } from "./decoder";
import { rotaryTables } from "./positions";
import { TAPE_FIELDS, type LayerWork, type TapeField, type TapeReader } from "./tape";

/** A gigabyte of weights. */
const MOST_NUMBERS = 2 ** 28;

/**
 * Whether a decoder is so large that nothing should hold a copy of it. The fused operations read one put together and
 * packed, three times its memory in all, and what they save beside the products is nothing at such widths.
 */
export function tooLargeToCopy(config: DecoderConfig): boolean {
  const { hiddenSize, intermediateSize, heads, headDim, layers, vocabSize } = config;
  const layer = hiddenSize * (3 * intermediateSize + 2 * heads * headDim);
  return layers * layer + vocabSize * hiddenSize > MOST_NUMBERS;
}

/** The lab's own operations where there are any and they fit the decoder's widths and size. */
export function decoderOps(config: DecoderConfig): FusedOps | undefined {
  const { hiddenSize, intermediateSize, heads, headDim } = config;
  const wide = [hiddenSize, intermediateSize, heads * headDim].every(
    (width) => width % (2 * LANES) === 0,
  );
  const fits = wide && headDim % LANES === 0 && !tooLargeToCopy(config);
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
  keep?: (layer: number, work: LayerWork, prompts: Tensor1D) => void;
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
        saved.push(...(recompute ? [work.x] : workTensors(work)));
        tf.dispose(recompute ? [...entered, ...passing(work)] : [work.gated]);
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
        const inOrder = tf.tensor1d([], "int32");
        const workOf = (i: number): Work<TapeField> => {
          if (tape !== undefined) return tape.layer(i);
          const own = recompute
            ? workTensors(forward(then, again[i], tensors[i] as Tensor2D, undefined))
            : tensors.slice(i * TAPE_FIELDS.length, (i + 1) * TAPE_FIELDS.length);
          return { fields: fieldsOf(own), index: inOrder };
        };
        return backwardThrough(then, again, workOf, dy as Tensor2D);
      },
    };
  });
  return stack(x, ...weights) as Tensor2D;
}

/** Tensors of {@link TAPE_FIELDS} as fields of their own. */
function fieldsOf(tensors: readonly Tensor[]): Record<TapeField, Field> {
  const fields = tensors.map((memory, i) => [
    TAPE_FIELDS[i],
    { memory, offset: 0, stride: memory.shape[1] },
  ]);
  return Object.fromEntries(fields) as Record<TapeField, Field>;
}

/** A layer's work in the order of {@link TAPE_FIELDS}. */
function workTensors(work: LayerWork): Tensor2D[] {
  return TAPE_FIELDS.map((name) => work[name]);
}

/** What of a layer's work nobody needs once the next layer has begun: all but what enters it and what it hands on. */
function passing({ qkv, mixed, lse, gateUp, gated }: ForwardWork): Tensor[] {
  return [qkv, mixed, lse, gateUp, gated];
}

/** `input weightᵀ` */
function product({ ops }: Surroundings, input: Tensor2D, weight: Tensor2D): Tensor2D {
  return tf.tidy(() => ops.linear(input, ops.packLinear(weight), weight.shape[0]));
}

/** A layer's work, and what its last product reads `[N, F]`. */
type ForwardWork = LayerWork & { gated: Tensor2D };

/** One layer but for its last product, which the next one's norm takes up. @param delta what the layer before adds to `stream` */
function forward(
  around: Surroundings,
  layer: FusedLayer,
  stream: Tensor2D,
  delta: Tensor2D | undefined,
): ForwardWork {
  const { ops, config, segments, tables, shape } = around;
  const { heads, kvHeads, rmsNormEps: eps } = config;
  const norm = (
    value: Tensor2D,
    added: Tensor2D | undefined,
    gain: Tensor1D,
  ): [sum: Tensor2D, normed: Tensor2D] =>
    tf.tidy(() => ops.addRmsNorm(value, added, gain, eps).slice(0, 2) as [Tensor2D, Tensor2D]);

  const [x, xNormed] = norm(stream, delta, layer.inputNorm);
  const projected = product(around, xNormed, layer.qkv);
  const qkv = ops.rotary(projected, layer.qkvBias, tables, heads + kvHeads);
  const [mixed, lse] = ops.attention(qkv, segments, shape);
  const written = product(around, mixed, layer.output);
  const [y, yNormed] = norm(x, written, layer.mlpNorm);
  const gateUp = product(around, yNormed, layer.gateUp);
  const gated = ops.swiglu(gateUp);
  tf.dispose([xNormed, projected, written, yNormed]);
  return { x, qkv, mixed, lse, y, gateUp, gated };
}

/** Gradients of the embeddings and of every layer's weights, in the order in which the stack takes them. */
function backwardThrough(
  around: Surroundings,
  layers: readonly FusedLayer[],
  workOf: (layer: number) => Work<TapeField>,
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
  { ops, config: { heads, kvHeads, rmsNormEps: eps }, segments, tables, shape }: Surroundings,
  layer: FusedLayer,
  work: Work<TapeField>,
  dOut: Tensor2D,
): { dx: Tensor2D; weights: FusedLayer } {
  const { dY, dMixed, ...after } = ops.afterAttentionGrad(dOut, work, layer, eps);
  const dTurned = ops.attentionGrad(dMixed, work, segments, shape);
  const { dx, ...before } = ops.beforeAttentionGrad(
    ...([dTurned, dY, work, layer, tables, heads + kvHeads, eps] as const),
  );
  return { dx, weights: { ...before, ...after } };
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
