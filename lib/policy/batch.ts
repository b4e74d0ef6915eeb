/**
 * A grouped batch: P prompts, each followed by G completions that share it.
 *
 * A prompt and its picture are computed once and its keys and values serve all members of the group, in training as in
 * sampling; SFT is the case G = 1. Rows are padded on the right, so that a causal mask is all that hides the padding
 * inside a segment.
 */
import { fault } from "../engine/errors";
import type { PolicyConfig } from "./config";
import { promptPositions } from "./positions";
import { mergedTokens, type Grid } from "./vision";

/** A prompt's tokens with image placeholders expanded, and its pictures' grids. */
export interface PromptTokens {
  ids: readonly number[];
  grids: readonly Grid[];
}

/** Plain arrays that describe a grouped batch; see the fields for shapes. */
export interface GroupedBatch {
  /** Prompts. */
  P: number;
  /** Completions a prompt. */
  G: number;
  /** Longest prompt. */
  Tp: number;
  /** Longest completion; 0 when there are none. */
  Tc: number;
  /**
   * Row of the embedding table for each prompt token, or `vocabSize + k` for the batch's k-th merged image token.
   * `[P · Tp]`
   */
  promptRows: Int32Array;
  /** `[P · Tp · 3]` */
  promptPositions: Int32Array;
  promptLengths: number[];
  /** `[P · G · Tc]` */
  completionRows: Int32Array;
  /** `[P · G · Tc · 3]` */
  completionPositions: Int32Array;
  /** `[P · G]` */
  completionLengths: number[];
  /** Position at which each prompt's text would go on. `[P]` */
  next: number[];
  grids: Grid[];
}

/**
 * Lays out prompts and their completions.
 * @param completions one list a prompt, all of the same length G; omit for prompts alone
 * @throws LabError when groups differ in size, a placeholder run does not fit its picture, or a token is out of range
 */
export function groupBatch(
  prompts: readonly PromptTokens[],
  completions: readonly (readonly (readonly number[])[])[] | undefined,
  config: PolicyConfig,
): GroupedBatch {
  const P = prompts.length;
  const G = completions?.[0]?.length ?? 1;
  const { vocabSize, padTokenId } = config.decoder;
  if (completions?.some((group) => group.length !== G)) {
    throw fault("groupBatch", "groups have different sizes", {
      got: completions.map((group) => group.length),
      expected: `${G} completions for every prompt`,
    });
  }
  const promptLengths = prompts.map((prompt) => prompt.ids.length);
  const rows = completions?.flat() ?? [];
  const completionLengths = rows.map((row) => row.length);
  const Tp = Math.max(...promptLengths);
  const Tc = Math.max(0, ...completionLengths);

  const promptRows = new Int32Array(P * Tp).fill(padTokenId);
  const positions = new Int32Array(P * Tp * 3);
  const next: number[] = [];
  let image = 0;
  prompts.forEach(({ ids, grids }, p) => {
    const placeholders = ids.filter((id) => id === config.imageTokenId).length;
    const expected = grids.reduce(
      (sum, grid) => sum + mergedTokens(grid, config.vision.mergeSize),
      0,
    );
    if (placeholders !== expected) {
      throw fault("groupBatch", `prompt ${p}'s image tokens do not fit its pictures`, {
        got: `${placeholders} placeholders`,
        expected: `${expected}, one a merged patch`,
        try: "encodePrompt of the policy's own processor",
      });
    }
    ids.forEach((id, i) => {
      if (id < 0 || id >= vocabSize) {
        throw fault("groupBatch", `token out of the policy's vocabulary in prompt ${p}`, {
          got: id,
          expected: `0 to ${vocabSize - 1}`,
          try: "the tokenizer that belongs to this checkpoint",
        });
      }
      promptRows[p * Tp + i] = id === config.imageTokenId ? vocabSize + image++ : id;
    });
    const laidOut = promptPositions(ids, grids, config);
    positions.set(laidOut.positions, p * Tp * 3);
    next.push(laidOut.next);
  });

  const completionRows = new Int32Array(rows.length * Tc).fill(padTokenId);
  const completionPositions = new Int32Array(rows.length * Tc * 3);
  rows.forEach((ids, r) => {
    completionRows.set(ids, r * Tc);
    const start = next[Math.floor(r / G)];
    for (let t = 0; t < Tc; t++) {
      completionPositions.fill(start + t, (r * Tc + t) * 3, (r * Tc + t) * 3 + 3);
    }
  });
  return {
    P,
    G,
    Tp,
    Tc,
    promptRows,
    promptPositions: positions,
    promptLengths,
    completionRows,
    completionPositions,
    completionLengths,
    next,
    grids: prompts.flatMap((prompt) => prompt.grids.slice()),
  };
}

/**
 * For every completion token, where among the batch's hidden states the state lies that predicts it: the prompt's last
 * one for the first token, the one before it for the others. Hidden states are ordered prompts first.
 * @returns `source` and `target`, both `[sum of completion lengths]`, and `row` of each token
 */
export function predictionIndices(batch: GroupedBatch): {
  source: Int32Array;
  target: Int32Array;
  row: Int32Array;
} {
  const { P, G, Tp, Tc, completionLengths } = batch;
  const n = completionLengths.reduce((a, b) => a + b, 0);
  const [source, target, row] = [new Int32Array(n), new Int32Array(n), new Int32Array(n)];
  let at = 0;
  completionLengths.forEach((length, r) => {
    const p = Math.floor(r / G);
    for (let t = 0; t < length; t++, at++) {
      source[at] = t === 0 ? p * Tp + batch.promptLengths[p] - 1 : P * Tp + r * Tc + t - 1;
      target[at] = batch.completionRows[r * Tc + t];
      row[at] = r;
    }
  });
  return { source, target, row };
}
