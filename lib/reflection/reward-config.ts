/** What a reward pays: one typed record, and the presets of the paper, its ablations and its published code. */
import { fault } from "../engine/errors";
import type { Transition } from "../types";

export interface RewardConfig {
  /** How many solutions the policy is asked for; the format is judged against it. */
  solutions: 1 | 2;
  /** R_format of a well-formed response. */
  formatWeight: number;
  /** Whether text before the first tag is overlooked by the format. */
  textBefore: boolean;
  /** R_accuracy of a right answer. */
  accuracyWeight: number;
  /**
   * Which answer R_accuracy looks at. `first`: the paper, equation 5. `either`: the published code, which pays whichever
   * answer is right and so pays W→R more than R→R. `final`: the second, or the only one.
   */
  accuracyOn: "first" | "final" | "either";
  /** I_eff for each transition (equation 8). */
  effectiveness: Readonly<Record<Transition, number>>;
  /** I_ref of a properly formatted reflection. */
  reflectionFormat: number;
  /** α, the weight of f_len (equation 6). */
  alpha: number;
  /** T_target as a multiple of the first solution's tokens. */
  targetRatio: number;
  /** T_max as a multiple of the first solution's tokens. */
  maxRatio: number;
  /**
   * Guard: the first solution counts for at least this many tokens in T_target and T_max. 0 is the paper. After a short
   * first solution f_len punishes every reflection that has work to do.
   */
  lengthBaseFloor: number;
}

const EFFECTIVENESS: RewardConfig["effectiveness"] = { RR: 0.25, WR: 0.5, RW: -0.25, WW: 0 };
const NO_EFFECTIVENESS: RewardConfig["effectiveness"] = { RR: 0, WR: 0, RW: 0, WW: 0 };

const paper: RewardConfig = {
  solutions: 2,
  formatWeight: 0.5,
  textBefore: false,
  accuracyWeight: 0.5,
  accuracyOn: "first",
  effectiveness: EFFECTIVENESS,
  reflectionFormat: 0.25,
  alpha: 0.1,
  targetRatio: 2,
  maxRatio: 2.5,
  lengthBaseFloor: 0,
};

export type RewardPreset =
  | "paper"
  | "official-code"
  | "task-only"
  | "no-effectiveness"
  | "no-reflection-format"
  | "no-length";

/**
 * - `paper`: equations 4 to 8. Well-formed and at the target length: RR 1.60, WR 1.35, RW 1.10, WW 0.85.
 * - `official-code`: what the published OpenRLHF reward means to pay. No I_ref, and accuracy on whichever answer is right:
 *   RR 0.75, WR 1.00, RW 0.25, WW 0 for accuracy and I_eff together, an incentive to fail first. Its silent zeros
 *   for single answers are left out.
 * - `task-only`: plain GRPO, one solution, format and accuracy. With two solutions it is "no reflection reward":
 *   `rewardConfig("task-only", { solutions: 2 })`.
 * - `no-effectiveness`, `no-reflection-format`, `no-length`: `paper` without I_eff, I_ref, f_len.
 */
export const rewardPresets: Readonly<Record<RewardPreset, RewardConfig>> = {
  paper,
  "official-code": { ...paper, textBefore: true, accuracyOn: "either", reflectionFormat: 0 },
  "task-only": {
    ...paper,
    solutions: 1,
    effectiveness: NO_EFFECTIVENESS,
    reflectionFormat: 0,
    alpha: 0,
  },
  "no-effectiveness": { ...paper, effectiveness: NO_EFFECTIVENESS },
  "no-reflection-format": { ...paper, reflectionFormat: 0 },
  "no-length": { ...paper, alpha: 0 },
};

/**
 * A preset with changes.
 * @throws LabError naming the preset or the key that cannot be
 */
export function rewardConfig(
  preset: RewardPreset,
  changes: Partial<RewardConfig> = {},
): RewardConfig {
  const base: RewardConfig | undefined = Object.hasOwn(rewardPresets, preset)
    ? rewardPresets[preset]
    : undefined;
  if (base === undefined) {
    throw fault("rewardConfig", "there is no such preset", {
      got: preset,
      expected: `one of ${Object.keys(rewardPresets).join(", ")}`,
    });
  }
  const config = { ...base, ...changes };
  checkKeys(config);
  return config;
}

function checkKeys(config: RewardConfig): void {
  for (const [key, value] of Object.entries(config)) {
    if (!Object.hasOwn(paper, key)) {
      throw fault("rewardConfig", `unknown key ${key}`, {
        expected: `one of ${Object.keys(paper).join(", ")}`,
      });
    }
    const numbers = typeof value === "object" ? Object.values(value) : [value];
    if (numbers.some((part) => typeof part === "number" && !Number.isFinite(part))) {
      throw fault("rewardConfig", `${key} is no finite number`, { got: String(value) });
    }
  }
  if (config.solutions !== 1 && config.solutions !== 2) {
    throw fault("rewardConfig", "solutions is wrong", {
      got: config.solutions,
      expected: "1 or 2",
    });
  }
  if (!["first", "final", "either"].includes(config.accuracyOn)) {
    throw fault("rewardConfig", "accuracyOn is wrong", {
      got: config.accuracyOn,
      expected: "first, final or either",
    });
  }
  const missing = Object.keys(EFFECTIVENESS).filter((key) => !(key in config.effectiveness));
  if (missing.length > 0) {
    throw fault("rewardConfig", `effectiveness lacks ${missing.join(", ")}`, {
      expected: "a number for each of RR, RW, WR and WW",
    });
  }
  if (config.maxRatio <= config.targetRatio || config.targetRatio <= 0) {
    throw fault("rewardConfig", "maxRatio must lie above targetRatio, and both above 0", {
      got: { targetRatio: config.targetRatio, maxRatio: config.maxRatio },
    });
  }
}
