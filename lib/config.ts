/**
 * One typed spec for the whole pipeline. A preset is a whole spec; a user changes what they like, and everything that is
 * not a known key of the right type is refused with the keys that there are.
 */
import { fault } from "./engine/errors";
import { LORA_TARGETS, type LoraConfig } from "./policy/lora";
import { FIRST_SOLUTION_MASKS } from "./reflection/first-solution-mask";
import type { RewardConfig } from "./reflection/reward-config";
import type { GrpoConfig } from "./train/grpo";
import {
  AGGREGATIONS,
  ANSWERS,
  checkObjective,
  CORRECTIONS,
  KL_ESTIMATES,
  KL_PLACES,
  LOSSES,
  objectiveDefaults,
  REWARD_SCALES,
} from "./train/objective";
import type { SftConfig } from "./train/sft";

/** How many problems each set holds, and the seed they are drawn from. */
export interface ProblemsConfig {
  seed: number;
  /** For data construction. */
  sft: number;
  /** For reinforcement learning. */
  rl: number;
  /** The test set, split from the others by a hash of the problems' content. */
  test: number;
  /** Held-out families and levels. */
  ood: number;
}

export interface ConstructionConfig {
  /** Samples to keep at most. */
  target: number;
  /** Share of them whose first attempt is right (0.3 in the paper). */
  correctShare: number;
  temperature: number;
  maxNewTokens: number;
}

export interface EvaluationConfig {
  maxNewTokens: number;
  /** Samples a problem at temperature 1, beside the greedy answer. */
  samples: number;
}

/**
 * Where and on what other engines run the same spec: what `srpo export` writes beside the settings that the lab's own trainers
 * have too.
 */
export interface ClusterConfig {
  /** Hugging Face name, or folder on the cluster; empty where the spec is for the embedded policy alone. */
  model: string;
  nodes: number;
  gpusPerNode: number;
  /** Tokens of a prompt, its pictures' included; longer ones are not trained on. */
  maxPromptTokens: number;
  /** Pixels of a picture after resizing, at least and at most. */
  minPixels: number;
  maxPixels: number;
  /** GPUs of one inference engine. */
  tensorParallel: number;
  /** Share of a GPU's memory that the inference engine takes. */
  engineMemory: number;
  /** Tokens of an SFT example. */
  sftMaxTokens: number;
  sftMaxPixels: number;
}

export interface Spec {
  preset: PresetName;
  seed: number;
  problems: ProblemsConfig;
  construction: ConstructionConfig;
  sft: SftConfig;
  grpo: GrpoConfig;
  /** Adapters that both trainings train in place of all of the decoder's weights; rank 0 for none. */
  lora: LoraConfig;
  /** Changes to the reward preset of a stage, e.g. `{ alpha: 0 }`; they reach every reflection reward. */
  reward: Partial<RewardConfig>;
  evaluation: EvaluationConfig;
  cluster: ClusterConfig;
}

export type PresetName = "smoke" | "small" | "paper-mini" | "srpo-7b" | "srpo-32b";

/** Eight GPUs, and the pixel limits of the published scripts. */
const cluster: ClusterConfig = {
  model: "",
  nodes: 1,
  gpusPerNode: 8,
  // 1024 in the published scripts; one picture may have 640 of them, and the system prompt has 450.
  maxPromptTokens: 2048,
  minPixels: 4 * 28 * 28,
  maxPixels: 640 * 28 * 28,
  tensorParallel: 1,
  engineMemory: 0.5,
  sftMaxTokens: 4096,
  sftMaxPixels: 512 * 512,
};

const small: Spec = {
  preset: "small",
  seed: 1,
  problems: { seed: 1, sft: 1024, rl: 2048, test: 512, ood: 256 },
  construction: { target: 640, correctShare: 0.3, temperature: 1, maxNewTokens: 80 },
  sft: {
    epochs: 3,
    batch: 32,
    microBatch: 32,
    gradientCheckpointing: false,
    learningRate: 3e-4,
    warmup: 0.1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    stopGradNorm: 1000,
    firstSolutionMask: "never",
    evalShare: 0.05,
    evalEvery: 10,
    saveEvery: 20,
  },
  grpo: {
    steps: 64,
    prompts: 16,
    group: 8,
    // The longest careful solution with a real check has 134.
    maxNewTokens: 144,
    temperature: 1,
    miniBatches: 2,
    microBatch: 16,
    reuseForward: true,
    gradientCheckpointing: false,
    learningRate: 1e-4,
    warmupSteps: 4,
    weightDecay: 0,
    maxGradNorm: 1,
    stopGradNorm: 1000,
    ...objectiveDefaults,
    firstSolutionMask: "never",
    saveEvery: 20,
    logRolloutsEvery: 10,
  },
  lora: { rank: 0, alpha: 16, targets: [...LORA_TARGETS] },
  reward: {},
  evaluation: { maxNewTokens: 144, samples: 1 },
  cluster,
};

/** Everything the small preset does, a little of each: for tests, and to see that a machine can do it. */
const smoke: Spec = {
  ...small,
  preset: "smoke",
  // Enough attempts that a base which is right one time in ten leaves samples for a batch.
  problems: { seed: 1, sft: 96, rl: 32, test: 32, ood: 16 },
  construction: { ...small.construction, target: 24 },
  sft: { ...small.sft, epochs: 1, batch: 8, microBatch: 8, evalEvery: 2, saveEvery: 2 },
  grpo: { ...small.grpo, steps: 3, prompts: 4, group: 4, saveEvery: 2, logRolloutsEvery: 1 },
};

/**
 * The paper's experiments on the embedded policy, for `srpo paper-mini`: 28 variants with three seeds each in one night on
 * two cores. Longer reinforcement than `small`, and more problems under the intervals.
 */
const paperMini: Spec = {
  ...small,
  preset: "paper-mini",
  problems: { seed: 1, sft: 2048, rl: 4096, test: 2048, ood: 512 },
  grpo: { ...small.grpo, steps: 160, logRolloutsEvery: 12 },
};

/**
 * SRPO of Qwen2.5-VL-7B with the paper's hyper-parameters (arXiv 2506.01713, sections 3 and 4.1, tables 9 and 10), and where the
 * paper is silent with those of its published OpenRLHF scripts: clip, lengths, warm-up, no KL. For `srpo export`.
 */
const srpo7b: Spec = {
  preset: "srpo-7b",
  seed: 1,
  problems: { seed: 1, sft: 100_000, rl: 37_390, test: 512, ood: 256 },
  construction: { target: 10_000, correctShare: 0.3, temperature: 0.2, maxNewTokens: 1024 },
  sft: {
    ...small.sft,
    // The paper's; the published configuration says 3 and starts RL after 1.7.
    epochs: 1,
    batch: 16,
    microBatch: 1,
    learningRate: 1e-5,
    weightDecay: 0,
    evalShare: 0.02,
    evalEvery: 100,
    saveEvery: 500,
  },
  grpo: {
    ...small.grpo,
    steps: 500,
    prompts: 128,
    group: 8,
    maxNewTokens: 2048,
    // 1024 rollouts in optimiser steps of 128.
    miniBatches: 8,
    microBatch: 1,
    learningRate: 1e-6,
    warmupSteps: 15,
    // As published: the group's bare deviation.
    stdFloor: 0,
    stdEpsilon: 1e-9,
    filterLow: 0.1,
    filterHigh: 0.9,
    saveEvery: 50,
    logRolloutsEvery: 10,
  },
  lora: small.lora,
  reward: {},
  evaluation: { maxNewTokens: 4096, samples: 1 },
  cluster: { ...cluster, model: "Qwen/Qwen2.5-VL-7B-Instruct" },
};

/** The same for 32B, on four nodes of eight. */
const srpo32b: Spec = {
  ...srpo7b,
  preset: "srpo-32b",
  cluster: {
    ...cluster,
    model: "Qwen/Qwen2.5-VL-32B-Instruct",
    nodes: 4,
    tensorParallel: 4,
  },
};

const presets: Readonly<Record<PresetName, Spec>> = {
  small,
  smoke,
  "paper-mini": paperMini,
  "srpo-7b": srpo7b,
  "srpo-32b": srpo32b,
};

/** Changes to a spec, at any depth. */
export type SpecChanges = {
  [K in Exclude<keyof Spec, "preset">]?: Spec[K] extends object ? Partial<Spec[K]> : Spec[K];
};

/**
 * A preset with changes.
 * @param preset `LAB_PRESET` by default, else `small`
 * @throws LabError naming the key, with the keys that there are, or settings that contradict each other
 */
export function loadSpec(changes: SpecChanges = {}, preset?: string): Spec {
  const name = preset ?? process.env.LAB_PRESET ?? "small";
  if (!Object.hasOwn(presets, name)) {
    throw fault("loadSpec", "there is no such preset", {
      got: name,
      expected: `one of ${Object.keys(presets).join(", ")}`,
      try: "LAB_PRESET=small, or leave it out",
    });
  }
  const spec = merge(presets[name as PresetName], changes);
  checkObjective("loadSpec", spec.grpo);
  return spec;
}

function merge(base: Spec, changes: SpecChanges): Spec {
  const spec = structuredClone(base) as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(changes)) {
    checkKey("spec", key, Object.keys(base));
    if (key === "preset") {
      throw fault("loadSpec", "preset cannot be changed", { try: "loadSpec({}, name)" });
    }
    const old = spec[key];
    if (old === null || typeof old !== "object") {
      checkValue(key, value, old);
      spec[key] = value;
      continue;
    }
    if (value === null || typeof value !== "object") {
      throw fault("loadSpec", `${key} is a group of settings`, {
        got: value,
        expected: "an object",
      });
    }
    for (const [inner, setting] of Object.entries(value as Record<string, unknown>)) {
      // The reward's own keys are checked where the reward preset that they change is known.
      if (key !== "reward") {
        checkKey(key, inner, Object.keys(old));
        checkValue(`${key}.${inner}`, setting, (old as Record<string, unknown>)[inner]);
      }
      (old as Record<string, unknown>)[inner] = setting;
    }
  }
  return spec as unknown as Spec;
}

function checkKey(where: string, key: string, known: readonly string[]): void {
  if (known.includes(key)) return;
  throw fault("loadSpec", `unknown key ${key} in ${where}`, {
    expected: `one of ${known.join(", ")}`,
  });
}

/** Settings that measure; all other numbers count something. */
const MEASURES = new Set([
  ...["correctShare", "temperature", "learningRate", "warmup", "weightDecay", "maxGradNorm"],
  ...["stopGradNorm", "evalShare", "clipLow", "clipHigh", "cispoMax", "beta", "entropyCoef"],
  ...["stdFloor", "stdEpsilon", "overlongPenalty", "filterLow", "filterHigh"],
  ...["importanceMin", "importanceMax", "engineMemory", "alpha"],
]);
/** Counts that may be 0: `every 0 steps` is never. */
const MAY_BE_ZERO = new Set([
  ...["seed", "ood", "warmupSteps", "evalEvery", "saveEvery", "logRolloutsEvery"],
  ...["overlongBuffer", "rank"],
]);
/** Settings that name something, with all that can be named. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  loss: LOSSES,
  kl: KL_ESTIMATES,
  klIn: KL_PLACES,
  scaleRewards: REWARD_SCALES,
  aggregation: AGGREGATIONS,
  filterOn: ANSWERS,
  importanceSampling: CORRECTIONS,
  firstSolutionMask: FIRST_SOLUTION_MASKS,
  targets: LORA_TARGETS,
};

/** A setting is a number, a yes or no, or one or several of some names; which, the preset's own value shows. */
function checkValue(path: string, value: unknown, old: unknown): void {
  const { fits, expected } = rangeOf(path.split(".").at(-1) as string, old);
  if (fits(value)) return;
  throw fault("loadSpec", `${path} has a value that cannot be`, {
    // JSON has no NaN and no Infinity.
    got: typeof value !== "number" || Number.isFinite(value) ? value : String(value),
    expected,
  });
}

function rangeOf(
  key: string,
  old: unknown,
): { fits: (value: unknown) => boolean; expected: string } {
  if (typeof old === "boolean") {
    return { fits: (value) => typeof value === "boolean", expected: "true or false" };
  }
  if (Array.isArray(old)) {
    const choices: readonly unknown[] = CHOICES[key];
    return {
      fits: (value) =>
        Array.isArray(value) && value.length > 0 && value.every((name) => choices.includes(name)),
      expected: `a list of some of ${choices.join(", ")}`,
    };
  }
  if (typeof old === "string") {
    const choices: readonly unknown[] | undefined = CHOICES[key];
    if (choices === undefined) {
      return { fits: (value) => typeof value === "string", expected: "a text" };
    }
    return { fits: (value) => choices.includes(value), expected: `one of ${choices.join(", ")}` };
  }
  const whole = !MEASURES.has(key);
  const least = whole && !MAY_BE_ZERO.has(key) ? 1 : 0;
  return {
    fits: (value) =>
      (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) && (value as number) >= least,
    expected: `a ${whole ? "whole " : ""}number of ${least} or more, such as ${String(old)}`,
  };
}
