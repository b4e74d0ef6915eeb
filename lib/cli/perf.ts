/** `srpo perf`: how fast this machine is, on work of a given size. */
import { Command, InvalidArgumentError } from "commander";
import { measureGrpo } from "../perf/grpo";
import { announceEngine } from "./engine";
import { writeRow } from "./io";

type GrpoOptions = Record<
  "hidden" | "layers" | "prompts" | "group" | "newTokens" | "promptTokens" | "steps",
  number
> & { threads?: number };

const grpo = new Command("grpo")
  .description(
    "Full GRPO steps of a policy of random weights: rollout, reward, update of all weights.",
  )
  .option("--hidden <n>", "width", count, 128)
  .option("--layers <n>", "decoder layers", count, 4)
  .option("--prompts <n>", "problems a step", count, 16)
  .option("--group <n>", "completions a problem", count, 8)
  .option("--new-tokens <n>", "tokens of every completion", count, 96)
  .option("--prompt-tokens <n>", "tokens of every prompt", count, 32)
  .option("--steps <n>", "steps that are measured, after two that are not", count, 10)
  .option("--threads <n>", "threads of the engine (default: as the engine chooses)", count)
  .addHelpText(
    "after",
    `
A line: {s_per_step, rollout_s, update_s, tok_per_s, threads}, medians over the measured steps.

Example:
  npx srpo perf grpo --hidden 128 --layers 4 --prompts 16 --group 8 --new-tokens 96 --steps 10 --threads 1`,
  )
  .action(async ({ threads, ...work }: GrpoOptions) => {
    if (threads !== undefined) process.env.SRPO_THREADS = String(threads);
    announceEngine();
    await writeRow(await measureGrpo(work));
  });

export const command = new Command("perf")
  .description("Measures the speed of the trainers on this machine.")
  .addCommand(grpo)
  .addHelpText("after", "\nExample:\n  npx srpo perf grpo --hidden 128 --threads 1");

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("A whole number from 1 is needed.");
}
