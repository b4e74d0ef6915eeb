/** `srpo bench`: a model on a benchmark, and two models compared. */
import { Command } from "commander";
import { compareCommand } from "./bench-compare";
import { getCommand } from "./bench-get";
import { runCommand } from "./bench-run";

export const command = new Command("bench")
  .description("Runs a model on a benchmark, compares two, or fetches a benchmark's files.")
  .addCommand(runCommand)
  .addCommand(compareCommand)
  .addCommand(getCommand)
  .addHelpText(
    "after",
    `
Example:
  npx srpo bench run mathvision --model Qwen/Qwen2.5-VL-7B-Instruct --base-url http://127.0.0.1:8000/v1 --limit 300`,
  );
