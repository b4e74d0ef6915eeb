/** What a step of GRPO takes on work of a given size: rollout, reward, update of all weights with AdamW. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSpec } from "../config";
import { describeEngine } from "../engine/backend";
import { rewardConfig } from "../reflection/reward-config";
import type { CustomReward } from "../train/custom-reward";
import { trainGrpo, type GrpoConfig } from "../train/grpo";
import { openRun } from "../train/run";
import { syntheticPolicy, syntheticProblems, syntheticPrompts, type PolicySize } from "./synthetic";

export interface GrpoWork extends PolicySize {
  /** Problems a step. */
  prompts: number;
  /** Completions a problem. */
  group: number;
  /** Tokens of every completion. */
  newTokens: number;
  /** Text tokens of every prompt; 32 unless told otherwise. */
  promptTokens?: number;
  /** Steps that are measured, after two that are not: the first ones compile and fill caches. */
  steps: number;
}

/** Medians over the measured steps, in seconds. */
export interface GrpoSpeed {
  s_per_step: number;
  rollout_s: number;
  update_s: number;
  /** Completion tokens a second of the whole step. */
  tok_per_s: number;
  threads: number;
}

const WARM_UP = 2;

/** Pays for a character of the text, so that the completions of a group differ. */
const trivialReward: CustomReward = {
  name: "trivial",
  reward: ({ completion }) => completion.text.length % 7,
};

/** Runs full steps of the trainer itself, one optimiser step a batch as TRL does. */
export async function measureGrpo(work: GrpoWork): Promise<GrpoSpeed> {
  const { prompts, group, newTokens, promptTokens = 32, steps } = work;
  const bundle = syntheticPolicy(work);
  const root = mkdtempSync(join(tmpdir(), "srpo-perf-"));
  const total = WARM_UP + steps;
  const config: GrpoConfig = {
    ...loadSpec({}, "small").grpo,
    ...{ steps: total, prompts, group, maxNewTokens: newTokens, microBatch: prompts },
    ...{ miniBatches: 1, beta: 0, saveEvery: total, logRolloutsEvery: total },
  };
  const taken: { step: number; rollout: number }[] = [];
  try {
    await trainGrpo({
      bundle,
      problems: syntheticProblems(prompts * total),
      style: "direct",
      reward: rewardConfig("task-only"),
      rewardWeight: 0,
      rewards: [trivialReward],
      config,
      seed: 1,
      run: openRun({ root, stage: "perf", preset: "grpo", inputs: {} }),
      prompts: syntheticPrompts(bundle, promptTokens),
      onStep: (_step, { step_time, rollout_time }) =>
        taken.push({ step: step_time, rollout: rollout_time }),
    });
  } finally {
    bundle.weights.dispose();
    rmSync(root, { recursive: true, force: true });
  }
  const measured = taken.slice(WARM_UP);
  const s_per_step = median(measured.map(({ step }) => step));
  const rollout_s = median(measured.map(({ rollout }) => rollout));
  return {
    s_per_step,
    rollout_s,
    update_s: median(measured.map(({ step, rollout }) => step - rollout)),
    tok_per_s: (prompts * group * newTokens) / s_per_step,
    threads: describeEngine().threads,
  };
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[upper] : (sorted[upper - 1] + sorted[upper]) / 2;
}
