/**
 * Batched sampling with a KV cache.
 *
 * A prompt is prefilled once and serves its whole group. Every row draws from a random stream of its own, keyed by the
 * caller, so that a completion does not depend on what else is in the batch. Rows that have finished leave the batch
 * as soon as enough of them have.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { groupBatch, lastTokens, type GroupedBatch } from "./batch";
import {
  decode,
  decoderLayer,
  embed,
  fuseDecoder,
  groupAttention,
  logits,
  rotaryTensors,
  type FusedDecoder,
  type LayerCache,
} from "./decoder";
import { MASKED } from "./layers";
import type { Policy } from "./policy";
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
} from "./sampling";

export type { GenerateOptions, PreparedPrompt, SampledTokens } from "./sampling";

/** What changes from step to step; its tensors are owned by {@link generate}. */
interface DecodeState {
  /** Rows still being written, as indices into all rows. */
  rows: number[];
  /** Prompts and completions a prompt in the caches' layout. */
  P: number;
  G: number;
  prompt: LayerCache[];
  /** Own keys and values of each layer, `[P·KV·G, t, d]`. */
  own: { k: Tensor3D; v: Tensor3D }[];
  /** Hides prompt padding, `[P, Tp]`; absent when all prompts are equally long. */
  promptMask?: Tensor2D;
}

/**
 * Samples `group` completions for every prompt.
 * @returns one list a prompt
 * @throws LabError for an empty batch or options out of range; `AbortError` when the signal fires, between two tokens
 */
export async function generate(
  policy: Policy,
  prompts: readonly PreparedPrompt[],
  options: GenerateOptions,
): Promise<SampledTokens[][]> {
  const { group, maxNewTokens, temperature, signal } = options;
  const { config } = policy;
  const ledger = openLedger(prompts, options, config.decoder);
  const batch = groupBatch(prompts, undefined, config);
  const decoder = tf.tidy(() => fuseDecoder(policy.weights, config.decoder));
  const prompt: LayerCache[] = [];
  let state: DecodeState | undefined;
  let hidden: Tensor2D | undefined;
  try {
    hidden = tf.tidy(() => {
      const all = decode(
        decoder,
        config.decoder,
        batch,
        imageTensor(prompts, config),
        (i, cache) => {
          prompt[i] = cache;
        },
      );
      const last = lastTokens(batch.promptLengths);
      // Every member of a group starts from its prompt's last state.
      const repeated = last.flatMap((at) => new Array<number>(group).fill(at));
      return all.gather(tf.tensor1d(repeated, "int32")) as Tensor2D;
    });
    state = startState(group, prompt, batch);
    for (let t = 0; t < maxNewTokens; t++) {
      signal?.throwIfAborted();
      const drawn = draw(decoder, policy, hidden, temperature, () =>
        nextUniforms(ledger, state!.rows),
      );
      hidden.dispose();
      hidden = undefined;
      const alive = writeDown(ledger, state.rows, drawn);
      if (alive.length === 0 || t === maxNewTokens - 1) break;
      let kept = drawn.ids;
      if (compactionPays(alive.length, state.rows.length)) {
        compact(state, alive, config.decoder.kvHeads);
        kept = alive.map((i) => drawn.ids[i]);
      }
      const positions = state.rows.map((row) => batch.next[Math.floor(row / group)] + t);
      hidden = step(decoder, policy, state, kept, positions);
      // tfjs blocks the event loop; an interrupt is seen here.
      if (t % 4 === 3) await new Promise(setImmediate);
    }
  } finally {
    hidden?.dispose();
    disposeState(state ?? { prompt, own: [] });
    for (const layer of decoder.layers) tf.dispose([layer.qkv, layer.qkvBias, layer.gateUp]);
  }
  return closeLedger(ledger, group);
}

/** The batch's merged image tokens `[sum, D]`, or nothing when no prompt has a picture. */
export function imageTensor(
  prompts: readonly PreparedPrompt[],
  config: Policy["config"],
): Tensor2D | undefined {
  const d = config.decoder.hiddenSize;
  const values = joinFeatures(prompts);
  return values.length === 0 ? undefined : tf.tensor2d(values, [values.length / d, d]);
}

/**
 * One token a row from the hidden states.
 * @param hidden `[R, D]` @param uniforms one number in [0, 1) a row, asked for only when sampling
 */
function draw(
  decoder: FusedDecoder,
  policy: Policy,
  hidden: Tensor2D,
  temperature: number,
  uniforms: () => Float32Array,
): { ids: number[]; logprobs: Float32Array; entropies: Float32Array } {
  const rows = hidden.shape[0];
  const packed = tf.tidy(() => {
    const scores = logits(decoder, policy.config.decoder, hidden);
    const logp = tf.logSoftmax(scores);
    let ids: Tensor1D;
    if (temperature === 0) {
      ids = scores.argMax(1);
    } else {
      const shares = temperature === 1 ? logp.exp() : tf.softmax(scores.div<Tensor2D>(temperature));
      ids = sampleTokens(shares, uniforms());
    }
    const chosen = tf.gather(logp, ids.reshape([rows, 1]), 1, 1).reshape([rows]);
    const entropy = logp.exp().mul(logp).sum(1).neg();
    return tf.stack([ids.toFloat(), chosen, entropy]);
  });
  const values = packed.dataSync<"float32">();
  packed.dispose();
  return {
    ids: Array.from(values.subarray(0, rows)),
    logprobs: values.slice(rows, 2 * rows),
    entropies: values.slice(2 * rows),
  };
}

/**
 * One token a row by the inverse of the cumulative distribution: the first whose cumulated share exceeds u.
 * @param shares `[R, V]`, rows that sum to 1 up to rounding @param uniforms `[R]`, in [0, 1)
 * @returns `[R]` int32; a token without a share is never drawn
 */
export function sampleTokens(shares: Tensor2D, uniforms: Float32Array): Tensor1D {
  const [rows, V] = shares.shape;
  return tf.tidy(() => {
    const cumulated = tf.cumsum(shares, 1);
    // Scaled by what the row sums to in float32: otherwise a u at the upper end would draw the vocabulary's last token,
    // whatever its share.
    const u = tf.tensor2d(uniforms, [rows, 1]).mul(cumulated.slice([0, V - 1], [rows, 1]));
    return cumulated.lessEqual(u).sum(1).toInt() as Tensor1D;
  });
}

/** Runs the new tokens through the decoder and appends to the caches. @returns `[R, D]` */
function step(
  decoder: FusedDecoder,
  { config }: Policy,
  state: DecodeState,
  tokens: readonly number[],
  positions: readonly number[],
): Tensor2D {
  const { kvHeads, headDim } = config.decoder;
  const { P, G } = state;
  return tf.tidy(() => {
    const { cos, sin } = rotaryTensors(
      positions.flatMap((at) => [at, at, at]),
      config.decoder,
    );
    let x = embed(decoder, undefined, Int32Array.from(tokens));
    const mask = decodeMask(state);
    decoder.layers.forEach((layer, i) => {
      x = decoderLayer(layer, config.decoder, x, cos, sin, (q, k, v) => {
        const grouped = (t: Tensor): Tensor3D =>
          t
            .reshape([P, G, kvHeads, headDim])
            .transpose([0, 2, 1, 3])
            .reshape([P * kvHeads * G, 1, headDim]);
        const own = state.own[i];
        const grown = {
          k: tf.keep(own === undefined ? grouped(k) : tf.concat([own.k, grouped(k)], 1)),
          v: tf.keep(own === undefined ? grouped(v) : tf.concat([own.v, grouped(v)], 1)),
        };
        own?.k.dispose();
        own?.v.dispose();
        state.own[i] = grown;
        const query = q.reshape([P, G, kvHeads, -1, 1, headDim]).transpose([0, 2, 1, 3, 4, 5]);
        return groupAttention(query, state.prompt[i], grown.k, grown.v, mask);
      });
    });
    return x;
  });
}

function startState(G: number, prompt: LayerCache[], batch: GroupedBatch): DecodeState {
  const { P, promptLengths } = batch;
  const Tp = prompt[0].promptK.shape[2];
  const rows = Array.from({ length: P * G }, (_unused, row) => row);
  const state: DecodeState = { rows, P, G, prompt, own: [] };
  if (promptLengths.some((length) => length !== Tp)) {
    const hidden = new Float32Array(P * Tp);
    promptLengths.forEach((length, p) => hidden.fill(MASKED, p * Tp + length, (p + 1) * Tp));
    state.promptMask = tf.tensor2d(hidden, [P, Tp]);
  }
  return state;
}

/** The prompt's mask widened by zeros over the row's own tokens, `[P, 1, 1, Tp + t + 1]`. */
function decodeMask({ P, own, promptMask }: DecodeState): Tensor4D | undefined {
  if (promptMask === undefined) return undefined;
  const written = (own[0]?.k.shape[1] ?? 0) + 1;
  const width = promptMask.shape[1] + written;
  return tf.concat([promptMask, tf.zeros([P, written])], 1).reshape<Tensor4D>([P, 1, 1, width]);
}

/** Keeps the rows at positions `alive` only; afterwards every row stands alone (G = 1) with its own prompt. */
function compact(state: DecodeState, alive: readonly number[], kvHeads: number): void {
  const { G } = state;
  const old = { ...state, prompt: state.prompt.slice(), own: state.own.slice() };
  tf.tidy(() => {
    const prompts = tf.tensor1d(
      alive.map((i) => Math.floor(i / G)),
      "int32",
    );
    // Caches are laid out prompt, key/value head, member.
    const members = tf.tensor1d(
      alive.flatMap((i) =>
        Array.from(
          { length: kvHeads },
          (_unused, h) => (Math.floor(i / G) * kvHeads + h) * G + (i % G),
        ),
      ),
      "int32",
    );
    state.prompt = old.prompt.map(({ promptK, promptV }) => ({
      promptK: tf.keep(promptK.gather(prompts)),
      promptV: tf.keep(promptV.gather(prompts)),
    }));
    state.own = old.own.map(({ k, v }) => ({
      k: tf.keep(k.gather(members)),
      v: tf.keep(v.gather(members)),
    }));
    if (old.promptMask !== undefined) state.promptMask = tf.keep(old.promptMask.gather(prompts));
  });
  disposeState(old);
  state.rows = alive.map((i) => old.rows[i]);
  state.P = alive.length;
  state.G = 1;
}

function disposeState({
  prompt,
  own,
  promptMask,
}: Pick<DecodeState, "prompt" | "own" | "promptMask">): void {
  for (const { promptK, promptV } of prompt) tf.dispose([promptK, promptV]);
  for (const cache of own) tf.dispose([cache.k, cache.v]);
  promptMask?.dispose();
}
