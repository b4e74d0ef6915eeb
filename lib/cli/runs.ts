/** `srpo runs`: the run directories that there are. */
import { Command } from "commander";
import { listRuns } from "../lab/runs";
import { runsFolder } from "../paths";
import { say, writeRow } from "./io";

export const command = new Command("runs")
  .description("Lists run directories, newest first.")
  .option("--stage <name>", "only this stage's: construct, sft, grpo or eval")
  .addHelpText("after", "\nExample:\n  npx srpo runs --stage grpo")
  .action(async ({ stage: wanted }: { stage?: string }) => {
    const runs = listRuns(runsFolder()).filter(({ stage }) => (wanted ?? stage) === stage);
    if (runs.length === 0) say(`No runs in ${runsFolder()}.`);
    for (const { name, stage, preset, hash, policy, steps, seconds, changed, folder } of runs) {
      const finished = seconds !== null;
      await writeRow({ name, stage, preset, hash, policy, steps, finished, changed, folder });
    }
  });
