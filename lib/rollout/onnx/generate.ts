/** Batched sampling on the ONNX model, token for token what `policy/generate.ts` samples on tfjs. */
import { groupBatch, rectangle, type GroupedBatch } from "../../policy/batch";
import type { PolicyConfig } from "../../policy/config";
import { MASKED } from "../../policy/layers";
import { rotaryTables } from "../../policy/positions";
import {
  closeLedger,
  compactionPays,
  joinFeatures,
  nextUniforms,
  openLedger,
  writeDown,
  type GenerateOptions,
  type PreparedPrompt,
  type SampledTokens,
} from "../../policy/sampling";
import { append, cacheFeeds, compactCache, startCache, type GroupCache } from "./cache";
import { drawTokens } from "./draw";
import { floats, integers, type ModelSession, type Feeds, type FloatTensor } from "./session";

/**
 * Samples `group` completions for every prompt. The event loop turns before every token.
 * @param config the configuration of the policy that `session` was built from
 * @returns one list a prompt
 * @throws LabError for an empty batch or options out of range; `AbortError` when the signal fires, between two tokens
 */
export async function generateOnnx(
  session: ModelSession,
  config: PolicyConfig,
  prompts: readonly PreparedPrompt[],
  options: GenerateOptions,
): Promise<SampledTokens[][]> {
  const { group, maxNewTokens, temperature, signal } = options;
  const ledger = openLedger(prompts, options, config.decoder);
  const batch = groupBatch(prompts, undefined, config);
  signal?.throwIfAborted();
  let outputs = await prefill(session, config, prompts, batch);
  const cache = startCache(outputs, batch.promptLengths, group, leastSize(session));
  for (let t = 0; t < maxNewTokens; t++) {
    signal?.throwIfAborted();
    const { data } = outputs.logits;
    // Every member of a group starts from its prompt's last state.
    const from = t === 0 ? (row: number) => Math.floor(row / group) : (row: number) => row;
    const drawn = drawTokens(
      { data, size: config.decoder.vocabSize, from },
      cache.rows.length,
      temperature,
      temperature === 0 ? undefined : nextUniforms(ledger, cache.rows),
    );
    const alive = writeDown(ledger, cache.rows, drawn);
    if (alive.length === 0 || t === maxNewTokens - 1) break;
    let kept = Int32Array.from(drawn.ids);
    if (compactionPays(alive.length, cache.rows.length)) {
      compactCache(cache, alive);
      kept = Int32Array.from(alive, (i) => drawn.ids[i]);
    }
    const positions = cache.rows.map((row) => batch.next[Math.floor(row / group)] + t);
    outputs = await step(session, config, cache, kept, positions);
    append(cache, outputs);
  }
  return closeLedger(ledger, group);
}

/** Runs the prompts. @returns the last tokens' logits `[P, V]` and all tokens' keys and values */
export function prefill(
  session: ModelSession,
  config: PolicyConfig,
  prompts: readonly PreparedPrompt[],
  { P, promptLengths, rows, positions }: GroupedBatch,
): Promise<Record<string, FloatTensor>> {
  const { vocabSize, hiddenSize, layers, kvHeads, headDim } = config.decoder;
  const { longest: T, pad } = rectangle(promptLengths);
  const [ids, images] = [new Int32Array(P * T), new Int32Array(P * T)];
  const laidOut = new Int32Array(3 * P * T);
  pad.forEach((token, cell) => {
    const picture = rows[token] - vocabSize;
    if (picture < 0) ids[cell] = rows[token];
    else images[cell] = picture + 1;
    laidOut.set(positions.subarray(3 * token, 3 * token + 3), 3 * cell);
  });
  // Padding comes after all that is read, so that the causal mask hides it as well.
  const least = leastSize(session);
  const width = 2 * least + T;
  const mask = new Float32Array(T * width);
  for (let t = 0; t < T; t++) {
    mask.fill(MASKED, t * width, t * width + 2 * least);
    mask.fill(MASKED, t * width + 2 * least + t + 1, (t + 1) * width);
  }
  const feeds: Feeds = {
    input_ids: integers(ids, P, 1, T),
    image_rows: integers(images, P, 1, T),
    image_features: pictureRows(joinFeatures(prompts), hiddenSize, least),
    mask: floats(mask, 1, 1, T, width),
    last: integers(
      Int32Array.from(promptLengths, (length, p) => p * T + length - 1),
      P,
    ),
    ...rotaryFeeds(laidOut, config),
  };
  const none = floats(new Float32Array(P * kvHeads * least * headDim), P, kvHeads, least, headDim);
  for (let i = 0; i < layers; i++) {
    for (const kind of ["prompt", "past"]) {
      for (const part of ["key", "value"]) feeds[`${kind}.${i}.${part}`] = none;
    }
  }
  return session.run(feeds);
}

/** Runs one token a row. @returns logits `[R, V]` and the tokens' keys and values */
function step(
  session: ModelSession,
  config: PolicyConfig,
  cache: GroupCache,
  tokens: Int32Array,
  positions: readonly number[],
): Promise<Record<string, FloatTensor>> {
  const { P, G } = cache;
  const rows = P * G;
  return session.run({
    input_ids: integers(tokens, P, G, 1),
    image_rows: integers(new Int32Array(rows), P, G, 1),
    image_features: pictureRows(new Float32Array(0), config.decoder.hiddenSize, leastSize(session)),
    last: integers(
      Int32Array.from({ length: rows }, (_unused, row) => row),
      rows,
    ),
    ...rotaryFeeds(
      positions.flatMap((at) => [at, at, at]),
      config,
    ),
    ...cacheFeeds(cache),
  });
}

/** WebGPU ends the process on a tensor without elements, so that there a masked token stands for an empty cache. */
function leastSize({ device }: ModelSession): number {
  return device === "webgpu" ? 1 : 0;
}

/** Picture tokens as rows, at least so many. */
function pictureRows(features: Float32Array, width: number, least: number): Feeds[string] {
  const rows = Math.max(least, features.length / width);
  const data = rows * width === features.length ? features : new Float32Array(rows * width);
  return floats(data, rows, width);
}

function rotaryFeeds(positions: ArrayLike<number>, { decoder }: PolicyConfig): Feeds {
  const { cos, sin } = rotaryTables(positions, decoder);
  const n = positions.length / 3;
  return { cos: floats(cos, n, decoder.headDim), sin: floats(sin, n, decoder.headDim) };
}
