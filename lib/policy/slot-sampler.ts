/**
 * Sampling's keys and values for the lab's own operations: every row has a slot that is written in place, a group's
 * prompt is stored once, and rows that have finished are simply not named any more. Nothing is copied from step to step.
 */
import type { Tensor, Tensor1D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { LANES, type FusedOps } from "../engine/fused";
import type { DecoderConfig } from "./config";
import { embed, logits, withSpareRows, type FusedDecoder } from "./decoder";
import { draw, readDrawn } from "./draw";
import { decoderOps, fusedLayers } from "./fused-decoder";
import { repeatLast, type Sampler, type SamplerStart } from "./plain-sampler";
import { rotaryTables } from "./positions";
import { openTape, recordLeaving, recordPrompts, type Tape } from "./tape";

/** Blocks of 16 tokens that a slot has room for at first; they double when that is not enough. */
const FIRST_BLOCKS = 16;

/** The operations where there are any and they fit the decoder: a step reads heads 32 numbers at a time. */
export function slotOps(config: DecoderConfig): FusedOps | undefined {
  return config.headDim % (2 * LANES) === 0 ? decoderOps(config) : undefined;
}

export interface SlotSampler extends Sampler {
  /** What was recorded, where it was asked for; the caller owns it from now on. */
  takeTape(): Tape | undefined;
}

/**
 * Runs the prompts, each once for its whole group.
 * @param start.maxNewTokens tokens that a row may grow to @param start.record whether to make a tape, if memory allows
 */
export function createSlotSampler(
  ops: FusedOps,
  start: SamplerStart<FusedDecoder> & { maxNewTokens: number; record: boolean },
): SlotSampler {
  const { config, decoder, batch, images, group, temperature, maxNewTokens, record } = start;
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabSize } = config;
  const promptBlocks = blocksOf(Math.max(...batch.promptLengths));
  let blocks = Math.min(FIRST_BLOCKS, blocksOf(maxNewTokens));
  let slots = Array.from({ length: batch.P * group }, (_unused, row) => row);
  let written = 0;
  const rows = slots.length;
  const { promptLengths } = batch;
  const tape = record
    ? openTape(ops, config, { promptLengths, group, longest: maxNewTokens })
    : undefined;
  // Text goes on with equal temporal, height and width positions, so that one row a position is all that is needed.
  const end = Math.max(...batch.next) + maxNewTokens;

  const { first, nothing, ...fixed } = tf.tidy(() => {
    const { rows: tokens, positions } = withSpareRows(batch);
    const packed: Tensor[] = [];
    const shape = tf.tensor1d([heads, kvHeads, headDim, promptBlocks], "int32");
    const table = rotaryTables(
      Array.from({ length: 3 * end }, (_unused, i) => Math.floor(i / 3)),
      config,
    );
    try {
      const x = embed(decoder, images, tokens);
      const hidden = fusedLayers(ops, decoder, config, batch, x, positions, {
        keep: (i, work, starts) => {
          packed[i] = tf.keep(ops.packPrompts(work.qkv, starts, shape));
          if (tape !== undefined) recordPrompts(ops, config, tape, i, work);
        },
      });
      if (tape !== undefined) recordLeaving(ops, tape, hidden);
      return {
        first: logits(decoder, config, repeatLast(hidden, batch, group)),
        prompts: tf.stack(packed),
        weights: packedWeights(ops, decoder),
        cos: tf.tensor2d(table.cos, [end, headDim]),
        sin: tf.tensor2d(table.sin, [end, headDim]),
        numbers: tf.tensor1d([temperature, config.rmsNormEps]),
        shape: tf.tensor1d(
          [hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabSize, maxNewTokens],
          "int32",
        ),
        nothing: tf.tensor1d([]),
      };
    } catch (error) {
      tape?.dispose();
      throw error;
    } finally {
      tf.dispose(packed);
    }
  });
  let handedOver = false;
  let own: Tensor4D = tf.fill([layers, rows, blocks, kvHeads * 2 * LANES * headDim], 0);
  const grow = (): void => {
    const wider = tf.tidy(() => tf.concat([own, tf.zerosLike(own)], 2));
    own.dispose();
    own = wider;
    blocks *= 2;
  };

  return {
    first: (uniforms) => draw(ops, first, { temperature, uniforms }),
    next: (tokens, positions, uniforms) => {
      if (written === blocks * LANES) grow();
      const places = new Int32Array(5 * slots.length);
      slots.forEach((slot, i) => {
        const prompt = Math.floor(slot / group);
        places.set([slot, prompt, promptLengths[prompt], written, positions[i]], 5 * i);
      });
      written++;
      const drawn = tf.tidy(() =>
        ops.decodeStep({
          ...fixed,
          own,
          embedding: decoder.embedding,
          tokens: tf.tensor1d(Int32Array.from(tokens), "int32"),
          places: tf.tensor2d(places, [slots.length, 5], "int32"),
          uniforms: tf.tensor1d(uniforms),
          tape: tape?.written ?? nothing,
          leaving: tape?.leaving ?? nothing,
        }),
      );
      return readDrawn(drawn);
    },
    leavingPays: (alive, rows) => alive < rows,
    keep: (places) => {
      slots = places.map((place) => slots[place]);
    },
    takeTape: () => {
      handedOver = true;
      return tape;
    },
    dispose: () => {
      tf.dispose([own, first, nothing, ...Object.values(fixed)]);
      if (!handedOver) tape?.dispose();
    },
  };
}

/** The decoder's parameters in the order of {@link StepInputs.weights}. */
function packedWeights(ops: FusedOps, { layers, norm, head }: FusedDecoder): Tensor1D {
  const parts = layers.flatMap((layer) => [
    layer.inputNorm,
    ops.packLinear(layer.qkv),
    layer.qkvBias,
    ops.packLinear(layer.output),
    layer.mlpNorm,
    ops.packLinear(layer.gateUp),
    ops.packLinear(layer.down),
  ]);
  return tf.concat([...parts, norm, ops.packLinear(head)].map((part) => part.flatten()));
}

/** Keys and values are stored by blocks of 16 tokens. */
function blocksOf(tokens: number): number {
  return Math.ceil(tokens / LANES);
}
