/** `srpo grpo`: Stage II, reinforcement learning with a reflection reward or the task reward alone. */
import { Option } from "commander";
import { rewardPresets, type RewardPreset } from "../reflection/reward-config";
import { defaultStart, reinforcedName, runReinforcement } from "../stages/pipeline";
import { writeRow } from "./io";
import { openPipeline, specOf, trainingCommand, stageRow, type StageOptions } from "./stage";

type Options = StageOptions & { from?: string; reward: RewardPreset };

export const command = trainingCommand("grpo")
  .description("Reinforces a policy with GRPO: SRPO with the paper's reward, plain with task-only.")
  .addOption(
    new Option("--reward <preset>", "what is paid")
      .choices(Object.keys(rewardPresets))
      .default("paper"),
  )
  .option(
    "--from <policy>",
    "base, sft, plain-cot or a folder (default: base for task-only, sft for the others)",
  )
  .addHelpText(
    "after",
    "\nExample:\n  npx srpo grpo --from base --reward task-only --set grpo.steps=20",
  )
  .action(async (options: Options) => {
    const { reward, force, anyMemory, from = defaultStart(reward) } = options;
    const pipeline = openPipeline(specOf(options), options.policy);
    const name = reinforcedName(from, reward);
    const result = await runReinforcement(pipeline, { from, reward, name }, { force, anyMemory });
    await writeRow({ ...stageRow("grpo", result), name, policy: result.policy.folder });
  });
