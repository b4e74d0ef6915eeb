/** `srpo policy`: what is done to a checkpoint on disk. */
import { Command } from "commander";
import { mergeAdapter } from "../policy/merge";
import { startEngine } from "./engine";
import { writeRow } from "./io";

const merge = new Command("merge")
  .description("Adds adapters (PEFT's layout) to the checkpoint that they were trained on.")
  .requiredOption("--adapter <dir>", "what a training with lora.rank above 0 left, or PEFT")
  .requiredOption("--out <dir>", "where the whole checkpoint goes, float32")
  .option("--base <dir>", "the checkpoint (default: what adapter_config.json names)")
  .addHelpText(
    "after",
    `
A line: {base, out, modules}. One tensor is in memory at a time.

Example:
  npx srpo policy merge --adapter runs/grpo-small-…/policy --out merged`,
  )
  .action(async ({ adapter, out, base }: { adapter: string; out: string; base?: string }) => {
    await startEngine();
    await writeRow(mergeAdapter(adapter, out, base));
  });

export const command = new Command("policy")
  .description("A checkpoint on disk: adapters merged into it.")
  .addCommand(merge)
  .addHelpText(
    "after",
    "\nExample:\n  npx srpo policy merge --adapter runs/sft-small-…/policy --out merged",
  );
