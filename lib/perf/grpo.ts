/** What a step of GRPO takes on work of a given size: rollout, reward, update of all the decoder's weights with AdamW. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSpec } from "../config";
import { describeEngine } from "../engine/backend";
import { basePolicyFolder } from "../paths";
import { openPolicy, type PolicyBundle } from "../policy/bundle";
import { rewardConfig } from "../reflection/reward-config";
import type { PromptCache } from "../rollout/prepare";
import { loadProblems } from "../stages/problems";
import type { CustomReward } from "../train/custom-reward";
import { trainGrpo, type GrpoConfig } from "../train/grpo";
import { openRun } from "../train/run";
import type { Problem } from "../types";
import { median } from "./spread";
import { syntheticPolicy, syntheticProblems, syntheticPrompts, type PolicySize } from "./synthetic";

export interface StepWork {
  /** Problems a step. */
  prompts: number;
  /** Completions a problem. */
  group: number;
  /** Tokens of a completion at most. */
  newTokens: number;
  /** Steps that are measured, after two that are not: the first ones compile and fill caches. */
  steps: number;
}

export interface SyntheticWork extends StepWork, PolicySize {
  /** Text tokens of every prompt. */
  promptTokens: number;
}

/** Medians over the measured steps, in seconds. */
export interface GrpoSpeed {
  s_per_step: number;
  rollout_s: number;
  update_s: number;
  /** Completion tokens a second of the whole step. */
  tok_per_s: number;
  tokens_per_step: number;
  threads: number;
}

const WARM_UP = 2;

/** Pays for the length of the text, so that the completions of a group differ. */
const trivialReward: CustomReward = {
  name: "trivial",
  reward: ({ completion }) => completion.text.length % 7,
};

/** One measured step, in seconds. */
export interface StepTimes {
  step_s: number;
  rollout_s: number;
  reward_s: number;
  update_s: number;
  /** Completion tokens. */
  tokens: number;
  /** Memory of the process after the step. */
  rss_mb: number;
}

/** A policy of random weights; every prompt and every completion is equally long. */
export async function syntheticSteps(work: SyntheticWork): Promise<StepTimes[]> {
  const bundle = syntheticPolicy(work);
  const problems = syntheticProblems(work.prompts * (WARM_UP + work.steps));
  return stepTimes(bundle, problems, work, syntheticPrompts(bundle, work.promptTokens));
}

/** The embedded policy on its own problems: pictures in the prompts, completions that end where the policy ends them. */
export async function pictureSteps(work: StepWork): Promise<StepTimes[]> {
  return stepTimes(openPolicy(basePolicyFolder), await pictureProblems(work), work);
}

/** Medians; what of a step is not rollout counts as update. */
export function grpoSpeed(steps: readonly StepTimes[]): GrpoSpeed {
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
  const tokens = sum(steps.map((step) => step.tokens));
  return {
    s_per_step: median(steps.map(({ step_s }) => step_s)),
    rollout_s: median(steps.map(({ rollout_s }) => rollout_s)),
    update_s: median(steps.map(({ step_s, rollout_s }) => step_s - rollout_s)),
    tok_per_s: tokens / sum(steps.map(({ step_s }) => step_s)),
    tokens_per_step: tokens / steps.length,
    threads: describeEngine().threads,
  };
}

/** The problems that {@link pictureSteps} takes. */
export async function pictureProblems({ prompts, steps }: StepWork): Promise<Problem[]> {
  const { problems } = loadSpec({}, "small");
  return loadProblems({ problems: { ...problems, rl: prompts * (WARM_UP + steps) } }, "rl");
}

/** Full steps of the trainer itself, one optimiser step a batch as TRL does; disposes of the policy. */
export async function stepTimes(
  bundle: PolicyBundle,
  problems: readonly Problem[],
  { prompts, group, newTokens, steps }: StepWork,
  cache?: PromptCache,
  warmUp = WARM_UP,
): Promise<StepTimes[]> {
  const root = mkdtempSync(join(tmpdir(), "srpo-perf-"));
  const total = warmUp + steps;
  const config: GrpoConfig = {
    ...loadSpec({}, "small").grpo,
    ...{ steps: total, prompts, group, maxNewTokens: newTokens, microBatch: prompts },
    ...{ miniBatches: 1, beta: 0, saveEvery: total, logRolloutsEvery: total },
  };
  const taken: StepTimes[] = [];
  try {
    await trainGrpo({
      bundle,
      problems,
      style: "direct",
      reward: rewardConfig("task-only"),
      rewardWeight: 0,
      rewards: [trivialReward],
      config,
      seed: 1,
      run: openRun({ root, stage: "perf", preset: "grpo", inputs: {} }),
      prompts: cache,
      onStep: (_step, { step_time, rollout_time, reward_time, update_time }, rollouts) =>
        taken.push({
          step_s: step_time,
          rollout_s: rollout_time,
          reward_s: reward_time,
          update_s: update_time,
          tokens: rollouts.reduce((sum, { completion }) => sum + completion.ids.length, 0),
          rss_mb: process.memoryUsage.rss() / 2 ** 20,
        }),
    });
  } finally {
    bundle.weights.dispose();
    rmSync(root, { recursive: true, force: true });
  }
  return taken.slice(warmUp);
}
