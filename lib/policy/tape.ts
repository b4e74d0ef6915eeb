/**
 * What a rollout has computed and the first update on it needs again.
 *
 * Sampling runs every token through the same layers and the same weights as the forward pass of the update that follows.
 * Kept, that pass need not be made a second time: a quarter of a GRPO step's arithmetic. It holds for the first optimiser
 * step of a batch only, after which the weights are others, and it makes the ratio of that step 1 exactly.
 */
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { LANES, NOWHERE, type Field, type FusedOps, type Work } from "../engine/fused";
import { recurringSize } from "./batch";
import type { DecoderConfig } from "./config";
import type { SampledTokens } from "./sampling";

/**
 * What a layer's gradient needs of its forward pass, in the order of a tape's row: the stream that enters `[N, D]`, turned
 * projections `[N, C]`, mixed values `[N, H·d]` and their log-sums `[N, H]`, the stream after attention `[N, D]`, gate and
 * up `[N, 2F]`. The rest follows from it at the price of a copy.
 */
export const TAPE_FIELDS = ["x", "qkv", "mixed", "lse", "y", "gateUp"] as const;
export type TapeField = (typeof TAPE_FIELDS)[number];
export type LayerWork = Record<TapeField, Tensor2D>;

export interface Tape {
  /** Tokens of each prompt, in the order in which they were sampled. */
  promptLengths: readonly number[];
  /** Completions' tokens, `longest` a completion, then the prompts' `[L, R · longest + Np, S]`. */
  written: Tensor;
  /** The streams that leave the last layer `[1, R · longest + Np, D]`. */
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

/** Whether a tape of so many tokens fits into the memory that is set aside for it. */
export function tapeFits(config: DecoderConfig, tokens: number): boolean {
  return 4 * config.layers * tokens * tapeOffsets(config).end <= MOST_BYTES;
}

/** An empty tape for a rollout's prompts and completions. */
export function openTape(
  ops: FusedOps,
  config: DecoderConfig,
  { promptLengths, group, longest }: Pick<Tape, "promptLengths" | "group" | "longest">,
): Tape | undefined {
  const tokens =
    promptLengths.length * group * longest + promptLengths.reduce((sum, length) => sum + length, 0);
  if (!tapeFits(config, tokens)) return undefined;
  const written = ops.empty([config.layers, tokens, tapeOffsets(config).end]);
  const leaving = ops.empty([1, tokens, config.hiddenSize]);
  return {
    ...{ promptLengths, group, longest, written, leaving, completions: [] },
    dispose: () => tf.dispose([written, leaving]),
  };
}

/** Puts a layer of the prompts' forward pass on the tape. @param work `[Np, width]` each, rows beyond Np are left out */
export function recordPrompts(
  ops: FusedOps,
  config: DecoderConfig,
  tape: Tape,
  layer: number,
  work: LayerWork,
): void {
  const offsets = tapeOffsets(config);
  for (const field of TAPE_FIELDS) {
    const at = { layer, offset: offsets[field], row: firstPromptRow(tape) };
    tf.tidy(() => ops.writeTape(promptRows(tape, work[field]), tape.written, at));
  }
}

/** Puts the prompts' streams that leave the last layer on the tape. @param hidden `[N', D]` */
export function recordLeaving(ops: FusedOps, tape: Tape, hidden: Tensor2D): void {
  const at = { layer: 0, offset: 0, row: firstPromptRow(tape) };
  tf.tidy(() => ops.writeTape(promptRows(tape, hidden), tape.leaving, at));
}

const firstPromptRow = ({ promptLengths, group, longest }: Tape): number =>
  promptLengths.length * group * longest;

function promptRows({ promptLengths }: Tape, values: Tensor2D): Tensor2D {
  const tokens = promptLengths.reduce((sum, length) => sum + length, 0);
  return values.slice([0, 0], [tokens, -1]);
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
  layer(i: number): Work<TapeField>;
  /** `[N', D]`; without meaning for tokens that were never computed */
  leaving(): Tensor2D;
}

/** Log-probabilities of the batch's completion tokens, completion after completion. */
export function recordedLogprobs({ tape, prompts }: RecordedBatch): number[] {
  const { completions, group } = tape;
  return prompts.flatMap((p) =>
    completions.slice(p * group, (p + 1) * group).flatMap(({ logprobs }) => logprobs),
  );
}

export function readTape(tape: Tape, choice: TapeChoice, config: DecoderConfig): TapeReader {
  const index = tokenIndex(tape, choice);
  const offsets = tapeOffsets(config);
  const [, tokens, stride] = tape.written.shape;
  return {
    layer: (i) => {
      const fields = TAPE_FIELDS.map((field) => {
        const offset = i * tokens * stride + offsets[field];
        return [field, { memory: tape.written, offset, stride }];
      });
      return {
        fields: Object.fromEntries(fields) as Record<TapeField, Field>,
        index: tf.tensor1d(index, "int32"),
      };
    },
    leaving: () => {
      const rows = tape.leaving.reshape<Tensor2D>([tokens, -1]);
      return tf.gather(
        rows,
        tf.tensor1d(
          index.map((row) => Math.max(row, 0)),
          "int32",
        ),
      );
    },
  };
}

/** Where each of the update's tokens is on the tape. A completion's last token was drawn but never run. */
function tokenIndex(tape: Tape, { prompts, completionLengths }: TapeChoice): Int32Array {
  const { promptLengths, group, longest } = tape;
  let row = firstPromptRow(tape);
  const starts = promptLengths.map((length) => (row += length) - length);
  const index = prompts.flatMap((p) =>
    Array.from({ length: promptLengths[p] }, (_unused, t) => starts[p] + t),
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
