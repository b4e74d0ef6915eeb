/**
 * What Stage II optimises, as settings: loss, KL, advantages, filter, corrections. Plain data, so that a spec can be read
 * and checked without starting the engine. The names of the choices are TRL's where TRL has them.
 */
import { fault } from "../engine/errors";

export const LOSSES = ["grpo", "dr_grpo", "dapo", "bnpo", "gspo", "cispo"] as const;
export type LossName = (typeof LOSSES)[number];

export const KL_ESTIMATES = ["k1", "k2", "k3"] as const;
export type KlEstimate = (typeof KL_ESTIMATES)[number];

export const KL_PLACES = ["loss", "reward"] as const;
export const REWARD_SCALES = ["group", "batch", "none"] as const;
export const AGGREGATIONS = ["sum_then_normalize", "normalize_then_sum"] as const;
export const ANSWERS = ["first", "final"] as const;
export const CORRECTIONS = [
  "none",
  "token_truncate",
  "token_mask",
  "sequence_truncate",
  "sequence_mask",
] as const;

export interface LossConfig {
  /** Which ratio, which clip and which mean; see `losses.ts` and `weights.ts`. */
  loss: LossName;
  /** PPO's ε below 1 and above it (they differ in DAPO's "clip higher"). CISPO has `cispoMax` instead. */
  clipLow: number;
  clipHigh: number;
  /** CISPO's largest ratio, an absolute one (`epsilon_high` in TRL). */
  cispoMax: number;
  /** Weight of KL(π ‖ π_ref); 0 needs no reference model. */
  beta: number;
  /** How the KL is estimated from sampled tokens. */
  kl: KlEstimate;
  /** Whether the KL is a term of the loss, token by token, or taken off the reward, summed over the completion. */
  klIn: (typeof KL_PLACES)[number];
  /** Multiplies the loss's KL by the ratio, so that its gradient is unbiased (TRL's `use_bias_correction_kl`). */
  klCorrection: boolean;
  /** Weight of the mean entropy per token, which is then paid for. */
  entropyCoef: number;
}

export interface AdvantageConfig {
  /** What divides the difference from the group's mean: the group's deviation, the batch's, or nothing. */
  scaleRewards: (typeof REWARD_SCALES)[number];
  /** `normalize_then_sum` is GDPO: each part of the reward is normalised in its group before the parts are added. */
  aggregation: (typeof AGGREGATIONS)[number];
  /** Least divisor of the advantages. */
  stdFloor: number;
  /** Added to the deviation: 1e-4 in TRL, 1e-6 in verl. With a floor there is no need of it. */
  stdEpsilon: number;
}

/** DAPO's soft overlong punishment. */
export interface OverlongConfig {
  /** Length of the stretch before the token limit in which the punishment grows, in tokens; 0 punishes nothing. */
  overlongBuffer: number;
  /** What is taken off the reward at the limit. */
  overlongPenalty: number;
}

/** Which groups are learned from, by how many of their answers are right and never by what they were paid. */
export interface FilterConfig {
  /** The answer whose correctness counts. */
  filterOn: (typeof ANSWERS)[number];
  /** Groups whose share of right answers lies outside `[filterLow, filterHigh]` are dropped; 0 and 1 keep all. */
  filterLow: number;
  filterHigh: number;
  /** DAPO's dynamic sampling: at most so many batches are drawn to replace what the filter drops; 1 replaces nothing. */
  maxDraws: number;
}

/** Correction where the engine that sampled and the trainer disagree on a token's probability. */
export interface ImportanceConfig {
  /** Whether the ratio is a token's or the whole completion's, and what becomes of it beyond the bounds. */
  importanceSampling: (typeof CORRECTIONS)[number];
  importanceMin: number;
  importanceMax: number;
}

export interface ObjectiveConfig
  extends LossConfig, AdvantageConfig, OverlongConfig, FilterConfig, ImportanceConfig {
  /** Completions that the token limit cut off are not learned from; their rewards still count in their group's mean. */
  maskTruncated: boolean;
}

/** GRPO as the paper of SRPO runs it: symmetric clip, no reference, every group, every token. */
export const objectiveDefaults: ObjectiveConfig = {
  loss: "grpo",
  clipLow: 0.2,
  clipHigh: 0.2,
  cispoMax: 5,
  beta: 0,
  kl: "k3",
  klIn: "loss",
  klCorrection: false,
  entropyCoef: 0,
  scaleRewards: "group",
  aggregation: "sum_then_normalize",
  stdFloor: 0.1,
  stdEpsilon: 0,
  overlongBuffer: 0,
  overlongPenalty: 1,
  filterOn: "final",
  filterLow: 0,
  filterHigh: 1,
  maxDraws: 1,
  importanceSampling: "none",
  importanceMin: 0,
  importanceMax: 3,
  maskTruncated: false,
};

/**
 * What the papers set beside the loss itself: `loadSpec({ grpo: lossRecipe("dapo", { maxNewTokens }) })`.
 *
 * - `grpo`: DeepSeekMath, arXiv 2402.03300, without its KL term
 * - `dr_grpo`: 2503.20783, section 3.2: no deviation, no length in the mean
 * - `dapo`: 2503.14476, section 3: clip higher, token mean, overlong shaping in the last fifth, groups that are all right
 *   or all wrong replaced
 * - `bnpo`: TRL's loss of this name: the mean over the tokens of one optimiser step. The paper's (2506.02864) beta
 *   normalisation of the advantages is not part of it, in TRL neither.
 * - `gspo`: 2507.18071, section 5.1: the clip of a sequence's ratio is two to three orders narrower than a token's
 * - `cispo`: 2506.13585 as in ScaleRL, 2510.13786: one absolute bound, advantages scaled by the batch
 */
export function lossRecipe(
  loss: LossName,
  { maxNewTokens, group }: { maxNewTokens: number; group: number },
): Partial<ObjectiveConfig> {
  const recipes: Record<LossName, Partial<ObjectiveConfig>> = {
    grpo: {},
    dr_grpo: { scaleRewards: "none" },
    dapo: {
      clipHigh: 0.28,
      overlongBuffer: Math.round(maxNewTokens / 5),
      // Between none and one, and between all but one and all.
      filterLow: 0.5 / group,
      filterHigh: 1 - 0.5 / group,
      maxDraws: 4,
    },
    bnpo: {},
    gspo: { clipLow: 3e-4, clipHigh: 4e-4 },
    cispo: { cispoMax: 5, scaleRewards: "batch" },
  };
  return { loss, ...recipes[loss] };
}

/** @param where what is asked, for the error @throws LabError naming settings that contradict each other */
export function checkObjective(
  where: string,
  config: ObjectiveConfig & { maxNewTokens: number },
): void {
  const { filterLow, filterHigh, maxDraws, importanceMin, importanceMax } = config;
  const must = (fits: boolean, what: string, got: unknown, remedy: string): void => {
    if (!fits) throw fault(where, what, { got, try: remedy });
  };
  must(
    filterLow <= filterHigh && filterHigh <= 1,
    "the filter keeps no group",
    { filterLow, filterHigh },
    "shares of right answers, such as 0.1 and 0.9",
  );
  must(
    maxDraws === 1 || filterLow > 0 || filterHigh < 1,
    "maxDraws replaces what the filter drops, and the filter drops nothing",
    { maxDraws, filterLow, filterHigh },
    "grpo.filterLow=0.1 grpo.filterHigh=0.9, or maxDraws 1",
  );
  must(
    config.overlongBuffer <= config.maxNewTokens,
    "overlongBuffer is longer than a completion can be",
    config.overlongBuffer,
    `at most maxNewTokens, ${config.maxNewTokens}`,
  );
  must(
    importanceMin <= 1 && importanceMax >= 1,
    "the bounds of the importance ratio exclude 1, an engine that agrees with the trainer",
    { importanceMin, importanceMax },
    "grpo.importanceMin=0 grpo.importanceMax=3",
  );
}
