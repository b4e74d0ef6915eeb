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
import { groupBatch, predictionIndices, type GroupedBatch } from "../policy/batch";
import type { PolicyBundle } from "../policy/bundle";
import { loadPolicy } from "../policy/checkpoint";
import { imageTensor } from "../policy/generate";
import { completionLogprobs, type Policy } from "../policy/policy";
import type { PromptStyle } from "../reflection/prompts";
import type { RewardConfig } from "../reflection/reward-config";
import type { RolloutEngine } from "../rollout/engine";
import { createPromptCache, type PromptCache } from "../rollout/prepare";
import { createLocalEngine } from "../rollout/local";
import type { Problem } from "../types";
import { checkCustomRewards, RewardFailure, type CustomReward } from "./custom-reward";
import { stopForReward, stopForUpdate } from "./failure";
import { healthNotes, type HealthNote } from "./health";
import {
  clippedLoss,
  groupAdvantages,
  ratioStatistics,
  sequenceMeanWeights,
  type TokenTerms,
} from "./losses";
import { rolloutMetrics, samplingMetrics, updateMetrics, type UpdateStatistics } from "./metrics";
import { adamWDefaults, createAdamW, lossAndGradients } from "./optimizer";
import { rolloutRows, scoreCompletions, type Rollout, type ScoredRollout } from "./rollouts";
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
  /** A gradient whose norm is above it, or no number, stops the run with its batch saved. */
  stopGradNorm: number;
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
  /** Weight of what `reward` pays; 0 only measures it and leaves the pay to `rewards`. 1 by default. */
  rewardWeight?: number;
  /** Rewards of the user's own, added to it. */
  rewards?: readonly CustomReward[];
  config: GrpoConfig;
  seed: number;
  run: Run;
  /** What samples; the policy itself in this process by default. It must follow the policy's updates. */
  engine?: RolloutEngine;
  prompts?: PromptCache;
  onStep?: (
    step: number,
    metrics: Record<string, number>,
    rollouts: Rollout[],
    notes: readonly HealthNote[],
  ) => void;
  signal?: AbortSignal;
}

/**
 * Trains, logging and saving into `run`.
 * @throws Interrupted when the signal fires: a checkpoint of the last whole step is written first, and the same call goes on
 * from it
 * @throws LabError when a reward of the user's own fails, or a loss or gradient is no number or explodes; what broke is
 * written into the run's `failures/`, and what was saved before stays
 */
export async function trainGrpo(options: GrpoOptions): Promise<void> {
  const { bundle, problems, style, reward, config, seed, run, onStep, signal } = options;
  const { rewardWeight = 1, rewards = [] } = options;
  const { countTokens, decode } = bundle.tokenizer;
  const prompts = options.prompts ?? createPromptCache(bundle);
  const engine = options.engine ?? createLocalEngine(bundle, { prompts });
  if (problems.length < config.prompts) {
    throw fault("trainGrpo", "fewer problems than one step takes", {
      got: problems.length,
      expected: `at least ${config.prompts}`,
      try: "a larger rl set or a smaller grpo.prompts",
    });
  }
  checkCustomRewards(rewards);

  // ---- set-up: the optimiser, the last checkpoint if there is one, the reference if it is needed
  const random = createRandom(`grpo/${seed}`);
  const names = decoderNames(bundle);
  const optimizer = createAdamW(bundle.weights, names, {
    ...adamWDefaults,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    stopGradNorm: config.stopGradNorm,
  });
  const reference = config.beta === 0 ? undefined : loadPolicy(bundle.folder);
  const save = (step: number): void =>
    run.checkpoint(step, (folder) => saveTraining(bundle, optimizer, folder));

  try {
    let step = 0;
    const history = run.history();
    let tokensSeen = history.at(-1)?.num_tokens ?? 0;
    if (run.lastCheckpoint !== undefined) {
      restoreTraining(bundle, optimizer, run.lastCheckpoint);
      step = run.resumedAt;
    }

    // ---- the loop
    for (; step < config.steps; step++) {
      const clock = Date.now();

      // 1. rollouts, and what they earn; the weights are still those of the last whole step
      const done = step + 1;
      const chosen = problemsOfStep(problems, config.prompts, step, (epoch) =>
        random.fork(`epoch/${epoch}`),
      );
      let scored: ScoredRollout[][];
      let rolloutSeconds: number;
      try {
        const completions = await engine.rollout(chosen, {
          style,
          group: config.group,
          maxNewTokens: config.maxNewTokens,
          temperature: config.temperature,
          seed: `${seed}/${step}`,
          batch: config.prompts,
          signal,
        });
        rolloutSeconds = (Date.now() - clock) / 1000;
        const scoring = { reward, rewardWeight, rewards, countTokens };
        scored = await scoreCompletions(chosen, completions, scoring, { step: done, signal });
      } catch (error) {
        const stopped = signal?.aborted === true;
        if (step > 0 && (stopped || error instanceof RewardFailure)) save(step);
        if (stopped) throw interrupted(`GRPO at step ${step} of ${config.steps}`);
        throw error instanceof RewardFailure ? stopForReward(run, done, error) : error;
      }

      // 2. advantages within each group (eq 3)
      const groups: Rollout[][] = scored.map((group) => {
        const advantages = groupAdvantages(
          group.map(({ total }) => total),
          { stdFloor: config.stdFloor },
        );
        return group.map((rollout, g) => ({ ...rollout, advantage: advantages[g] }));
      });

      // 3. the update (eq 2)
      const learningRate = config.learningRate * Math.min(1, (step + 1) / config.warmupSteps);
      const statistics: UpdateStatistics[] = [];
      const current: Float32Array[] = [];
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
        let gradNorm: number;
        try {
          gradNorm = optimizer.update(gradients, learningRate, loss);
        } catch (error) {
          const rows = rolloutRows(done, part.flat(), Array.from(logprobs), decode);
          throw stopForUpdate(run, done, rows, error as Error);
        } finally {
          tf.dispose(gradients);
          images?.dispose();
        }
        current.push(logprobs);
        tokensSeen += tokensIn(batch);
        statistics.push({ ...ratioStatistics(logprobs, terms, config), loss, gradNorm });
      }

      // 4. what happened
      const rollouts = groups.flat();
      const metrics = {
        ...rolloutMetrics(groups),
        ...updateMetrics(statistics, { withReference: reference !== undefined }),
        ...samplingMetrics(rollouts, current[0]),
        learning_rate: learningRate,
        epoch: done / Math.floor(problems.length / config.prompts),
        num_tokens: tokensSeen,
        rollout_time: rolloutSeconds,
        step_time: (Date.now() - clock) / 1000,
      };
      history.push(metrics);
      const notes = healthNotes(history, config);
      run.metrics({ step: done, ...metrics });
      for (const note of notes) run.note({ step: done, ...note });
      if (step % config.logRolloutsEvery === 0) {
        const flat = current.flatMap((logprobs) => Array.from(logprobs));
        rolloutRows(done, rollouts, flat, decode).forEach(run.rollout);
      }
      onStep?.(done, metrics, rollouts, notes);

      await yieldToEvents();
      const stopping = signal?.aborted === true && done < config.steps;
      if (stopping || done % config.saveEvery === 0 || done === config.steps) {
        save(done);
      }
      if (stopping) throw interrupted(`GRPO at step ${done} of ${config.steps}`);
    }
  } finally {
    optimizer.dispose();
    reference?.weights.dispose();
    if (options.engine === undefined) await engine.close();
  }
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

/** Tokens of a batch as TRL counts them: every completion with its prompt. */
function tokensIn({ G, promptLengths, completionLengths }: GroupedBatch): number {
  const sum = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);
  return G * sum(promptLengths) + sum(completionLengths);
}

/** Tokens, picture features and per-token terms of one minibatch of groups. The caller disposes of `images`. */
async function prepareUpdate(
  groups: readonly Rollout[][],
  style: PromptStyle,
  prompts: PromptCache,
  bundle: PolicyBundle,
  reference: Policy | undefined,
): Promise<{
  batch: GroupedBatch;
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
