/**
 * Supervised fine-tuning: Stage I of SRPO (arXiv 2506.01713, section 3.1, eq 1), and its plain-CoT control.
 *
 * Loss: mean negative log-likelihood of the completion's tokens given picture and prompt; the prompt itself is not
 * learned. As in the paper, a wrong first solution is learned along with the reflection that corrects it; `firstSolutionMask` leaves
 * it out.
 *
 * Where this departs from the paper: AdamW with (0.9, 0.95) as in the GRPO stage; the vision tower and the merger stay
 * frozen (the paper's LLaMA-Factory recipe freezes them too); the template has a second think (the paper's SFT data
 * have none, which its own RL format then punishes).
 */
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { interrupted, yieldToEvents } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { createRandom } from "../engine/random";
import { groupBatch } from "../policy/batch";
import type { PolicyBundle } from "../policy/bundle";
import { imageTensor } from "../policy/generate";
import { completionLogprobs } from "../policy/policy";
import {
  trainedSpan,
  trainedTokens,
  type FirstSolutionMask,
} from "../reflection/first-solution-mask";
import type { PromptStyle } from "../reflection/prompts";
import { parseResponse } from "../reflection/template";
import { createPromptCache, type PromptCache } from "../rollout/prepare";
import type { Problem, Transition } from "../types";
import { stopForUpdate } from "./failure";
import {
  adamWDefaults,
  addGradients,
  cosineSchedule,
  createAdamW,
  lossAndGradients,
} from "./optimizer";
import { tokenEnds, tokenText } from "./rollouts";
import type { Run } from "./run";
import { trainedNames, restoreTraining, saveTraining } from "./state";

export interface SftConfig {
  epochs: number;
  /** Examples an update. */
  batch: number;
  /** Examples in memory at once; gradients of `batch / microBatch` pieces are added up. */
  microBatch: number;
  /** Gradients compute each layer again: for policies and batches that fill the memory. */
  gradientCheckpointing: boolean;
  learningRate: number;
  /** Share of all steps in which the learning rate rises from 0. */
  warmup: number;
  weightDecay: number;
  maxGradNorm: number;
  /** A gradient whose norm is above it, or no number, stops the run with its batch saved. */
  stopGradNorm: number;
  /** Whether first solutions are left out of the loss: never, as in the paper; always; or those that the second changes (`changed`). */
  firstSolutionMask: FirstSolutionMask;
  /** Share of the examples that is held out; its loss is `eval_loss`. */
  evalShare: number;
  /** Steps between two evaluations. */
  evalEvery: number;
  /** Steps between two checkpoints. */
  saveEvery: number;
}

/** One thing to imitate. */
export interface SftExample {
  problem: Problem;
  style: PromptStyle;
  /** The completion as text; the end-of-turn token is added. */
  text: string;
  /** Right or wrong, first answer then second; what a mask of changed solutions looks at. */
  transition?: Transition;
}

export interface SftOptions {
  /** Its decoder is trained in place. */
  bundle: PolicyBundle;
  examples: readonly SftExample[];
  config: SftConfig;
  seed: number;
  run: Run;
  prompts?: PromptCache;
  onStep?: (step: number, metrics: Record<string, number>) => void;
  signal?: AbortSignal;
}

/** Optimiser steps that a data set and a configuration make. */
export function sftSteps(examples: number, config: SftConfig): number {
  const train = examples - Math.floor(examples * config.evalShare);
  return config.epochs * Math.max(1, Math.floor(train / config.batch));
}

/**
 * Trains, logging and saving into `run`.
 * @throws Interrupted when the signal fires: a checkpoint is written first, and the same call goes on from it
 */
export async function trainSft(options: SftOptions): Promise<void> {
  const { bundle, examples, config, seed, run, onStep, signal } = options;
  const prompts = options.prompts ?? createPromptCache(bundle);
  if (examples.length < config.batch) {
    throw fault("trainSft", "fewer examples than one batch holds", {
      got: examples.length,
      expected: `at least ${config.batch}`,
      try: "a larger construction target or a smaller sft.batch",
    });
  }

  // ---- set-up: a fixed split, names to train, the optimiser, and the last checkpoint if there is one
  const random = createRandom(`sft/${seed}`);
  const shuffled = random.fork("split").shuffle(examples);
  const held = shuffled.slice(0, Math.floor(examples.length * config.evalShare));
  const train = shuffled.slice(held.length);
  const perEpoch = Math.max(1, Math.floor(train.length / config.batch));
  const steps = config.epochs * perEpoch;
  const names = trainedNames(bundle);
  const optimizer = createAdamW(bundle.weights, names, {
    ...adamWDefaults,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    stopGradNorm: config.stopGradNorm,
  });

  const trained = { ...bundle, gradientCheckpointing: config.gradientCheckpointing };
  const pieces = tokenText(bundle.tokenizer.decode);
  /** Sum of the examples' token losses, differentiable. */
  const batchOf = async (part: readonly SftExample[]) => {
    const prepared = await Promise.all(
      part.map(async ({ problem, style }) => (await prompts.prepare([problem], style))[0]),
    );
    const completions = part.map(({ text }) => [
      [...bundle.tokenizer.encode(text), bundle.tokenizer.endId],
    ]);
    const batch = groupBatch(prepared, completions, bundle.config);
    const masks = part.map((example, i) => lossMaskOf(example, completions[i][0], config, pieces));
    return {
      /** Those that the loss looks at. */
      tokens: total(masks.map((mask) => mask.filter(Boolean).length)),
      /** With the prompts, as TRL counts. */
      seen: total(batch.completionLengths) + total(batch.promptLengths),
      lossSum: () =>
        completionLogprobs(trained, batch, imageTensor(prepared, bundle.config))
          .mul(tf.tensor1d(masks.flat().map(Number)))
          .sum()
          .neg(),
    };
  };

  try {
    let step = 0;
    if (run.lastCheckpoint !== undefined) {
      restoreTraining(bundle, optimizer, run.lastCheckpoint);
      step = run.resumedAt;
    }
    let tokensSeen = run.history().at(-1)?.num_tokens ?? 0;

    // ---- the loop: one optimiser step an iteration
    for (; step < steps; step++) {
      const clock = Date.now();
      const epoch = Math.floor(step / perEpoch);
      const order = random.fork(`epoch/${epoch}`).shuffle(train);
      const chosen = order.slice((step % perEpoch) * config.batch).slice(0, config.batch);
      const parts = chunk(chosen, config.microBatch);
      const batches = await Promise.all(parts.map(batchOf));
      const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);

      let loss = 0;
      let gradients: ReturnType<typeof lossAndGradients>["gradients"] | undefined;
      for (const { lossSum } of batches) {
        const piece = lossAndGradients(bundle.weights, names, () => lossSum().div(tokens));
        loss += piece.loss;
        gradients =
          gradients === undefined ? piece.gradients : addGradients(gradients, piece.gradients);
      }
      const learningRate = cosineSchedule(step, {
        peak: config.learningRate,
        warmup: Math.ceil(config.warmup * steps),
        total: steps,
      });
      const done = step + 1;
      let gradNorm: number;
      try {
        gradNorm = optimizer.update(gradients ?? [], learningRate, loss);
      } catch (error) {
        const rows = chosen.map(({ problem, style, text }) => ({
          problem: problem.id,
          style,
          text,
        }));
        throw stopForUpdate(run, done, rows, error as Error);
      } finally {
        tf.dispose(gradients ?? []);
      }
      tokensSeen += batches.reduce((sum, batch) => sum + batch.seen, 0);

      const metrics: Record<string, number> = {
        loss,
        learning_rate: learningRate,
        grad_norm: gradNorm,
        epoch: done / perEpoch,
        num_tokens: tokensSeen,
        step_time: (Date.now() - clock) / 1000,
      };
      if (held.length > 0 && (done % config.evalEvery === 0 || done === steps)) {
        let [sum, count] = [0, 0];
        for (const part of chunk(held, config.microBatch)) {
          const { tokens: n, lossSum } = await batchOf(part);
          sum += tf.tidy(() => lossSum().dataSync()[0]);
          count += n;
        }
        metrics.eval_loss = sum / count;
      }
      run.metrics({ step: done, ...metrics });
      onStep?.(done, metrics);

      await yieldToEvents();
      const stopping = signal?.aborted === true && done < steps;
      if (stopping || done % config.saveEvery === 0 || done === steps) {
        run.checkpoint(done, (folder) => saveTraining(bundle, optimizer, folder));
      }
      if (stopping) throw interrupted(`SFT at step ${done} of ${steps}`);
    }
  } finally {
    optimizer.dispose();
  }
}

/** Which of a completion's tokens are learned. */
function lossMaskOf(
  { text, transition }: SftExample,
  ids: readonly number[],
  { firstSolutionMask }: Pick<SftConfig, "firstSolutionMask">,
  pieces: (ids: readonly number[]) => string,
): boolean[] {
  if (firstSolutionMask === "never") return ids.map(() => true);
  const span = trainedSpan(parseResponse(text), firstSolutionMask, transition ?? null);
  return trainedTokens(tokenEnds(ids, text, pieces), span);
}

function total(lengths: readonly number[]): number {
  return lengths.reduce((a, b) => a + b, 0);
}
