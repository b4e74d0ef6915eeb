/** Stage II: GRPO with a reflection reward (SRPO) or with the task reward alone (plain GRPO). */
import type { Spec } from "../config";
import { savePolicy } from "../policy/checkpoint";
import { rewardConfig, type RewardPreset } from "../reflection/reward-config";
import type { Asked } from "../reflection/template";
import { customRewardIdentity, type CustomReward } from "../train/custom-reward";
import { trainGrpo } from "../train/grpo";
import type { Rollout } from "../train/rollouts";
import type { Problem } from "../types";
import {
  loraInputs,
  openStage,
  supervise,
  trainedPolicy,
  withPolicyToTrain,
  type PolicyRef,
  type StageOptions,
} from "./context";
import { earlierMetrics, type TrainingResult } from "./finetune";
import { checkMemory } from "./memory";
import { setIdentity } from "./problems";

export interface ReinforceOptions extends StageOptions {
  /** Name of the resulting policy in tables and figures. */
  name: string;
  /** Where it starts. */
  from: PolicyRef;
  /** `paper` for SRPO, `task-only` for plain GRPO; see `rewardPresets`. */
  reward: RewardPreset;
  /** Weight of what `reward` pays; 0 only measures it. 1 by default. */
  rewardWeight?: number;
  /** Rewards of the user's own. Their text is part of what names the run: another function is another run. */
  rewards?: readonly CustomReward[];
  problems: readonly Problem[];
  /** Sees the rollouts of every step. */
  onRollouts?: (step: number, rollouts: readonly Rollout[]) => void;
}

/** How the embedded policy is asked for what a reward pays. */
export function styleFor({ solutions, reflects = true }: Asked): PolicyRef["style"] {
  if (solutions === 1) return "direct";
  return reflects ? "reflect" : "two-step";
}

export function reinforce(spec: Spec, options: ReinforceOptions): Promise<TrainingResult> {
  const { name, from, problems, watch } = options;
  const reward = rewardConfig(options.reward, options.reward === "task-only" ? {} : spec.reward);
  const style = styleFor(reward);
  const { rewardWeight = 1, rewards = [] } = options;
  const { gradientCheckpointing, ...grpo } = spec.grpo;
  const inputs = {
    policy: from.hash,
    reward,
    // What is off or absent is left out, so that runs without it keep their names.
    ...(rewardWeight === 1 ? {} : { rewardWeight }),
    ...(rewards.length === 0 ? {} : { rewards: rewards.map(customRewardIdentity) }),
    grpo: { ...grpo, ...(gradientCheckpointing ? { gradientCheckpointing } : {}) },
    ...loraInputs(spec),
    ...setIdentity(spec, "rl"),
  };
  const run = openStage(spec, "grpo", inputs, options);
  const policy = trainedPolicy(run, name, style);
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return { run, policy, summary: run.summary, cached: true };
    const { steps, maxNewTokens: completionTokens } = spec.grpo;
    await checkMemory(spec, from, { stage: "grpo", problems, style, completionTokens }, options);
    watch?.begin?.(steps, earlierMetrics(run.folder, run.resumedAt));
    return withPolicyToTrain(from, spec, async (bundle) => {
      await trainGrpo({
        bundle,
        problems,
        style,
        reward,
        rewardWeight,
        rewards,
        config: spec.grpo,
        seed: spec.seed,
        run,
        onStep: (step, metrics, rollouts, notes) => {
          watch?.step?.(step, metrics, notes);
          watch?.rollouts?.(step, rollouts);
          options.onRollouts?.(step, rollouts);
        },
        signal,
      });
      savePolicy(bundle, policy.folder, from.folder);
      return { run, policy, summary: run.finish({ policy: name, steps }), cached: false };
    });
  });
}
