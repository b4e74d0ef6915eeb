/** What a reward pays: one typed record, and the presets of the paper, its ablations, its published code and Octopus. */
import { fault } from "../engine/errors";
import type { Transition } from "../types";

export interface RewardConfig {
  /** Who computes the parts: the paper's equations, or `official-code.ts`, which has the published function's defects. */
  scorer: "equations" | "official-code";
  /** How many solutions the policy is asked for; the format is judged against it. */
  solutions: 1 | 2;
  /** Whether two solutions have a reflection between them; `false` is two-step thinking, the control of the paper's Table 4. */
  reflects: boolean;
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
  /** What stands in I_eff's place where there is only one answer, right or wrong; 0 in the paper. */
  singleEffectiveness: Readonly<{ right: number; wrong: number }>;
  /** Whether a second solution that was begun and has no answer counts as a wrong one; if not, there is one solution. */
  missingSecondIsWrong: boolean;
  /** I_ref of a properly formatted reflection. */
  reflectionFormat: number;
  /** α, the weight of f_len (equation 6). */
  alpha: number;
  /** T_target as a multiple of the first solution's tokens. */
  targetRatio: number;
  /** T_max as a multiple of the first solution's tokens. */
  maxRatio: number;
  /** Guard `padding`: the first solution counts for at least this many tokens in T_target and T_max; 0 is off. */
  lengthBaseFloor: number;
  /** Guard `sandbagging`: the first answers' accuracy below which W→R is paid less; 0 is off. */
  firstBaseline: number;
  /** Guard `copying` when false: a second solution equal to the first earns no I_eff and no f_len. */
  payCopies: boolean;
  /** Guard `empty-first` when false: after an empty first answer no answer is paid. */
  payEmptyFirst: boolean;
  /** Guard `ill-formed-second` when false: I_eff is not earned by an ill-formed second solution. */
  payIllFormedSecond: boolean;
  /** Guard `reward-words` when false: a reflection that speaks of the reward earns no I_ref and no I_eff. */
  payRewardWords: boolean;
  /** Guard `no-working` when false: a reflection without a single equation between numbers earns no I_ref. */
  payNoWorking: boolean;
  /** Guard `length-gate`: f_len is paid on well-formed responses only. */
  lengthNeedsFormat: boolean;
  /**
   * Only for `official-code`: whether `<answer>61</answer>` is read. math-verify, which is handed the tags as well, does not
   * read a number straight after one; with `false` this is so here too.
   */
  readsBareNumbers: boolean;
}

const EFFECTIVENESS: RewardConfig["effectiveness"] = { RR: 0.25, WR: 0.5, RW: -0.25, WW: 0 };
const NO_EFFECTIVENESS: RewardConfig["effectiveness"] = { RR: 0, WR: 0, RW: 0, WW: 0 };

const paper: RewardConfig = {
  scorer: "equations",
  solutions: 2,
  reflects: true,
  formatWeight: 0.5,
  textBefore: false,
  accuracyWeight: 0.5,
  accuracyOn: "first",
  effectiveness: EFFECTIVENESS,
  singleEffectiveness: { right: 0, wrong: 0 },
  missingSecondIsWrong: false,
  reflectionFormat: 0.25,
  alpha: 0.1,
  targetRatio: 2,
  maxRatio: 2.5,
  lengthBaseFloor: 0,
  firstBaseline: 0,
  payCopies: true,
  payEmptyFirst: true,
  payIllFormedSecond: true,
  payRewardWords: true,
  payNoWorking: true,
  lengthNeedsFormat: false,
  readsBareNumbers: true,
};

/** The published table: no I_ref, and accuracy on whichever answer is right. */
const eitherAnswer: RewardConfig = {
  ...paper,
  textBefore: true,
  accuracyOn: "either",
  reflectionFormat: 0,
};

const taskOnly: RewardConfig = {
  ...paper,
  solutions: 1,
  effectiveness: NO_EFFECTIVENESS,
  reflectionFormat: 0,
  alpha: 0,
};

/** Octopus weighs correctness by 0.9 and the format by 0.1. */
const octopus: RewardConfig = {
  ...paper,
  formatWeight: 0.1,
  accuracyWeight: 0.45,
  accuracyOn: "final",
  effectiveness: { RR: 0.225, WR: 0.45, RW: -0.225, WW: 0 },
  singleEffectiveness: { right: 0, wrong: -0.45 },
  missingSecondIsWrong: true,
  reflectionFormat: 0,
  alpha: 0,
  payCopies: false,
  payEmptyFirst: false,
  payIllFormedSecond: false,
};

export type RewardPreset =
  | "paper"
  | "official-code"
  | "official-intended"
  | "octopus"
  | "task-only"
  | "no-reflection-reward"
  | "two-step"
  | "no-effectiveness"
  | "no-reflection-format"
  | "no-length";

/**
 * - `paper`: equations 4 to 8. Well-formed and at the target length: RR 1.60, WR 1.35, RW 1.10, WW 0.85.
 * - `official-code`: what the published OpenRLHF reward function pays, defect by defect; see `official-code.ts`.
 * - `official-intended`: the table that the published function states, without the errors on the way to it: RR 0.75,
 *   WR 1.00, RW 0.25, WW 0 for the answers. It shows alone what paying W→R best does to the first answers.
 * - `octopus`: arXiv 2602.08503 and its published reward. `0.9 · s + 0.1 · format` with s = WR 1.0, RR 0.75, RW −0.25, WW 0;
 *   a copy of the first solution and an ill-formed second one are held to 0.5, an empty first answer to 0, and without a
 *   second solution s is 0.5 for right and −0.5 for wrong. Its own template separates two solutions by a tag and boxes
 *   answers; reading those rules in SRPO's template is this lab's. Octopus also leaves the first solution's tokens out of
 *   the loss (`trainedSpan` in `first-solution-mask.ts`) and recombines solutions within a group, which no reward can do.
 * - `task-only`: plain GRPO, one solution, format and accuracy.
 * - `no-reflection-reward`: two solutions are asked for, format and accuracy are paid; R_reflection is off.
 * - `two-step`: two solutions with nothing between them, format and the second answer's accuracy are paid (the paper's Table 4
 *   adds a consistency reward that it does not define; it is left out).
 * - `no-effectiveness`, `no-reflection-format`, `no-length`: `paper` without I_eff, I_ref, f_len.
 */
export const rewardPresets: Readonly<Record<RewardPreset, RewardConfig>> = {
  paper,
  "official-code": { ...eitherAnswer, scorer: "official-code" },
  "official-intended": eitherAnswer,
  octopus,
  "task-only": taskOnly,
  "no-reflection-reward": { ...taskOnly, solutions: 2 },
  "two-step": { ...taskOnly, solutions: 2, reflects: false, accuracyOn: "final" },
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
  checkConfig(config);
  return config;
}

const ONE_OF: Partial<Record<keyof RewardConfig, readonly unknown[]>> = {
  scorer: ["equations", "official-code"],
  solutions: [1, 2],
  accuracyOn: ["first", "final", "either"],
};

function checkConfig(config: RewardConfig): void {
  for (const [key, value] of Object.entries(config)) {
    if (!Object.hasOwn(paper, key)) {
      throw fault("rewardConfig", `unknown key ${key}`, {
        expected: `one of ${Object.keys(paper).join(", ")}`,
      });
    }
    checkValue(key as keyof RewardConfig, value);
  }
  if (config.maxRatio <= config.targetRatio || config.targetRatio <= 0) {
    throw fault("rewardConfig", "maxRatio must lie above targetRatio, and both above 0", {
      got: { targetRatio: config.targetRatio, maxRatio: config.maxRatio },
    });
  }
  for (const key of ["lengthBaseFloor", "firstBaseline"] as const) {
    if (config[key] < 0) throw fault("rewardConfig", `${key} is negative`, { got: config[key] });
  }
}

/** Every value has the kind that it has in `paper`; tables have a finite number for each of their keys. */
function checkValue(key: keyof RewardConfig, value: unknown): void {
  const model = paper[key];
  const options = ONE_OF[key];
  if (options !== undefined) {
    if (options.includes(value)) return;
    throw fault("rewardConfig", `${key} is wrong`, {
      got: value,
      expected: `one of ${options.join(", ")}`,
    });
  }
  if (typeof model === "object") {
    const table = (value ?? {}) as Record<string, unknown>;
    const missing = Object.keys(model).filter((name) => !Number.isFinite(table[name]));
    if (missing.length === 0) return;
    throw fault("rewardConfig", `${key} lacks ${missing.join(", ")}`, {
      expected: `a number for each of ${Object.keys(model).join(", ")}`,
    });
  }
  const fits = typeof model === "number" ? Number.isFinite(value) : typeof value === typeof model;
  if (fits) return;
  throw fault("rewardConfig", `${key} has a value that cannot be`, {
    got: typeof value === "number" ? String(value) : value,
    expected: typeof model === "number" ? "a finite number" : "true or false",
  });
}
