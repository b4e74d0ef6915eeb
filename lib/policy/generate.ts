/**
 * Batched sampling with a KV cache.
 *
 * A prompt is prefilled once and serves its whole group. Every row draws from a random stream of its own, keyed by the
 * caller, so that a completion does not depend on what else is in the batch. Rows that have finished leave the batch
 * as soon as enough of them have. No prompt takes their place: a step's cost is its rows', so that refilling them could win 5 %
 * (`npm run bench -- batching`).
 */
import type { Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { groupBatch } from "./batch";
import { disposeFused, fuseDecoder, plainDecoder } from "./decoder";
import { createPlainSampler, type Sampler } from "./plain-sampler";
import type { Policy } from "./policy";
import {
  closeLedger,
  joinFeatures,
  nextUniforms,
  openLedger,
  writeDown,
  type GenerateOptions,
  type PreparedPrompt,
  type SampledTokens,
} from "./sampling";
import { createSlotSampler, slotOps, type SlotSampler } from "./slot-sampler";

export type { GenerateOptions, PreparedPrompt, SampledTokens } from "./sampling";

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
  const { group, maxNewTokens, temperature, signal, record } = options;
  const { config } = policy;
  const ledger = openLedger(prompts, options, config.decoder);
  const batch = groupBatch(prompts, undefined, config);
  const ops = slotOps(config.decoder);
  const fused = ops && tf.tidy(() => fuseDecoder(policy.weights, config.decoder));
  let rows = Array.from({ length: prompts.length * group }, (_unused, row) => row);
  const uniforms = (): Float32Array =>
    temperature === 0 ? new Float32Array(rows.length) : nextUniforms(ledger, rows);
  let sampler: Sampler | undefined;
  let slots: SlotSampler | undefined;
  let images: Tensor2D | undefined;
  try {
    images = imageTensor(prompts, config);
    const start = { config: config.decoder, batch, images, group, temperature };
    if (ops !== undefined && fused !== undefined) {
      const room = { maxNewTokens, record: record !== undefined };
      slots = createSlotSampler(ops, { ...start, ...room, decoder: fused });
    }
    sampler =
      slots ??
      createPlainSampler({ ...start, decoder: plainDecoder(policy.weights, config.decoder) });
    let drawn = sampler.first(uniforms());
    for (let t = 0; t < maxNewTokens; t++) {
      signal?.throwIfAborted();
      const alive = writeDown(ledger, rows, drawn);
      if (alive.length === 0 || t === maxNewTokens - 1) break;
      let tokens = drawn.ids;
      if (sampler.leavingPays(alive.length, rows.length)) {
        sampler.keep(alive);
        tokens = alive.map((i) => drawn.ids[i]);
        rows = alive.map((i) => rows[i]);
      }
      const positions = rows.map((row) => batch.next[Math.floor(row / group)] + t);
      drawn = sampler.next(tokens, positions, uniforms());
      // tfjs blocks the event loop; an interrupt is seen here.
      if (t % 4 === 3) await new Promise(setImmediate);
    }
    const tape = record === undefined ? undefined : slots?.takeTape();
    if (tape !== undefined) record?.({ ...tape, completions: ledger.results });
  } finally {
    images?.dispose();
    sampler?.dispose();
    if (fused !== undefined) disposeFused(fused, policy.weights);
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
