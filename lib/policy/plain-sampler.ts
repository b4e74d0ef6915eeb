/** Sampling's keys and values in tfjs's own operations, on any back end: grouped by prompt, grown token by token. */
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { lastTokens, type GroupedBatch } from "./batch";
import type { DecoderConfig } from "./config";
import {
  decodePlainly,
  decoderLayer,
  embed,
  groupAttention,
  logits,
  rotaryTensors,
  type LayerCache,
  type PlainDecoder,
} from "./decoder";
import { draw } from "./draw";
import { MASKED } from "./layers";
import { compactionPays, type DrawnTokens } from "./sampling";

/** A batch that is being written. Rows are numbered prompt by prompt, member by member. */
export interface Sampler {
  /** The first token of every row. @param uniforms one number in [0, 1) a row */
  first(uniforms: Float32Array): DrawnTokens;
  /** The next token of each row that is still there. @param tokens drawn last @param positions of these tokens */
  next(
    tokens: ArrayLike<number>,
    positions: readonly number[],
    uniforms: Float32Array,
  ): DrawnTokens;
  /** Whether taking out the rows that have ended costs less than writing on in them. */
  leavingPays(alive: number, rows: number): boolean;
  /** Keeps only the rows at these places among those that are still there. */
  keep(places: readonly number[]): void;
  dispose(): void;
}

export interface SamplerStart<Decoder> {
  config: DecoderConfig;
  decoder: Decoder;
  /** Prompts without completions. */
  batch: GroupedBatch;
  images: Tensor2D | undefined;
  /** Completions a prompt (G). */
  group: number;
  /** 0 takes the most likely token. */
  temperature: number;
}

/** Its tensors are owned by the sampler. */
interface State {
  /** Prompts and completions a prompt in the caches' layout. */
  P: number;
  G: number;
  prompt: LayerCache[];
  /** Own keys and values of each layer, `[P·KV·G, t, d]`. */
  own: { k: Tensor3D; v: Tensor3D }[];
  /** Hides prompt padding, `[P, Tp]`; absent when all prompts are equally long. */
  promptMask?: Tensor2D;
}

/** Runs the prompts, each once for its whole group. */
export function createPlainSampler(start: SamplerStart<PlainDecoder>): Sampler {
  const { config, decoder, batch, images, group, temperature } = start;
  const prompt: LayerCache[] = [];
  let hidden: Tensor2D;
  try {
    hidden = tf.tidy(() => {
      const all = decodePlainly(decoder, config, batch, images, {
        keep: (i, { promptK, promptV }) => {
          prompt[i] = { promptK: tf.keep(promptK.clone()), promptV: tf.keep(promptV.clone()) };
        },
      });
      return repeatLast(all, batch, group);
    });
  } catch (error) {
    disposeState({ prompt, own: [] });
    throw error;
  }
  const state = startState(group, prompt, batch);
  const drawFrom = (states: Tensor2D, uniforms: Float32Array): DrawnTokens => {
    const scores = tf.tidy(() => logits(decoder, config, states));
    const drawn = draw(undefined, scores, { temperature, uniforms });
    tf.dispose([states, scores]);
    return drawn;
  };
  return {
    first: (uniforms) => drawFrom(hidden, uniforms),
    next: (tokens, positions, uniforms) =>
      drawFrom(step(decoder, config, state, tokens, positions), uniforms),
    leavingPays: compactionPays,
    keep: (places) => compact(state, places, config.kvHeads),
    dispose: () => {
      hidden.dispose();
      disposeState(state);
    },
  };
}

/** The last hidden state of each prompt, once for every member of its group. @param hidden `[N, D]` @returns `[P · G, D]` */
export function repeatLast(hidden: Tensor2D, batch: GroupedBatch, group: number): Tensor2D {
  const last = lastTokens(batch.promptLengths);
  const repeated = last.flatMap((at) => new Array<number>(group).fill(at));
  return hidden.gather(tf.tensor1d(repeated, "int32")) as Tensor2D;
}
/** Runs the new tokens through the decoder and appends to the caches. @returns `[R, D]` */
function step(
  decoder: PlainDecoder,
  config: DecoderConfig,
  state: State,
  tokens: ArrayLike<number>,
  positions: readonly number[],
): Tensor2D {
  const { kvHeads, headDim } = config;
  const { P, G } = state;
  return tf.tidy(() => {
    const { cos, sin } = rotaryTensors(
      positions.flatMap((at) => [at, at, at]),
      config,
    );
    let x = embed(decoder, undefined, Int32Array.from(tokens));
    const mask = decodeMask(state);
    decoder.layers.forEach((layer, i) => {
      x = decoderLayer(layer, config, x, cos, sin, (q, k, v) => {
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

function startState(G: number, prompt: LayerCache[], batch: GroupedBatch): State {
  const { P, promptLengths } = batch;
  const Tp = prompt[0].promptK.shape[2];
  const state: State = { P, G, prompt, own: [] };
  if (promptLengths.some((length) => length !== Tp)) {
    const hidden = new Float32Array(P * Tp);
    promptLengths.forEach((length, p) => hidden.fill(MASKED, p * Tp + length, (p + 1) * Tp));
    state.promptMask = tf.tensor2d(hidden, [P, Tp]);
  }
  return state;
}

/** The prompt's mask widened by zeros over the row's own tokens, `[P, 1, 1, Tp + t + 1]`. */
function decodeMask({ P, own, promptMask }: State): Tensor4D | undefined {
  if (promptMask === undefined) return undefined;
  const written = (own[0]?.k.shape[1] ?? 0) + 1;
  const width = promptMask.shape[1] + written;
  return tf.concat([promptMask, tf.zeros([P, written])], 1).reshape<Tensor4D>([P, 1, 1, width]);
}

/** Keeps the rows at positions `alive` only; afterwards every row stands alone (G = 1) with its own prompt. */
function compact(state: State, alive: readonly number[], kvHeads: number): void {
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
  state.P = alive.length;
  state.G = 1;
}

function disposeState({
  prompt,
  own,
  promptMask,
}: Pick<State, "prompt" | "own" | "promptMask">): void {
  for (const { promptK, promptV } of prompt) tf.dispose([promptK, promptV]);
  for (const cache of own) tf.dispose([cache.k, cache.v]);
  promptMask?.dispose();
}
