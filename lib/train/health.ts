/**
 * What is wrong with a training, in sentences: thresholds over the metrics of the steps so far. Pure: metrics in, notes
 * out. A note is a reason to look, not a verdict.
 */
import { average } from "./advantages";
import type { Metrics } from "./metrics";

export type HealthKind =
  | "zero-spread"
  | "filter"
  | "entropy-collapse"
  | "clip-ratio"
  | "truncation"
  | "sampler-mismatch"
  | "gradient"
  | "reflections-vanish"
  | "format-collapse"
  | "sandbagging";

export interface HealthNote {
  kind: HealthKind;
  sentence: string;
}

/** From where on something is said, with the reason for the number. */
export const healthThresholds = {
  /**
   * Share of groups whose rewards are all equal. Their advantages are 0; DAPO (arXiv 2503.14476, section 3.2) samples until
   * there are none. At a half the batch is worth half of what it cost.
   */
  zeroSpread: 0.5,
  /**
   * Entropy as a share of what it was in the first steps. Reward is bought with entropy and ends where it is spent (arXiv
   * 2505.22617); the level depends on the policy, so it is measured against the run's own beginning.
   */
  entropyKept: 0.2,
  /** Share of tokens in the clipped region: PPO's usual range ends at 0.2, SRPO reports less than 0.005. */
  clipped: 0.2,
  /** Share of completions that the token limit cut: they have no last answer, and their reward says nothing of it. */
  truncated: 0.25,
  /**
   * Mean difference of the tokens' log-probabilities between trainer and sampler, in nats. float32 on both sides stays below
   * 1e-4, a bfloat16 server around 0.01; beyond, the policy that learns is not the one that acts.
   */
  mismatch: 0.02,
  /** Gradient norm as a multiple of the median of the last 20 steps; batches of one run differ by 2 to 3. */
  gradientJump: 10,
  /** Share of responses with a reflection, against the first steps, where it was at least `reflectionsOnce`. */
  reflectionsKept: 0.5,
  reflectionsOnce: 0.3,
  /** Mean format reward, against its best stretch so far. */
  formatKept: 0.5,
  /**
   * First answers get worse by `firstFell` while W→R transitions gain `fixesRose`, first against last `trend` steps: with
   * 128 rollouts a step the first is 2.5 standard errors.
   */
  firstFell: 0.05,
  fixesRose: 0.03,
  /** Steps that are averaged before levels are compared, and before trends are. */
  window: 5,
  trend: 10,
} as const;

/** What a sentence names of the settings. */
export interface HealthSettings {
  /** Problems a step. */
  prompts: number;
  /** Tokens that a completion may have. */
  maxNewTokens: number;
  maxGradNorm: number;
}

/**
 * What is to be said after a step.
 * @param history the metrics of all steps so far, the newest last; a metric that is absent is not judged
 */
export function healthNotes(history: readonly Metrics[], settings: HealthSettings): HealthNote[] {
  if (history.length === 0) return [];
  return (Object.entries(CHECKS) as [HealthKind, Check][]).flatMap(([kind, check]) => {
    const sentence = check(history, settings);
    return sentence === undefined ? [] : [{ kind, sentence }];
  });
}

type Check = (history: readonly Metrics[], settings: HealthSettings) => string | undefined;

const limits = healthThresholds;

const CHECKS: Record<HealthKind, Check> = {
  "zero-spread": (history, { prompts }) => {
    const now = newest(history);
    const share = now.frac_reward_zero_std;
    if (!(share >= limits.zeroSpread)) return undefined;
    if (share < 1) {
      return (
        `${Math.round(share * prompts)} of ${prompts} groups had zero spread and taught nothing: ` +
        `harder or easier problems, a larger group or a higher temperature would give them some.`
      );
    }
    return `all ${prompts} groups had zero spread: nothing was learned this step, because ${whyEqual(now)}.`;
  },

  filter: (history) => {
    if (newest(history).dynamic_filtering_pass_rate !== 0) return undefined;
    return (
      `the filter kept no group: nothing was learned this step. Try wider bounds (filterLow, filterHigh), more draws, or ` +
      `problems that the policy solves sometimes.`
    );
  },

  "entropy-collapse": (history) => {
    const [early, late] = levels(history, "entropy");
    if (!(late < limits.entropyKept * early)) return undefined;
    return (
      `entropy collapses: ${nats(late)} against ${nats(early)} in the first steps; groups will soon be copies of one ` +
      `response. Try a lower learning rate, a larger clipHigh or a KL penalty.`
    );
  },

  "clip-ratio": (history) => {
    const share = newest(history)["clip_ratio/region_mean"];
    if (!(share > limits.clipped)) return undefined;
    return (
      `${percent(share)} of the tokens are clipped and learn nothing: the policy moves too far on one batch. Try a lower ` +
      `learning rate or fewer miniBatches.`
    );
  },

  truncation: (history, { maxNewTokens }) => {
    const share = newest(history)["completions/clipped_ratio"];
    if (!(share > limits.truncated)) return undefined;
    return (
      `${percent(share)} of the completions were cut at ${maxNewTokens} tokens and could not finish: their rewards judge ` +
      `the limit, not the answer. Try a larger maxNewTokens.`
    );
  },

  "sampler-mismatch": (history) => {
    const apart = newest(history)["sampling/sampling_logp_difference/mean"];
    if (!(apart > limits.mismatch)) return undefined;
    return (
      `sampler and trainer disagree by ${apart.toPrecision(2)} nats a token before the first update: the sampler has other ` +
      `weights, another precision or another temperature.`
    );
  },

  gradient: (history, { maxGradNorm }) => {
    const norms = history.flatMap(({ grad_norm }) => grad_norm ?? []);
    const before = norms.slice(-21, -1).sort((a, b) => a - b);
    const median = before[Math.floor(before.length / 2)];
    const norm = newest(history).grad_norm;
    if (before.length < limits.window || !(norm > limits.gradientJump * median)) return undefined;
    // A median of 0 belongs to steps without spread; any gradient is large beside it.
    if (norm <= maxGradNorm) return undefined;
    return (
      `the gradient's norm jumped to ${norm.toPrecision(3)}, ${Math.round(norm / median)} times its median, and was cut ` +
      `to ${maxGradNorm}. If it goes on, try a lower learning rate.`
    );
  },

  "reflections-vanish": (history) => {
    const [early, late] = levels(history, "reflection/present");
    if (!(early >= limits.reflectionsOnce && late < limits.reflectionsKept * early)) {
      return undefined;
    }
    return (
      `reflections vanish: ${percent(late)} of the responses have one, ${percent(early)} had at first; one answer pays ` +
      `better than two. Look at the reward's reflection parts on the truth table.`
    );
  },

  "format-collapse": (history) => {
    const means = history.flatMap((row) => row["rewards/format/mean"] ?? []);
    if (means.length < 2 * limits.window) return undefined;
    const stretches = means.slice(limits.window - 1).map((_mean, i) => {
      return average(means.slice(i, i + limits.window));
    });
    const [best, late] = [Math.max(...stretches), stretches[stretches.length - 1]];
    if (!(late < limits.formatKept * best)) return undefined;
    return (
      `the format collapses: its reward is ${late.toPrecision(2)} and was ${best.toPrecision(2)}; answers that cannot be ` +
      `read cannot be right. Look at the faults of the rollouts.`
    );
  },

  sandbagging: (history) => {
    const [firstBefore, firstNow] = trends(history, "accuracy/first");
    const [fixesBefore, fixesNow] = trends(history, "reflection/wr");
    const fell = firstBefore - firstNow >= limits.firstFell;
    if (!(fell && fixesNow - fixesBefore >= limits.fixesRose)) return undefined;
    return (
      `first answers get worse (${percent(firstBefore)} → ${percent(firstNow)}) while more of them are turned right ` +
      `(${percent(fixesBefore)} → ${percent(fixesNow)}): the policy may be failing first to be paid for the repair.`
    );
  },
};

function newest(history: readonly Metrics[]): Metrics {
  return history[history.length - 1];
}

/** Means over the first and over the last few steps; NaN, and so beyond every threshold, while the two overlap. */
function levels(history: readonly Metrics[], metric: string): [early: number, late: number] {
  return ends(history, metric, limits.window);
}

function trends(history: readonly Metrics[], metric: string): [early: number, late: number] {
  return ends(history, metric, limits.trend);
}

function ends(history: readonly Metrics[], metric: string, width: number): [number, number] {
  const values = history.flatMap((row) => row[metric] ?? []);
  if (values.length < 2 * width) return [NaN, NaN];
  return [average(values.slice(0, width)), average(values.slice(-width))];
}

function whyEqual(now: Metrics): string {
  const accuracy = now["accuracy/final"];
  if (now.reward_std === 0 && now["completions/clipped_ratio"] === 1) {
    return "every completion was cut at the token limit before it could earn anything";
  }
  if (accuracy === 0)
    return "no completion was right, and the other parts paid all of a group the same";
  if (accuracy === 1)
    return "every completion was right, and the other parts paid all of a group the same";
  return "all completions of a group earned the same";
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function nats(value: number): string {
  return `${value.toPrecision(2)} nats`;
}
