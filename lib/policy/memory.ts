/**
 * What a policy needs in memory, computed from `config.json` before a weight is read. Everything is float32, as the engine
 * computes. Weights, gradients, moments and caches are exact; activations are counted tensor by tensor as `decoder.ts` and
 * `fused-decoder.ts` keep them for the gradient, and the tests hold the sum to what the engine reports.
 */
import { SLICE_NUMBERS } from "../engine/stream";
import type { PolicyConfig } from "./config";
import { decoderOps } from "./fused-decoder";
import { adaptedModules, type LoraConfig } from "./lora";
import { parameterShapes } from "./weights";

/** What is computed, as far as memory is concerned. */
export interface MemoryWork {
  lora: LoraConfig;
  /** Prompts that are in memory at once in the update, and completions of each. */
  microBatch: number;
  group: number;
  /** The longest prompt with its pictures, in tokens, and the longest completion. */
  promptTokens: number;
  completionTokens: number;
  /** Patches of the pictures that go through the vision tower together. */
  patches: number;
  /** Prompts that are sampled from at once; 0 where nothing is sampled. */
  rolloutPrompts: number;
  /** Whether a second, frozen policy is asked. */
  reference: boolean;
  /** Layers keep their input alone, and the gradient computes one layer after the other again. */
  gradientCheckpointing: boolean;
}

/** Bytes. `total` is the largest of what the phases need, the parts that stay counted in each. */
export interface MemoryNeed {
  weights: number;
  reference: number;
  gradients: number;
  /** Adam's two moments. */
  moments: number;
  activations: number;
  /** Keys and values of a rollout. */
  cache: number;
  phases: { loading: number; pictures: number; rollout: number; update: number; optimizer: number };
  total: number;
}

/**
 * tfjs keeps every intermediate gradient until the last one is there, so that on its own operations each tensor counts
 * about twice; and by so much more than what is counted the engine was measured to take.
 */
const PLAIN_MARGIN = 1.2;

/** Numbers in all parameters, vision tower included. */
export function parameterCount(config: PolicyConfig): number {
  return Object.values(parameterShapes(config)).reduce((sum, shape) => sum + product(shape), 0);
}

/** Numbers that a training moves. */
export function trainedCount(config: PolicyConfig, lora: LoraConfig): number {
  const shapes = parameterShapes(config);
  if (lora.rank > 0) {
    return adaptedModules(config, lora).reduce((sum, module) => {
      const [out, inputs] = shapes[`${module}.weight`];
      return sum + lora.rank * (out + inputs);
    }, 0);
  }
  return Object.entries(shapes).reduce(
    (sum, [name, shape]) => sum + (name.startsWith("visual.") ? 0 : product(shape)),
    0,
  );
}

/** Widths of what the adapters of all layers give for a token. */
function outputsOf(config: PolicyConfig, lora: LoraConfig): number {
  const shapes = parameterShapes(config);
  return adaptedModules(config, lora).reduce((sum, name) => sum + shapes[`${name}.weight`][0], 0);
}

export function memoryNeed(config: PolicyConfig, work: MemoryWork): MemoryNeed {
  const { decoder, vision } = config;
  const {
    layers,
    hiddenSize: D,
    intermediateSize: F,
    heads,
    kvHeads,
    headDim,
    vocabSize,
  } = decoder;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  const fused = decoderOps(decoder) !== undefined;
  const trained = trainedCount(config, work.lora);
  const inLayers = layers * (2 * D * q + 2 * D * kv + 3 * D * F);
  const head = vocabSize * D;

  const weights = parameterCount(config) + (work.lora.rank > 0 ? trained : 0);
  const reference = !work.reference ? 0 : work.lora.rank > 0 ? trained : weights;
  const moments = 2 * trained;
  // The sum so far and the next piece's.
  const gradients = 2 * trained;

  const prompts = work.microBatch * work.promptTokens;
  const completions = work.microBatch * work.group * work.completionTokens;
  const tokens = prompts + completions;
  // Attention's shares: of a prompt's tokens over themselves, of a completion's over the prompt and itself.
  const scores =
    heads *
    (prompts * work.promptTokens + completions * (work.promptTokens + work.completionTokens));
  const adapted = work.lora.rank > 0 ? 4 * outputsOf(config, work.lora) : 0;
  const layer = fused
    ? tokens * (4 * D + 2 * (q + kv) + 3 * F)
    : PLAIN_MARGIN *
      (tokens * (16 * D + 27 * q + 26 * kv + 7 * F + adapted / layers) + 10 * scores);
  const kept = work.gradientCheckpointing ? layers * tokens * D + layer : layers * layer;
  const activations = kept + (fused ? tokens * (6 * D + 3 * q + 8 * F) : 0);
  // Of as many rows as `head.ts` takes at a time: logits, shares, slopes.
  const logits = 3 * Math.max(2 ** 22, 128 * vocabSize);

  const rows = work.rolloutPrompts * work.group;
  const cache =
    2 * kv * layers * (work.rolloutPrompts * work.promptTokens + rows * work.completionTokens);
  const prefill = work.rolloutPrompts * work.promptTokens;
  const sampling =
    prefill * (10 * D + 4 * q + 8 * F) +
    (fused ? 0 : 4 * heads * prefill * work.promptTokens) +
    6 * rows * vocabSize;
  // Projections put together, then all of it packed and joined for decoding.
  const copies = fused ? 2 * inLayers + 2 * head + inLayers : 0;
  const merged = fused ? 2 * inLayers + (work.lora.rank > 0 ? inLayers : 0) : 0;

  const { hiddenSize: v, intermediateSize: f, depth } = vision;
  const n = work.patches;
  const pictures = n * (14 * v + 5 * f + depth * v) + 3 * vision.heads * n * n;

  const stay = weights + reference + moments;
  const phases = {
    loading: weights + 2 * SLICE_NUMBERS,
    pictures: stay + pictures,
    rollout: work.rolloutPrompts === 0 ? 0 : stay + copies + cache + sampling,
    update: stay + gradients + merged + activations + logits,
    // Clipped gradient, new moments, direction, old and new values, each as one vector.
    optimizer: stay + gradients + 8 * trained,
  };
  const bytes = <T extends object>(counts: T): T =>
    Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, 4 * count])) as T;
  return {
    ...bytes({ weights, reference, gradients, moments, activations, cache }),
    phases: bytes(phases),
    total: 4 * Math.max(...Object.values(phases)),
  };
}

/** In a line, such as `memory: 5.1 GB needed (weights 3.9, …)`. */
export function describeMemory({ phases, total, ...parts }: MemoryNeed): string {
  const gb = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1);
  const named = Object.entries(parts)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${gb(bytes)}`);
  const [largest] = Object.entries(phases).sort(([, a], [, b]) => b - a)[0];
  return `memory: about ${gb(total)} GB at most, in ${largest} (${named.join(", ")})`;
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
