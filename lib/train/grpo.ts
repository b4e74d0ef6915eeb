/**
 * GRPO with reflection rewards: Stage II of SRPO (arXiv 2506.01713, section 3.2, eqs 2-8); with another reward, plain GRPO.
 *
 * A step: take P problems, sample G completions of each, score them, turn the scores of a group into advantages, and
 * update the policy on all of them in `miniBatches` optimiser steps of the clipped loss.
 *
 * Where this departs from the paper:
 *  1. No reference model unless `beta` > 0. The paper writes a KL term; its published run sets the coefficient to 0.
 *  2. The divisor of the advantages has a floor (`stdFloor`): the bare deviation makes a group that differs by its
 *     length term alone count as much as one that differs in being right.
 *  3. Two optimiser steps a batch, so that the ratio is not 1 by construction and the clip has something to do.
 *  4. Learning rate and lengths are those of a policy of 1.5 million parameters.
 *  5. The vision tower is frozen, as in the published scripts, and its features are computed once a picture.
 */
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { interrupted, yieldToEvents } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { createRandom } from "../engine/random";
import { groupBatch, predictionIndices } from "../policy/batch";
import type { PolicyBundle } from "../policy/bundle";
import { loadPolicy } from "../policy/checkpoint";
import { imageTensor } from "../policy/generate";
import { completionLogprobs, type Policy } from "../policy/policy";
import type { PromptStyle } from "../reflection/prompts";
import type { RewardConfig } from "../reflection/reward-config";
import { scoreResponse, type RewardBreakdown } from "../reflection/rewards";
import { parseResponse } from "../reflection/template";
import type { RolloutEngine } from "../rollout/engine";
import { createPromptCache, type PromptCache } from "../rollout/prepare";
import { createLocalEngine } from "../rollout/local";
import type { Completion, Problem } from "../types";
import {
  average,
  clippedLoss,
  deviation,
  groupAdvantages,
  ratioStatistics,
  sequenceMeanWeights,
  type RatioStatistics,
  type TokenTerms,
} from "./losses";
import { adamWDefaults, createAdamW, lossAndGradients } from "./optimizer";
import type { Run } from "./run";
import { decoderNames, restoreTraining, saveTraining } from "./state";

export interface GrpoConfig {
  steps: number;
  /** Problems a step (P). */
  prompts: number;
  /** Completions a problem (G; 8 in the paper). */
  group: number;
  maxNewTokens: number;
  temperature: number;
  /** Optimiser steps a batch of rollouts. */
  miniBatches: number;
  learningRate: number;
  /** Steps in which the learning rate rises from 0. */
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  clipLow: number;
  clipHigh: number;
  /** Weight of the KL term; 0 needs no reference model. */
  beta: number;
  /** Least divisor of the advantages. */
  stdFloor: number;
  /** Steps between two checkpoints. */
  saveEvery: number;
  /** Steps between two steps whose rollouts are written down. */
  logRolloutsEvery: number;
}

export interface GrpoOptions {
  /** Its decoder is trained in place. */
  bundle: PolicyBundle;
  problems: readonly Problem[];
  /** How the policy is asked: `reflect` for SRPO, `direct` for plain GRPO. */
  style: PromptStyle;
  reward: RewardConfig;
  config: GrpoConfig;
  seed: number;
  run: Run;
  /** What samples; the policy itself in this process by default. It must follow the policy's updates. */
  engine?: RolloutEngine;
  prompts?: PromptCache;
  onStep?: (step: number, metrics: Record<string, number>, rollouts: Rollout[]) => void;
  signal?: AbortSignal;
}

/** One completion with everything that became of it. */
export interface Rollout {
  problem: Problem;
  completion: Completion;
  reward: RewardBreakdown;
  /** Tokens of the reflection, 0 without one. */
  reflectionTokens: number;
  advantage: number;
}

/**
 * Trains, logging and saving into `run`.
 * @throws Interrupted when the signal fires: a checkpoint is written first, and the same call goes on from it
 */
export async function trainGrpo(options: GrpoOptions): Promise<void> {
  const { bundle, problems, style, reward, config, seed, run, onStep, signal } = options;
  const prompts = options.prompts ?? createPromptCache(bundle);
  const engine = options.engine ?? createLocalEngine(bundle, { prompts });
  if (problems.length < config.prompts) {
    throw fault("trainGrpo", "fewer problems than one step takes", {
      got: problems.length,
      expected: `at least ${config.prompts}`,
      try: "a larger rl set or a smaller grpo.prompts",
    });
  }

  // ---- set-up: the optimiser, the last checkpoint if there is one, the reference if it is needed
  const random = createRandom(`grpo/${seed}`);
  const names = decoderNames(bundle);
  const optimizer = createAdamW(bundle.weights, names, {
    ...adamWDefaults,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
  });
  const reference = config.beta === 0 ? undefined : loadPolicy(bundle.folder);

  try {
    let step = 0;
    if (run.lastCheckpoint !== undefined) {
      restoreTraining(bundle, optimizer, run.lastCheckpoint);
      step = run.resumedAt;
    }

    // ---- the loop
    for (; step < config.steps; step++) {
      const clock = Date.now();

      // 1. rollouts
      const chosen = problemsOfStep(problems, config.prompts, step, (epoch) =>
        random.fork(`epoch/${epoch}`),
      );
      const completions = await engine.rollout(chosen, {
        style,
        group: config.group,
        maxNewTokens: config.maxNewTokens,
        temperature: config.temperature,
        seed: `${seed}/${step}`,
        batch: config.prompts,
      });
      const rolloutSeconds = (Date.now() - clock) / 1000;

      // 2. rewards, and advantages within each group (eq 3)
      const groups: Rollout[][] = chosen.map((problem, p) => {
        const scored = completions[p].map((completion) =>
          judge(problem, completion, reward, bundle.tokenizer.countTokens),
        );
        const advantages = groupAdvantages(
          scored.map((rollout) => rollout.reward.total),
          { stdFloor: config.stdFloor },
        );
        return scored.map((rollout, g) => ({ ...rollout, advantage: advantages[g] }));
      });

      // 3. the update (eq 2)
      const learningRate = config.learningRate * Math.min(1, (step + 1) / config.warmupSteps);
      const statistics: (RatioStatistics & { loss: number; gradNorm: number })[] = [];
      for (const part of chunk(groups, Math.ceil(groups.length / config.miniBatches))) {
        const { batch, images, terms } = await prepareUpdate(
          part,
          style,
          prompts,
          bundle,
          reference,
        );
        let logprobs = new Float32Array(0);
        const { loss, gradients } = lossAndGradients(bundle.weights, names, () => {
          const current = completionLogprobs(bundle, batch, images);
          logprobs = current.dataSync<"float32">().slice();
          return clippedLoss(current, terms, config);
        });
        const gradNorm = optimizer.update(gradients, learningRate);
        tf.dispose(gradients);
        images?.dispose();
        statistics.push({ ...ratioStatistics(logprobs, terms, config), loss, gradNorm });
      }

      // 4. what happened
      const done = step + 1;
      const rollouts = groups.flat();
      const metrics = {
        ...rolloutMetrics(groups),
        loss: average(statistics.map((s) => s.loss)),
        grad_norm: average(statistics.map((s) => s.gradNorm)),
        learning_rate: learningRate,
        "clip_ratio/low_mean": average(statistics.map((s) => s.clipLow)),
        "clip_ratio/high_mean": average(statistics.map((s) => s.clipHigh)),
        "clip_ratio/region_mean": average(statistics.map((s) => s.clipLow + s.clipHigh)),
        ...(reference === undefined ? {} : { kl: average(statistics.map((s) => s.kl)) }),
        approx_kl: average(statistics.map((s) => s.approxKl)),
        // Before the first update of a step the policy is the one that sampled: what is left is arithmetic.
        "sampling/sampling_logp_difference/max": statistics[0].maxShift,
        rollout_time: rolloutSeconds,
        step_time: (Date.now() - clock) / 1000,
      };
      run.metrics({ step: done, ...metrics });
      if (step % config.logRolloutsEvery === 0) logRollouts(run, done, groups[0]);
      onStep?.(done, metrics, rollouts);

      await yieldToEvents();
      const stopping = signal?.aborted === true && done < config.steps;
      if (stopping || done % config.saveEvery === 0 || done === config.steps) {
        run.checkpoint(done, (folder) => saveTraining(bundle, optimizer, folder));
      }
      if (stopping) throw interrupted(`GRPO at step ${done} of ${config.steps}`);
    }
  } finally {
    optimizer.dispose();
    reference?.weights.dispose();
    if (options.engine === undefined) await engine.close();
  }
}

/** A rollout as `rollouts.jsonl` holds it. */
export interface RolloutRow {
  step: number;
  /** Its problem's id. */
  problem: string;
  text: string;
  truncated: boolean;
  advantage: number;
  reward: RewardBreakdown;
}

/** A completion taken apart and scored; its advantage needs the whole group. */
function judge(
  problem: Problem,
  completion: Completion,
  config: RewardConfig,
  tokenCount: (text: string) => number,
): Omit<Rollout, "advantage"> {
  const response = parseResponse(completion.text, { truncated: completion.truncated });
  return {
    problem,
    completion,
    reward: scoreResponse({ response, problem, config, tokenCount }),
    reflectionTokens: response.reflection === null ? 0 : tokenCount(response.reflection),
  };
}

/** The problems of a step: epochs over all of them, each in an order of its own. */
function problemsOfStep(
  problems: readonly Problem[],
  count: number,
  step: number,
  orderOf: (epoch: number) => ReturnType<typeof createRandom>,
): Problem[] {
  const perEpoch = Math.floor(problems.length / count);
  const order = orderOf(Math.floor(step / perEpoch)).shuffle(problems);
  return order.slice((step % perEpoch) * count).slice(0, count);
}

/** Tokens, picture features and per-token terms of one minibatch of groups. The caller disposes of `images`. */
async function prepareUpdate(
  groups: readonly Rollout[][],
  style: PromptStyle,
  prompts: PromptCache,
  bundle: PolicyBundle,
  reference: Policy | undefined,
): Promise<{
  batch: ReturnType<typeof groupBatch>;
  images: ReturnType<typeof imageTensor>;
  terms: TokenTerms;
}> {
  const prepared = await prompts.prepare(
    groups.map((group) => group[0].problem),
    style,
  );
  const ids = groups.map((group) => group.map(({ completion }) => completion.ids));
  const batch = groupBatch(prepared, ids, bundle.config);
  const images = imageTensor(prepared, bundle.config);
  const rows = groups.flat();
  const { row } = predictionIndices(batch);
  const terms: TokenTerms = {
    oldLogprobs: Float32Array.from(rows.flatMap(({ completion }) => completion.logprobs)),
    advantages: Float32Array.from(row, (r) => rows[r].advantage),
    weights: sequenceMeanWeights(batch.completionLengths),
  };
  if (reference !== undefined) {
    terms.refLogprobs = tf.tidy(() =>
      completionLogprobs(reference, batch, images).dataSync<"float32">().slice(),
    );
  }
  return { batch, images, terms };
}

/** Metrics of a step's rollouts under TRL's names, and the method's own under `reflection/`. */
export function rolloutMetrics(groups: readonly Rollout[][]): Record<string, number> {
  const rollouts = groups.flat();
  const mean = (value: (rollout: Rollout) => number): number => average(rollouts.map(value));
  const share = (test: (rollout: Rollout) => boolean): number => mean((r) => (test(r) ? 1 : 0));
  const rewards = rollouts.map(({ reward }) => reward.total);
  const lengths = rollouts.map(({ completion }) => completion.ids.length);
  const metrics: Record<string, number> = {
    reward: average(rewards),
    reward_std: average(groups.map((group) => deviation(group.map(({ reward }) => reward.total)))),
    frac_reward_zero_std:
      groups.filter((group) => deviation(group.map(({ reward }) => reward.total)) === 0).length /
      groups.length,
    "completions/mean_length": average(lengths),
    "completions/min_length": Math.min(...lengths),
    "completions/max_length": Math.max(...lengths),
    "completions/clipped_ratio": share(({ completion }) => completion.truncated),
    num_tokens: lengths.reduce((a, b) => a + b, 0),
    // Of the tokens that were sampled, so an estimate of the entropy in nats.
    entropy: -average(rollouts.flatMap(({ completion }) => completion.logprobs)),
    "reflection/acc_first": share(({ reward }) => reward.first.correct),
    "reflection/acc_final": share(({ reward }) => (reward.second ?? reward.first).correct),
    "reflection/present": share(({ reward }) => reward.transition !== null),
    "reflection/length": mean(({ reflectionTokens }) => reflectionTokens),
  };
  for (const transition of ["RR", "RW", "WR", "WW"] as const) {
    metrics[`reflection/${transition}`] = share(({ reward }) => reward.transition === transition);
  }
  for (const part of ["format", "accuracy", "efficacy", "reflection_format", "length"] as const) {
    metrics[`rewards/${part}/mean`] = mean(({ reward }) => reward[part]);
  }
  return metrics;
}

function logRollouts(run: Run, step: number, group: readonly Rollout[]): void {
  for (const { problem, completion, reward, advantage } of group) {
    const { text, truncated } = completion;
    const row: RolloutRow = { step, problem: problem.id, text, truncated, advantage, reward };
    run.rollout({ ...row });
  }
}
