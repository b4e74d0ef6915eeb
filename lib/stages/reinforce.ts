/** Stage II: GRPO with a reflection reward (SRPO) or with the task reward alone (plain GRPO). */
import type { Spec } from "../config";
import { savePolicy } from "../policy/checkpoint";
import { rewardConfig, type RewardPreset } from "../reflection/reward-config";
import { trainGrpo, type Rollout } from "../train/grpo";
import type { Problem } from "../types";
import {
  openStage,
  supervise,
  trainedPolicy,
  withPolicy,
  type PolicyRef,
  type StageOptions,
} from "./context";
import { earlierMetrics, type TrainingResult } from "./finetune";
import { setIdentity } from "./problems";

export interface ReinforceOptions extends StageOptions {
  /** Name of the resulting policy in tables and figures. */
  name: string;
  /** Where it starts. */
  from: PolicyRef;
  /** `paper` for SRPO, `task-only` for plain GRPO; see `rewardPresets`. */
  reward: RewardPreset;
  problems: readonly Problem[];
  /** Sees the rollouts of every step. */
  onRollouts?: (step: number, rollouts: readonly Rollout[]) => void;
}

export function reinforce(spec: Spec, options: ReinforceOptions): Promise<TrainingResult> {
  const { name, from, problems, watch } = options;
  const reward = rewardConfig(options.reward, options.reward === "task-only" ? {} : spec.reward);
  const style = reward.solutions === 2 ? "reflect" : "direct";
  const inputs = { policy: from.hash, reward, grpo: spec.grpo, ...setIdentity(spec, "rl") };
  const run = openStage(spec, "grpo", inputs, options);
  const policy = trainedPolicy(run, name, style);
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return { run, policy, summary: run.summary, cached: true };
    const { steps } = spec.grpo;
    watch?.begin?.(steps, earlierMetrics(run.folder, run.resumedAt));
    return withPolicy(from, async (bundle) => {
      await trainGrpo({
        bundle,
        problems,
        style,
        reward,
        config: spec.grpo,
        seed: spec.seed,
        run,
        onStep: (step, metrics, rollouts) => {
          watch?.step?.(step, metrics);
          options.onRollouts?.(step, rollouts);
        },
        signal,
      });
      savePolicy(bundle, policy.folder, from.folder);
      return { run, policy, summary: run.finish({ steps }), cached: false };
    });
  });
}
