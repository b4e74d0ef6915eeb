/** Forward, backward and AdamW of a batch, and what share of the machine's matrix-product rate they reach. */
import { tf } from "../engine/backend";
import { productRate } from "../engine/product-rate";
import { createRandom } from "../engine/random";
import { groupBatch, type GroupedBatch } from "../policy/batch";
import type { DecoderConfig } from "../policy/config";
import { completionLogprobs } from "../policy/policy";
import { adamWDefaults, createAdamW, lossAndGradients } from "../train/optimizer";
import { trainedNames } from "../train/state";
import { syntheticPolicy, syntheticProblems, syntheticPrompts, type PolicySize } from "./synthetic";

export interface UpdateWork extends PolicySize {
  prompts: number;
  group: number;
  promptTokens: number;
  newTokens: number;
  /** Updates that are timed, after two that are not. */
  repeats: number;
  gradientCheckpointing?: boolean;
}

export interface UpdateSpeed {
  /** Seconds of each update, AdamW included, and of AdamW in it. */
  updates: { s: number; adamw_s: number }[];
  /** Floating-point operations of the model in one update, see {@link updateFlops}. */
  flops: number;
  /** Prompts' and completions' tokens. */
  tokens: number;
  /** The best rate of large products before and after, in billions of operations a second. */
  product_gflops: number;
}

const WARM_UP = 2;

/** Times whole updates, nothing of the forward pass taken from a rollout. */
export async function measureUpdate(work: UpdateWork): Promise<UpdateSpeed> {
  const { group, prompts, promptTokens, newTokens, repeats } = work;
  const bundle = {
    ...syntheticPolicy(work),
    gradientCheckpointing: work.gradientCheckpointing === true,
  };
  const random = createRandom("update");
  const cache = syntheticPrompts(bundle, promptTokens);
  const prepared = await cache.prepare(syntheticProblems(prompts), "direct");
  const completions = prepared.map(() =>
    Array.from({ length: group }, () =>
      Array.from({ length: newTokens }, () => random.int(0, bundle.tokenizer.padId - 1)),
    ),
  );
  const batch = groupBatch(prepared, completions, bundle.config);
  const names = trainedNames(bundle);
  const optimizer = createAdamW(bundle.weights, names, adamWDefaults);
  const updates: UpdateSpeed["updates"] = [];
  const before = await productRate();
  try {
    for (let round = 0; round < WARM_UP + repeats; round++) {
      const begun = performance.now();
      const { loss, gradients } = lossAndGradients(bundle.weights, names, () =>
        completionLogprobs(bundle, batch, undefined).mean().neg(),
      );
      const between = performance.now();
      optimizer.update(gradients, 1e-4, loss);
      const ended = performance.now();
      tf.dispose(gradients);
      updates.push({ s: (ended - begun) / 1000, adamw_s: (ended - between) / 1000 });
    }
  } finally {
    optimizer.dispose();
    bundle.weights.dispose();
  }
  const after = await productRate();
  return {
    updates: updates.slice(WARM_UP),
    flops: updateFlops(bundle.config.decoder, batch),
    tokens: batch.rows.length,
    product_gflops: Math.max(before.gflops, after.gflops),
  };
}

/**
 * The model's floating-point operations forward and backward, as PaLM counts them (arXiv 2204.02311, appendix B): 6 for each
 * weight of a matrix and each token, 12 for each number of a head and each pair of tokens that attend. Pairs are counted
 * exactly (causal, a group's prompt once), the head at completion tokens alone; what is computed again, norms and AdamW are
 * not counted.
 */
export function updateFlops(config: DecoderConfig, batch: GroupedBatch): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabSize } = config;
  const { promptLengths, completionLengths, G } = batch;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const layer =
    hiddenSize * (2 * heads + 2 * kvHeads) * headDim + 3 * hiddenSize * intermediateSize;
  const causal = (length: number): number => (length * (length + 1)) / 2;
  const pairs =
    sum(promptLengths.map(causal)) +
    sum(completionLengths.map((T, r) => causal(T) + T * promptLengths[Math.floor(r / G)]));
  const tokens = sum(promptLengths) + sum(completionLengths);
  return (
    6 * layers * layer * tokens +
    6 * vocabSize * hiddenSize * sum(completionLengths) +
    12 * layers * heads * headDim * pairs
  );
}
