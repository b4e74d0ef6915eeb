/**
 * Metrics of a step of reinforcement learning, under TRL's names where TRL has one (GRPOTrainer, version 1.16), and the
 * method's own under `accuracy/` and `reflection/`. A metric that a step has nothing to measure by is left out: it is never
 * NaN, and 0 always means 0.
 */
import { PART_NAMES } from "../reflection/reward-parts";
import { countTransitions, TRANSITIONS } from "../reflection/transitions";
import { average, deviation } from "./advantages";
import { importanceRatios, type Disagreement } from "./importance";
import type { ImportanceConfig, LossName } from "./objective";
import type { Rollout, ScoredRollout } from "./rollouts";
import type { RatioStatistics } from "./statistics";

export type Metrics = Record<string, number>;

/** Rewards as close to each other as this are equal (TRL: `torch.isclose` to 0). */
const SAME_REWARD = 1e-8;

/** What the rollouts of a step are. @param groups one list of completions a problem */
export function rolloutMetrics(groups: readonly (readonly ScoredRollout[])[]): Metrics {
  const rollouts = groups.flat();
  const spreads = groups.map((group) => deviation(group.map(({ total }) => total)));
  const metrics: Metrics = {
    reward: average(rollouts.map(({ total }) => total)),
    // Of all rewards of the step, as TRL 1.16 has it; how far groups are spread is in frac_reward_zero_std.
    reward_std: deviation(rollouts.map(({ total }) => total)),
    frac_reward_zero_std: share(spreads, (spread) => spread <= SAME_REWARD),
    ...lengthMetrics(rollouts),
    entropy: meanEntropy(rollouts),
    ...reflectionMetrics(rollouts),
  };
  for (const part of PART_NAMES) {
    Object.assign(
      metrics,
      spreadOf(
        part,
        rollouts.map(({ reward }) => reward[part]),
      ),
    );
  }
  // What was taken off for length, where a setting does.
  const overlong = rollouts.flatMap(({ paid }) => paid.overlong ?? []);
  if (overlong.length > 0) Object.assign(metrics, spreadOf("overlong", overlong));
  for (const name of Object.keys(rollouts[0].custom)) {
    const values = rollouts.flatMap(({ custom }) => custom[name] ?? []);
    if (values.length > 0) Object.assign(metrics, spreadOf(name, values));
    const absent = rollouts.length - values.length;
    if (absent > 0) metrics[`rewards/${name}/not_applicable`] = absent / rollouts.length;
  }
  return metrics;
}

/** Lengths in tokens. As in TRL, the terminated lengths are 0 where the token limit cut every completion. */
function lengthMetrics(rollouts: readonly ScoredRollout[]): Metrics {
  const lengths = rollouts.map(({ completion }) => completion.ids.length);
  const ended = rollouts.filter(({ completion }) => !completion.truncated);
  const terminated =
    ended.length === 0 ? [0] : ended.map(({ completion }) => completion.ids.length);
  return {
    "completions/mean_length": average(lengths),
    "completions/min_length": Math.min(...lengths),
    "completions/max_length": Math.max(...lengths),
    "completions/mean_terminated_length": average(terminated),
    "completions/min_terminated_length": Math.min(...terminated),
    "completions/max_terminated_length": Math.max(...terminated),
    "completions/clipped_ratio": 1 - ended.length / rollouts.length,
  };
}

/**
 * Mean entropy of the distributions that the tokens were drawn from, in nats. An engine that does not tell them leaves the
 * tokens' own mean negative log-probability, an estimate of the same at temperature 1.
 */
function meanEntropy(rollouts: readonly ScoredRollout[]): number {
  const tokens = rollouts.flatMap(
    ({ completion: { entropies, logprobs } }) => entropies ?? logprobs.map((value) => -value),
  );
  return average(tokens);
}

/**
 * What the first answers, the second answers and the change between them are. `accuracy/final` takes the last answer that a
 * response has; `accuracy/second` looks only at responses with a second answer.
 */
function reflectionMetrics(rollouts: readonly ScoredRollout[]): Metrics {
  const seconds = rollouts.flatMap(({ reward }) => reward.second ?? []);
  const counts = countTransitions(rollouts.map(({ reward }) => reward.transition));
  const reflected = rollouts.filter(({ reflectionTokens }) => reflectionTokens > 0);
  const metrics: Metrics = {
    "accuracy/first": share(rollouts, ({ reward }) => reward.first.correct),
    "accuracy/final": share(rollouts, ({ reward }) => (reward.second ?? reward.first).correct),
    "reflection/present": 1 - counts.none / rollouts.length,
    // Among the responses that have one; 0 where none has.
    "reflection/length": average(reflected.map(({ reflectionTokens }) => reflectionTokens)),
  };
  if (seconds.length > 0) metrics["accuracy/second"] = share(seconds, ({ correct }) => correct);
  for (const transition of TRANSITIONS) {
    metrics[`reflection/${transition.toLowerCase()}`] = counts[transition] / rollouts.length;
  }
  const wrong = counts.WR + counts.WW;
  if (wrong > 0) metrics["reflection/fix_rate"] = counts.WR / wrong;
  const right = counts.RR + counts.RW;
  if (right > 0) metrics["reflection/harm_rate"] = counts.RW / right;
  return metrics;
}

function spreadOf(name: string, values: readonly number[]): Metrics {
  return { [`rewards/${name}/mean`]: average(values), [`rewards/${name}/std`]: deviation(values) };
}

function share<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.filter(test).length / items.length;
}

/** What one optimiser step saw. */
export type UpdateStatistics = RatioStatistics & { loss: number; gradNorm: number };

/**
 * What the update was: means over its optimiser steps, and the extremes where TRL logs them. Nothing where the filter left
 * nothing to learn from.
 */
export function updateMetrics(
  statistics: readonly UpdateStatistics[],
  { loss, withReference }: { loss: LossName; withReference: boolean },
): Metrics {
  if (statistics.length === 0) return {};
  const mean = (value: (s: UpdateStatistics) => number): number => average(statistics.map(value));
  const clipped: Metrics =
    loss === "cispo"
      ? { cispo_clip_ratio: mean(({ clipHigh }) => clipHigh) }
      : {
          "clip_ratio/low_mean": mean(({ clipLow }) => clipLow),
          "clip_ratio/low_min": Math.min(...statistics.map(({ clipLowMin }) => clipLowMin)),
          "clip_ratio/high_mean": mean(({ clipHigh }) => clipHigh),
          "clip_ratio/high_max": Math.max(...statistics.map(({ clipHighMax }) => clipHighMax)),
          "clip_ratio/region_mean": mean(({ clipLow, clipHigh }) => clipLow + clipHigh),
        };
  return {
    loss: mean((s) => s.loss),
    grad_norm: mean(({ gradNorm }) => gradNorm),
    ...clipped,
    approx_kl: mean(({ approxKl }) => approxKl),
    ...(withReference ? { kl: mean(({ kl }) => kl) } : {}),
  };
}

/**
 * How far trainer and sampler disagree, over the tokens of a step's first minibatch: before the first update the policy is
 * the one that sampled, and what differs is arithmetic, or another engine with other weights.
 * @param current log-probabilities by the trainer `[n]`, of the first of the step's rollouts
 */
export function samplingMetrics(
  rollouts: readonly Pick<Rollout, "completion">[],
  current: Float32Array,
): Metrics {
  const old = rollouts.flatMap(({ completion }) => completion.logprobs);
  const logRatios = Array.from(current, (logprob, i) => logprob - old[i]);
  return disagreementMetrics(logRatios.map(Math.abs), logRatios.map(Math.exp));
}

/**
 * The same over all tokens that count, where the disagreement is corrected: the ratios are those that were applied, one a
 * completion in the `sequence_*` modes.
 */
export function correctionMetrics(said: Disagreement, config: ImportanceConfig): Metrics {
  const { sampler, trainer, mask, lengths } = said;
  const counted = [...mask.keys()].filter((i) => mask[i] !== 0);
  const differences = counted.map((i) => Math.abs(trainer[i] - sampler[i]));
  const applied = importanceRatios(said, config);
  let at = 0;
  const firsts = lengths.map((length) => (at += length) - length);
  const places = config.importanceSampling.startsWith("sequence") ? firsts : counted;
  const ratios = places.map((i) => applied[i]);
  return disagreementMetrics(differences, ratios);
}

/** Nothing where there are no tokens. Folded, not spread: a step of a large policy has more tokens than a call takes arguments. */
function disagreementMetrics(differences: readonly number[], ratios: readonly number[]): Metrics {
  if (ratios.length === 0) return {};
  return {
    "sampling/sampling_logp_difference/mean": average(differences),
    "sampling/sampling_logp_difference/max": differences.reduce((a, b) => Math.max(a, b), 0),
    "sampling/importance_sampling_ratio/min": ratios.reduce((a, b) => Math.min(a, b)),
    "sampling/importance_sampling_ratio/mean": average(ratios),
    "sampling/importance_sampling_ratio/max": ratios.reduce((a, b) => Math.max(a, b)),
  };
}
