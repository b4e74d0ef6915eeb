/**
 * Keys and values between two calls of the decoder model.
 *
 * A prompt's are kept once a group. The rows' own lie in buffers with room for more tokens than are written, so that
 * appending a token writes one vector a head instead of copying the cache; the mask hides the room that is left.
 */
import { MASKED } from "../../policy/layers";
import { floats, type Feeds, type FloatTensor } from "./session";

interface KeysAndValues {
  key: Float32Array;
  value: Float32Array;
}

const PARTS = ["key", "value"] as const;

/** Tokens by which the room grows. */
const ROOM = 16;

export interface GroupCache {
  /** Rows still being written, as indices into all rows. */
  rows: number[];
  /** Prompts and members a prompt in the buffers' layout. */
  P: number;
  G: number;
  /** Tokens of the longest prompt. */
  Tp: number;
  /** Of each prompt in the layout. */
  promptLengths: number[];
  /** Tokens each row has written, and for how many there is room. */
  written: number;
  room: number;
  kvHeads: number;
  headDim: number;
  /** `[P, KV, Tp, d]` a layer */
  prompt: KeysAndValues[];
  /** `[P, KV·G, room, d]` a layer */
  own: KeysAndValues[];
}

/**
 * What groups of G members start from.
 * @param outputs of the prefill
 * @param least tokens that the rows' own buffers must have room for before anything is written
 */
export function startCache(
  outputs: Record<string, FloatTensor>,
  promptLengths: readonly number[],
  G: number,
  least = 0,
): GroupCache {
  const [P, kvHeads, Tp, headDim] = outputs["new.0.key"].dims;
  const layers = Object.keys(outputs).filter((name) => /^new\.\d+\.key$/.test(name)).length;
  const empty = (): KeysAndValues => ({ key: new Float32Array(0), value: new Float32Array(0) });
  const cache: GroupCache = {
    rows: Array.from({ length: P * G }, (_unused, row) => row),
    P,
    G,
    Tp,
    promptLengths: promptLengths.slice(),
    written: 0,
    room: 0,
    kvHeads,
    headDim,
    prompt: Array.from({ length: layers }, (_unused, i) => ({
      key: outputs[`new.${i}.key`].data,
      value: outputs[`new.${i}.value`].data,
    })),
    own: Array.from({ length: layers }, empty),
  };
  if (least > 0) grow(cache);
  return cache;
}

/** The model's cache inputs and the mask for a call of one token a row. */
export function cacheFeeds(cache: GroupCache): Feeds {
  const { P, G, Tp, room, kvHeads, headDim } = cache;
  const feeds: Feeds = { mask: decodeMask(cache) };
  cache.prompt.forEach((layer, i) => {
    for (const part of PARTS) {
      feeds[`prompt.${i}.${part}`] = floats(layer[part], P, kvHeads, Tp, headDim);
      feeds[`past.${i}.${part}`] = floats(cache.own[i][part], P, kvHeads * G, room, headDim);
    }
  });
  return feeds;
}

/** Adds the token of each row that a call has computed. */
export function append(cache: GroupCache, outputs: Record<string, FloatTensor>): void {
  if (cache.written === cache.room) grow(cache);
  const { P, G, kvHeads, headDim, room, written } = cache;
  const heads = P * G * kvHeads;
  cache.own.forEach((layer, i) => {
    for (const part of PARTS) {
      const token = outputs[`new.${i}.${part}`].data;
      const own = layer[part];
      for (let h = 0; h < heads; h++) {
        const to = (h * room + written) * headDim;
        for (let j = 0; j < headDim; j++) own[to + j] = token[h * headDim + j];
      }
    }
  });
  cache.written++;
}

/** Keeps the rows at places `alive` only; afterwards every row stands alone (G = 1) with its own prompt. */
export function compactCache(cache: GroupCache, alive: readonly number[]): void {
  const { G, Tp, room, kvHeads, headDim } = cache;
  const prompts = alive.map((i) => Math.floor(i / G));
  // The buffers are laid out prompt, key/value head, member.
  const members = alive.flatMap((i) =>
    Array.from(
      { length: kvHeads },
      (_unused, h) => (Math.floor(i / G) * kvHeads + h) * G + (i % G),
    ),
  );
  const each = (layer: KeysAndValues, blocks: readonly number[], size: number): KeysAndValues => ({
    key: gatherBlocks(layer.key, blocks, size),
    value: gatherBlocks(layer.value, blocks, size),
  });
  cache.prompt = cache.prompt.map((layer) => each(layer, prompts, kvHeads * Tp * headDim));
  cache.own = cache.own.map((layer) => each(layer, members, room * headDim));
  cache.promptLengths = prompts.map((p) => cache.promptLengths[p]);
  cache.rows = alive.map((i) => cache.rows[i]);
  cache.P = alive.length;
  cache.G = 1;
}

/** Hides the prompts' padding and the room that is not written yet. `[P or 1, 1, 1, Tp + room + 1]` */
function decodeMask({ Tp, room, written, promptLengths }: GroupCache): Feeds[string] {
  const even = promptLengths.every((length) => length === Tp);
  const lengths = even ? [Tp] : promptLengths;
  const width = Tp + room + 1;
  const mask = new Float32Array(lengths.length * width);
  lengths.forEach((length, p) => {
    mask.fill(MASKED, p * width + length, p * width + Tp);
    mask.fill(MASKED, p * width + Tp + written, p * width + Tp + room);
  });
  return floats(mask, lengths.length, 1, 1, width);
}

function grow(cache: GroupCache): void {
  const { P, G, kvHeads, headDim, room } = cache;
  const wider = room + ROOM;
  const heads = P * G * kvHeads;
  const widen = (from: Float32Array): Float32Array => {
    const to = new Float32Array(heads * wider * headDim);
    for (let h = 0; h < heads; h++) {
      to.set(from.subarray(h * room * headDim, (h + 1) * room * headDim), h * wider * headDim);
    }
    return to;
  };
  cache.own = cache.own.map(({ key, value }) => ({ key: widen(key), value: widen(value) }));
  cache.room = wider;
}

function gatherBlocks(from: Float32Array, blocks: readonly number[], size: number): Float32Array {
  const to = new Float32Array(blocks.length * size);
  blocks.forEach((block, i) => to.set(from.subarray(block * size, (block + 1) * size), i * size));
  return to;
}
