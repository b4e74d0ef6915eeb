/**
 * What a rollout has computed and the first update on it needs again.
 *
 * Sampling runs every token through the same layers and the same weights as the forward pass of the update that follows.
 * Kept, that pass need not be made a second time: a quarter of a GRPO step's arithmetic. It holds for the first optimiser
 * step of a batch only, after which the weights are others, and it makes the ratio of that step 1 exactly.
 */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { LANES, NOWHERE, type FusedOps } from "../engine/fused";
import { recurringSize } from "./batch";
import type { DecoderConfig } from "./config";
import type { SampledTokens } from "./sampling";

/** What is kept of a layer: the rest follows from it at the price of a copy. Widths in the order of the tape's fields. */
export const TAPE_FIELDS = ["x", "qkv", "mixed", "lse", "y", "gateUp"] as const;
export type TapeField = (typeof TAPE_FIELDS)[number];
export type TapeLayer = Record<TapeField, Tensor2D>;

export interface Tape {
  /** Prompts' tokens of every layer `[Np, width]`. */
  prompts: TapeLayer[];
  /** The streams that leave the last layer, of the prompts' tokens `[Np, D]`. */
  promptsLeaving: Tensor2D | undefined;
  /** Tokens of each prompt, in the order in which they were sampled. */
  promptLengths: readonly number[];
  /** Completions' tokens: a slot a completion, `longest` tokens a slot `[L, R · longest, S]`. */
  written: Tensor;
  /** `[1, R · longest, D]` */
  leaving: Tensor;
  /** What was sampled, a completion a slot; there when the rollout has ended. */
  completions: readonly SampledTokens[];
  group: number;
  longest: number;
  dispose(): void;
}

/** A batch that is a part of a rollout. */
export interface RecordedBatch {
  tape: Tape;
  /** Which of the rollout's prompts it holds, in its order. */
  prompts: readonly number[];
}

/** A gigabyte; beyond it the forward pass is made again. */
const MOST_BYTES = 2 ** 30;

export function tapeWidths(config: DecoderConfig): Record<TapeField, number> {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  return {
    x: hiddenSize,
    qkv: (heads + 2 * kvHeads) * headDim,
    mixed: heads * headDim,
    lse: heads,
    y: hiddenSize,
    gateUp: 2 * intermediateSize,
  };
}

/**
 * The batch as a part of the rollout that a tape is of.
 * @param places which of the rollout's prompts its groups were sampled for, -1 for none
 * @param groups the completions' tokens
 * @returns nothing where a completion is not the very one that was sampled there
 */
export function recordedBatch(
  tape: Tape | undefined,
  places: readonly number[],
  groups: readonly (readonly { ids: readonly number[] }[])[],
): RecordedBatch | undefined {
  if (tape === undefined) return undefined;
  const same = groups.every((group, i) =>
    group.every(({ ids }, g) => tape.completions[places[i] * tape.group + g]?.ids === ids),
  );
  return same ? { tape, prompts: places } : undefined;
}

/** Where a field begins in a token's row of the tape, and how wide a row is: each field from a multiple of 16 on. */
export function tapeOffsets(config: DecoderConfig): Record<TapeField, number> & { end: number } {
  const widths = tapeWidths(config);
  let end = 0;
  const offsets = TAPE_FIELDS.map((field) => {
    const from = end;
    end += Math.ceil(widths[field] / LANES) * LANES;
    return [field, from];
  });
  return { ...(Object.fromEntries(offsets) as Record<TapeField, number>), end };
}

/** Whether a rollout's tape fits into the memory that is set aside for it. */
export function tapeFits(config: DecoderConfig, rows: number, longest: number): boolean {
  return 4 * config.layers * rows * longest * tapeOffsets(config).end <= MOST_BYTES;
}

/** A part of a rollout as the update lays it out: prompts first, then their completions. */
export interface TapeChoice {
  /** Which of the rollout's prompts. */
  prompts: readonly number[];
  /** Tokens of each completion of these prompts. */
  completionLengths: readonly number[];
}

/** Reads a chosen part of a tape in the update's order. The caller's tidy owns what it gives. */
export interface TapeReader {
  layer(i: number): TapeLayer;
  /** `[N', D]` */
  leaving(): Tensor2D;
}

/** Log-probabilities of the batch's completion tokens, completion after completion. */
export function recordedLogprobs({ tape, prompts }: RecordedBatch): number[] {
  const { completions, group } = tape;
  return prompts.flatMap((p) =>
    completions.slice(p * group, (p + 1) * group).flatMap(({ logprobs }) => logprobs),
  );
}

export function readTape(
  ops: FusedOps,
  tape: Tape,
  choice: TapeChoice,
  config: DecoderConfig,
): TapeReader {
  const index = tokenIndex(tape, choice);
  const [widths, offsets] = [tapeWidths(config), tapeOffsets(config)];
  const read = <T>(work: (at: Tensor1D) => T): T => {
    const at = tf.tensor1d(index, "int32");
    const result = work(at);
    at.dispose();
    return result;
  };
  return {
    layer: (i) =>
      read((at) => {
        const fields = TAPE_FIELDS.map((field) => {
          const which = [i, offsets[field], widths[field]] as const;
          return [field, ops.readTape(tape.prompts[i][field], tape.written, which, at)];
        });
        return Object.fromEntries(fields) as TapeLayer;
      }),
    leaving: () =>
      read((at) =>
        ops.readTape(tape.promptsLeaving as Tensor2D, tape.leaving, [0, 0, config.hiddenSize], at),
      ),
  };
}

/** Where each of the update's tokens is on the tape. A completion's last token was drawn but never run. */
function tokenIndex(tape: Tape, { prompts, completionLengths }: TapeChoice): Int32Array {
  const { promptLengths, group, longest } = tape;
  const starts = promptLengths.map((_length, p) =>
    promptLengths.slice(0, p).reduce((a, b) => a + b, 0),
  );
  const index = prompts.flatMap((p) =>
    Array.from({ length: promptLengths[p] }, (_unused, t) => -1 - (starts[p] + t)),
  );
  completionLengths.forEach((length, r) => {
    const slot = prompts[Math.floor(r / group)] * group + (r % group);
    for (let t = 0; t < length - 1; t++) index.push(slot * longest + t);
    index.push(NOWHERE);
  });
  const whole = new Int32Array(recurringSize(index.length)).fill(NOWHERE);
  whole.set(index);
  return whole;
}
