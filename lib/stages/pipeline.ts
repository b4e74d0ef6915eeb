/**
 * The pipeline by name: a stage that needs another one's result finds it on disk, or runs it first. The notebooks call the
 * stages one by one; a command that names only the last of them comes here, and both meet in the same run directories.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Spec } from "../config";
import { fault } from "../engine/errors";
import { rewardConfig, type RewardPreset } from "../reflection/reward-config";
import { createRuleTeacher } from "../reflection/teacher";
import type { Asked } from "../reflection/template";
import { constructData, type ConstructionResult } from "./construct";
import { basePolicy, type PolicyRef, type StageOptions, type Watcher } from "./context";
import { finetune, FINETUNE_KINDS, type FinetuneKind, type TrainingResult } from "./finetune";
import { loadProblems } from "./problems";
import { reinforce, styleFor } from "./reinforce";

export type StageName = "construct" | "sft" | "grpo" | "evaluate";

export interface Pipeline {
  spec: Spec;
  /** Where it starts. */
  base: PolicyRef;
  /** Makes the watcher of a stage that is about to run. */
  watch?: (stage: StageName, title: string) => Watcher;
}

/** What a policy is called by, from the base up: `srpo` is `grpo` with the paper's reward from the reflection SFT. */
export const policyNames = ["base", "sft", "plain-cot", "grpo", "srpo", "srpo-no-sft"] as const;
export type PolicyName = (typeof policyNames)[number];

export async function runConstruction(
  { spec, base, watch }: Pipeline,
  options: StageOptions = {},
): Promise<ConstructionResult> {
  return constructData(spec, base, await loadProblems(spec, "sft"), createRuleTeacher(), {
    watch: watch?.("construct", "Data construction"),
    ...options,
  });
}

export async function runFinetuning(
  pipeline: Pipeline,
  kind: FinetuneKind,
  options: StageOptions = {},
): Promise<TrainingResult> {
  const data = await runConstruction(pipeline);
  const { name } = FINETUNE_KINDS[kind];
  return finetune(pipeline.spec, pipeline.base, data, kind, {
    watch: pipeline.watch?.("sft", name[0].toUpperCase() + name.slice(1)),
    ...options,
  });
}

/** @param from a {@link PolicyName} or a folder */
export async function runReinforcement(
  pipeline: Pipeline,
  { from, reward, name }: { from: string; reward: RewardPreset; name: string },
  options: StageOptions = {},
): Promise<TrainingResult> {
  const { spec, watch } = pipeline;
  return reinforce(spec, {
    name,
    from: await findPolicy(pipeline, from),
    reward,
    problems: await loadProblems(spec, "rl"),
    watch: watch?.("grpo", name),
    ...options,
  });
}

/**
 * The policy of a name, made first where it is not there yet, or the one in a folder.
 * @param wanted a {@link PolicyName}, or a folder: of a checkpoint, or of a training run, whose policy is then asked as it
 * was trained
 * @throws LabError when it is neither
 */
export async function findPolicy(pipeline: Pipeline, wanted: string): Promise<PolicyRef> {
  switch (wanted as PolicyName) {
    case "base":
      return pipeline.base;
    case "sft":
      return (await runFinetuning(pipeline, "reflection")).policy;
    case "plain-cot":
      return (await runFinetuning(pipeline, "plain-cot")).policy;
    case "grpo":
      return (await runReinforcement(pipeline, recipes.grpo)).policy;
    case "srpo":
      return (await runReinforcement(pipeline, recipes.srpo)).policy;
    case "srpo-no-sft":
      return (await runReinforcement(pipeline, recipes["srpo-no-sft"])).policy;
  }
  if (existsSync(wanted)) return policyIn(wanted);
  throw fault("findPolicy", "there is no such policy", {
    got: wanted,
    expected: `one of ${policyNames.join(", ")}, or a folder`,
  });
}

const recipes = {
  grpo: { name: "GRPO", from: "base", reward: "task-only" },
  srpo: { name: "SRPO", from: "sft", reward: "paper" },
  "srpo-no-sft": { name: "SRPO without SFT", from: "base", reward: "paper" },
} as const;

/** What a reinforced policy is called in tables and figures. */
export function reinforcedName(from: string, reward: RewardPreset): string {
  const recipe = Object.values(recipes).find((r) => r.from === from && r.reward === reward);
  return recipe?.name ?? `GRPO (${reward}) from ${basename(from)}`;
}

/** A checkpoint folder; one that a training run left has that run's hash and style. */
function policyIn(folder: string): PolicyRef {
  const run = existsSync(join(folder, "policy")) ? folder : dirname(folder);
  const own = run === folder ? join(folder, "policy") : folder;
  if (basename(own) !== "policy" || !existsSync(join(run, "summary.json"))) {
    return { ...basePolicy(folder), name: basename(folder) };
  }
  const { kind, reward } = JSON.parse(readFileSync(join(run, "spec.json"), "utf8")) as {
    kind?: FinetuneKind;
    reward?: Asked;
  };
  return {
    name: basename(run),
    folder: own,
    hash: basename(run).split("-").at(-1) ?? "",
    style: reward === undefined ? FINETUNE_KINDS[kind ?? "plain-cot"].style : styleFor(reward),
  };
}

/** The policy a reward's training starts from unless told: a policy must know how to reflect to be paid for it. */
export function defaultStart(reward: RewardPreset): PolicyName {
  return rewardConfig(reward).solutions === 2 ? "sft" : "base";
}
