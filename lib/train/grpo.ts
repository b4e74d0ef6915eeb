/**
 * GRPO with reflection rewards: Stage II of SRPO (arXiv 2506.01713, section 3.2, eqs 2-8); with another reward, plain GRPO.
 *
 * A step: take P problems, sample G completions of each, score them, turn the scores of a group into advantages, and
 * update the policy on all of them in `miniBatches` optimiser steps of the clipped loss. Other losses of the family, other
 * advantages, a filter of groups and corrections are settings (`objective.ts`); unless they are set, this is GRPO.
 *
 * Where the defaults depart from the paper:
 *  1. No reference model unless `beta` > 0. The paper writes a KL term; its published run sets the coefficient to 0.
 *  2. The divisor of the advantages has a floor (`stdFloor`): the bare deviation makes a group that differs by its
 *     length term alone count as much as one that differs in being right.
 *  3. Two optimiser steps a batch, so that the ratio is not 1 by construction and the clip has something to do.
 *  4. No group is filtered. The published run keeps groups whose mean accuracy is in [0.1, 0.9], and measures that by the
 *     shaped reward; `filterLow` and `filterHigh` do it by right and wrong.
 *  5. Learning rate and lengths are those of a policy of 1.5 million parameters.
 *  6. The vision tower is frozen, as in the published scripts, and its features are computed once a picture.
 */
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { interrupted, yieldToEvents } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { createRandom, type Random } from "../engine/random";
import { copyOfStart, type PolicyBundle } from "../policy/bundle";
import type { FirstSolutionMask } from "../reflection/first-solution-mask";
import type { PromptStyle } from "../reflection/prompts";
import type { RewardConfig } from "../reflection/reward-config";
import type { RolloutEngine } from "../rollout/engine";
import { recordedBatch, type Tape } from "../policy/tape";
import { createPromptCache, type PromptCache } from "../rollout/prepare";
import { createLocalEngine } from "../rollout/local";
import type { Problem } from "../types";
import { average, batchAdvantages, overlongReward } from "./advantages";
import { checkCustomRewards, RewardFailure, type CustomReward } from "./custom-reward";
import { stopForReward, stopForUpdate } from "./failure";
import { isFiltering, keepsGroup } from "./filter";
import { healthNotes, type HealthNote } from "./health";
import { sequenceKl } from "./kl";
import {
  correctionMetrics,
  rolloutMetrics,
  samplingMetrics,
  updateMetrics,
  type Metrics,
  type UpdateStatistics,
} from "./metrics";
import { checkObjective, type ObjectiveConfig } from "./objective";
import { adamWDefaults, createAdamW } from "./optimizer";
import {
  alsoPaid,
  rolloutRows,
  scoreCompletions,
  type Rollout,
  type ScoredRollout,
} from "./rollouts";
import type { Run } from "./run";
import { trainedNames, restoreTraining, saveTraining } from "./state";
import { ratioStatistics } from "./statistics";
import { disagreement, lossMask, scoreTokens, stepGradients, tokenTerms } from "./update";
import { batchSize } from "./weights";

export interface GrpoConfig extends ObjectiveConfig {
  steps: number;
  /** Problems a step (P). */
  prompts: number;
  /** Completions a problem (G; 8 in the paper). */
  group: number;
  maxNewTokens: number;
  temperature: number;
  /** Optimiser steps a batch of rollouts. */
  miniBatches: number;
  /** Problems, with all their completions, in memory at once; the gradients of an optimiser step's pieces are added up. */
  microBatch: number;
  /**
   * Whether the first optimiser step of a batch takes its forward pass from the rollout that made the batch, where the
   * rollout can keep it (`policy/tape.ts`).
   */
  reuseForward: boolean;
  /** Gradients compute each layer again, and nothing is kept from the rollout: for policies and batches that fill the memory. */
  gradientCheckpointing: boolean;
  learningRate: number;
  /** Steps in which the learning rate rises from 0. */
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  /** A gradient whose norm is above it, or no number, stops the run with its batch saved. */
  stopGradNorm: number;
  /** Guard against sandbagging: whose first solution is left out of the loss; see `first-solution-mask.ts`. */
  firstSolutionMask: FirstSolutionMask;
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
  checkObjective("trainGrpo", config);

  // ---- set-up: the optimiser, the last checkpoint if there is one, the reference if it is needed
  const random = createRandom(`grpo/${seed}`);
  const names = trainedNames(bundle);
  const optimizer = createAdamW(bundle.weights, names, {
    ...adamWDefaults,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    stopGradNorm: config.stopGradNorm,
  });
  const reference = config.beta === 0 ? undefined : copyOfStart(bundle);
  const { gradientCheckpointing } = config;
  const trained = { ...bundle, gradientCheckpointing };
  const context = { bundle: trained, style, prompts, microBatch: config.microBatch };
  const { tokenizer } = bundle;
  const { firstSolutionMask } = config;
  const scoring = { reward, rewardWeight, rewards, firstSolutionMask, tokenizer };
  const save = (step: number): void =>
    run.checkpoint(step, (folder) => saveTraining(bundle, optimizer, folder));

  const tapes: Tape[] = [];
  const eraseTapes = (): void => tapes.splice(0).forEach((tape) => tape.dispose());
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

      // 1. rollouts, and what they earn; drawn again where the filter leaves less than a batch (DAPO, section 3.2). The
      // weights are still those of the last whole step
      const done = step + 1;
      const sampled: ScoredRollout[][] = [];
      let kept: ScoredRollout[][] = [];
      let [rolloutSeconds, rewardSeconds] = [0, 0];
      for (let draw = 0; draw < config.maxDraws && kept.length < config.prompts; draw++) {
        const chosen = problemsOfDraw(problems, config.prompts, { step, draw, random });
        if (chosen.length === 0) break;
        const began = Date.now();
        try {
          const completions = await engine.rollout(chosen, {
            style,
            group: config.group,
            maxNewTokens: config.maxNewTokens,
            temperature: config.temperature,
            seed: `${seed}/${step}`,
            batch: config.prompts,
            signal,
            record: reusesForward(config) ? (tape) => tapes.push(tape) : undefined,
          });
          const sampledAt = Date.now();
          rolloutSeconds += (sampledAt - began) / 1000;
          const scored = await scoreCompletions(chosen, completions, scoring, {
            ...{ step: done, firstAccuracy: firstAccuracyLately(history), signal },
          });
          sampled.push(...scored.map((group) => group.map((row) => chargeLength(row, config))));
          rewardSeconds += (Date.now() - sampledAt) / 1000;
        } catch (error) {
          const stopped = signal?.aborted === true;
          if (step > 0 && (stopped || error instanceof RewardFailure)) save(step);
          if (stopped) throw interrupted(`GRPO at step ${step} of ${config.steps}`);
          throw error instanceof RewardFailure ? stopForReward(run, done, error) : error;
        }
        kept = sampled.filter((group) => keepsGroup(rightAnswers(group, config), config));
      }
      const passed = kept.length;
      kept = kept.slice(0, config.prompts);
      // Where the update's problems were all sampled at once, their forward pass is on the tape.
      const recorded = recordedBatch(
        tapes.length === 1 ? tapes[0] : undefined,
        kept.map((group) => sampled.indexOf(group)),
        kept.map((group) => group.map(({ completion }) => completion)),
      );

      // 2. what others make of the same tokens: the reference, and the trainer where it may disagree with the sampler
      if (reference !== undefined) {
        const scores = await scoreTokens(reference, kept, context);
        kept = eachRollout(kept, (row, i) => chargeKl({ ...row, refLogprobs: scores[i] }, config));
      }
      if (config.importanceSampling !== "none") {
        const scores = await scoreTokens(bundle, kept, context);
        kept = eachRollout(kept, (row, i) => ({ ...row, trainerLogprobs: scores[i] }));
      }

      // 3. advantages within each group (eq 3)
      const advantages = batchAdvantages(
        kept.map((group) => group.map(({ paid }) => Object.values(paid))),
        config,
      );
      const groups = kept.map((group, p) =>
        group.map((rollout, g): Rollout => ({ ...rollout, advantage: advantages[p][g] })),
      );

      // 4. the update (eq 2)
      const updateBegan = Date.now();
      const learningRate = config.learningRate * Math.min(1, (step + 1) / config.warmupSteps);
      const statistics: UpdateStatistics[] = [];
      const current: Float32Array[] = [];
      const parts = chunk(groups, Math.ceil(groups.length / config.miniBatches));
      const masksOf = (some: Rollout[][]) => some.flat().map((row) => lossMask(row, config));
      const { maxNewTokens } = config;
      const whole = { rollouts: masksOf(groups), steps: parts.length, maxNewTokens };
      for (const [i, part] of parts.entries()) {
        const size = batchSize(masksOf(part), whole);
        const { loss, gradients, logprobs, tokens } = await stepGradients(part, size, config, {
          ...context,
          names,
          // After the first optimiser step the weights are no longer those of the rollout.
          recorded: i === 0 ? recorded : undefined,
        });
        eraseTapes();
        let gradNorm: number;
        try {
          gradNorm = optimizer.update(gradients, learningRate, loss);
        } catch (error) {
          const rows = rolloutRows(done, part.flat(), Array.from(logprobs), tokenizer.decode);
          throw stopForUpdate(run, done, rows, error as Error);
        } finally {
          tf.dispose(gradients);
        }
        current.push(logprobs);
        tokensSeen += tokens;
        const terms = tokenTerms(part.flat(), size, config);
        statistics.push({ ...ratioStatistics(logprobs, terms, config), loss, gradNorm });
      }

      eraseTapes();
      const updateSeconds = (Date.now() - updateBegan) / 1000;

      // 5. what happened
      const rollouts = groups.flat();
      const metrics = {
        ...rolloutMetrics(sampled),
        ...updateMetrics(statistics, {
          loss: config.loss,
          withReference: reference !== undefined,
        }),
        ...samplingMetrics(rollouts, current[0] ?? new Float32Array()),
        ...(config.importanceSampling === "none"
          ? {}
          : correctionMetrics(disagreement(rollouts, config), config)),
        ...(isFiltering(config) ? { dynamic_filtering_pass_rate: passed / sampled.length } : {}),
        learning_rate: learningRate,
        epoch: done / Math.floor(problems.length / config.prompts),
        num_tokens: tokensSeen,
        rollout_time: rolloutSeconds,
        reward_time: rewardSeconds,
        update_time: updateSeconds,
        step_time: (Date.now() - clock) / 1000,
      };
      history.push(metrics);
      const notes = healthNotes(history, config);
      run.metrics({ step: done, ...metrics });
      for (const note of notes) run.note({ step: done, ...note });
      if (step % config.logRolloutsEvery === 0) {
        const flat = current.flatMap((logprobs) => Array.from(logprobs));
        rolloutRows(done, rollouts, flat, tokenizer.decode).forEach(run.rollout);
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
    eraseTapes();
    optimizer.dispose();
    reference?.weights.dispose();
    if (options.engine === undefined) await engine.close();
  }
}

/**
 * The problems of a step: epochs over all of them, each in an order of its own. What a further draw takes follows from the
 * step and the draw alone, and is none that the step has asked before; empty when there are no others.
 */
function problemsOfDraw(
  problems: readonly Problem[],
  count: number,
  { step, draw, random }: { step: number; draw: number; random: Random },
): Problem[] {
  const perEpoch = Math.floor(problems.length / count);
  const order = random.fork(`epoch/${Math.floor(step / perEpoch)}`).shuffle(problems);
  const first = order.slice((step % perEpoch) * count).slice(0, count);
  if (draw === 0) return first;
  const others = problems.filter((problem) => !first.includes(problem));
  const again = random.fork(`step/${step}`).shuffle(others);
  return again.slice((draw - 1) * count).slice(0, count);
}

/** Entropies need logits, which a tape does not hold; and who saves memory has none for a tape. */
function reusesForward({ reuseForward, gradientCheckpointing, entropyCoef }: GrpoConfig): boolean {
  return reuseForward && !gradientCheckpointing && entropyCoef === 0;
}

/** Accuracy of the first answers in the last five steps; the guard against sandbagging holds it to a baseline. */
function firstAccuracyLately(history: readonly Metrics[]): number | undefined {
  const lately = history.slice(-5).flatMap((metrics) => metrics["accuracy/first"] ?? []);
  return lately.length === 0 ? undefined : average(lately);
}

/** Which of a group's answers are right, for the filter. */
function rightAnswers(group: readonly ScoredRollout[], { filterOn }: GrpoConfig): boolean[] {
  return group.map(({ reward: { first, second } }) =>
    filterOn === "first" || second === null ? first.correct : second.correct,
  );
}

/** The rollout less what its length costs. */
function chargeLength(rollout: ScoredRollout, config: GrpoConfig): ScoredRollout {
  if (config.overlongBuffer === 0) return rollout;
  return alsoPaid(rollout, "overlong", overlongReward(rollout.completion.ids.length, config));
}

/** The rollout less what its distance from the reference costs, where that is taken off the reward. */
function chargeKl(rollout: ScoredRollout, { beta, kl, klIn }: GrpoConfig): ScoredRollout {
  const { completion, refLogprobs } = rollout;
  if (klIn === "loss" || refLogprobs === undefined) return rollout;
  return alsoPaid(rollout, "kl", -beta * sequenceKl(completion.logprobs, refLogprobs, kl));
}

/** The groups with each rollout changed; `i` counts through all of them. */
function eachRollout(
  groups: readonly ScoredRollout[][],
  change: (rollout: ScoredRollout, i: number) => ScoredRollout,
): ScoredRollout[][] {
  let i = 0;
  return groups.map((group) => group.map((rollout) => change(rollout, i++)));
}
