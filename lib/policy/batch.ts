/**
 * A grouped batch: P prompts, each followed by G completions that share it.
 *
 * A prompt and its picture are computed once and its keys and values serve all members of the group, in training as in
 * sampling; SFT is the case G = 1.
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

/**
 * Plain arrays that describe a grouped batch. Tokens lie end to end without padding, prompts first, then completions:
 * linear layers work on exactly the N tokens there are.
 */
export interface GroupedBatch {
  /** Prompts. */
  P: number;
  /** Completions a prompt. */
  G: number;
  promptLengths: number[];
  /** `[P · G]`, or empty when there are none. */
  completionLengths: number[];
  /** Row of the embedding table for each token, or `vocabSize + k` for the batch's k-th merged image token. `[N]` */
  rows: Int32Array;
  /** Temporal, height and width position of each token. `[N · 3]` */
  positions: Int32Array;
  /** Position at which each prompt's text would go on. `[P]` */
  next: number[];
  grids: Grid[];
}

/**
 * Lays out prompts and their completions.
 * @param completions one list a prompt, all of the same length G; omit for prompts alone
 * @throws LabError when groups differ in size, a prompt is empty, a placeholder run does not fit its picture, or a token is
 * out of range
 */
export function groupBatch(
  prompts: readonly PromptTokens[],
  completions: readonly (readonly (readonly number[])[])[] | undefined,
  config: PolicyConfig,
): GroupedBatch {
  const P = prompts.length;
  const G = completions?.[0]?.length ?? 1;
  if (completions?.some((group) => group.length !== G)) {
    throw fault("groupBatch", "groups have different sizes", {
      got: completions.map((group) => group.length),
      expected: `${G} completions for every prompt`,
    });
  }
  if (completions !== undefined && completions.length !== P) {
    throw fault("groupBatch", "as many groups of completions as prompts are needed", {
      got: completions.length,
      expected: String(P),
    });
  }
  const promptLengths = prompts.map((prompt) => prompt.ids.length);
  const written = completions?.flat() ?? [];
  // Left alone, an id beyond the vocabulary would read a picture's row of the table.
  written.forEach((ids, r) => checkTokens(ids, config, `completion ${r}`));
  const completionLengths = written.map((ids) => ids.length);
  const rows = new Int32Array(sum(promptLengths) + sum(completionLengths));
  const positions = new Int32Array(rows.length * 3);
  const next: number[] = [];
  let at = 0;
  let image = 0;
  prompts.forEach(({ ids, grids }, p) => {
    checkPrompt(ids, grids, config, p);
    const laidOut = promptPositions(ids, grids, config);
    positions.set(laidOut.positions, at * 3);
    next.push(laidOut.next);
    for (const id of ids) {
      rows[at++] = id === config.imageTokenId ? config.decoder.vocabSize + image++ : id;
    }
  });
  written.forEach((ids, r) => {
    const start = next[Math.floor(r / G)];
    ids.forEach((id, t) => {
      positions.fill(start + t, at * 3, at * 3 + 3);
      rows[at++] = id;
    });
  });
  const grids = prompts.flatMap((prompt) => prompt.grids.slice());
  return { P, G, promptLengths, completionLengths, rows, positions, next, grids };
}

/**
 * For every completion token, which of the batch's tokens predicts it: the prompt's last one for the first, the one
 * before it for the others.
 * @returns `source` and `target` token id, both `[sum of completion lengths]`, and the completion each belongs to
 */
export function predictionIndices(batch: GroupedBatch): {
  source: Int32Array;
  target: Int32Array;
  row: Int32Array;
} {
  const { G, promptLengths, completionLengths } = batch;
  const n = sum(completionLengths);
  const [source, target, row] = [new Int32Array(n), new Int32Array(n), new Int32Array(n)];
  const ends = lastTokens(promptLengths);
  const base = sum(promptLengths);
  let at = 0;
  completionLengths.forEach((length, r) => {
    for (let t = 0; t < length; t++, at++) {
      source[at] = t === 0 ? ends[Math.floor(r / G)] : base + at - 1;
      target[at] = batch.rows[base + at];
      row[at] = r;
    }
  });
  return { source, target, row };
}

/** Index of each prompt's last token. */
export function lastTokens(lengths: readonly number[]): number[] {
  let end = -1;
  return lengths.map((length) => (end += length));
}

/**
 * How rows of unequal length become a rectangle and go back.
 * @param longest the rectangle's width, no less than the longest row
 * @returns `pad`: for each cell of `[rows · longest]` its token (padding repeats token 0); `unpad`: for each token its cell
 */
export function rectangle(
  lengths: readonly number[],
  longest = Math.max(0, ...lengths),
): {
  longest: number;
  pad: Int32Array;
  unpad: Int32Array;
} {
  const pad = new Int32Array(lengths.length * longest);
  const unpad = new Int32Array(sum(lengths));
  let at = 0;
  lengths.forEach((length, r) => {
    for (let t = 0; t < length; t++, at++) {
      pad[r * longest + t] = at;
      unpad[at] = r * longest + t;
    }
  });
  return { longest, pad, unpad };
}

/**
 * The next of few sizes, at most a sixteenth above `n`. oneDNN compiles a matrix product anew for each size that it meets
 * (measured: 5 to 13 s in a first step, and steps a half slower after some hundred ragged batches), so what differs
 * from batch to batch is rounded up to sizes that come again.
 */
export function recurringSize(n: number): number {
  const unit = 2 ** Math.max(3, Math.ceil(Math.log2(Math.max(1, n))) - 4);
  return Math.ceil(n / unit) * unit;
}

function checkPrompt(
  ids: readonly number[],
  grids: readonly Grid[],
  config: PolicyConfig,
  p: number,
): void {
  if (ids.length === 0) {
    throw fault("groupBatch", `prompt ${p} has no tokens`, { expected: "at least one" });
  }
  checkTokens(ids, config, `prompt ${p}`);
  const placeholders = ids.filter((id) => id === config.imageTokenId).length;
  const expected = grids.map((grid) => mergedTokens(grid, config.vision.mergeSize));
  let at = 0;
  const whole = expected.every((length) => {
    const start = ids.indexOf(config.imageTokenId, at);
    at = start + length;
    const run = start === -1 ? [] : ids.slice(start, at);
    return run.length === length && run.every((id) => id === config.imageTokenId);
  });
  if (placeholders !== sum(expected) || !whole) {
    throw fault("groupBatch", `prompt ${p}'s image tokens do not fit its pictures`, {
      got: `${placeholders} placeholders`,
      expected: `one a merged patch, in runs of ${JSON.stringify(expected)}`,
      try: "encodePrompt of the policy's own processor",
    });
  }
}

function checkTokens(ids: readonly number[], { decoder }: PolicyConfig, where: string): void {
  const stray = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= decoder.vocabSize);
  if (stray !== undefined) {
    throw fault("groupBatch", `token out of the policy's vocabulary in ${where}`, {
      got: stray,
      expected: `0 to ${decoder.vocabSize - 1}`,
      try: "the tokenizer that belongs to this checkpoint",
    });
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
