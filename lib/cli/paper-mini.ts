/** `srpo paper-mini`: the paper's experiments on the embedded policy, in a night on two cores. */
import { Command } from "commander";
import { jobCommand } from "./paper-mini-job";
import { reportCommand } from "./paper-mini-report";
import { runCommand } from "./paper-mini-run";
import { statusCommand } from "./paper-mini-status";

export const command = new Command("paper-mini")
  .description("Trains every variant of the paper's comparison with several seeds, unattended.")
  .addCommand(runCommand)
  .addCommand(statusCommand)
  .addCommand(reportCommand)
  .addCommand(jobCommand, { hidden: true })
  .addHelpText(
    "after",
    `
Examples:
  npx srpo paper-mini run --parallel 2 --threads 1
  npx srpo paper-mini status
  npx srpo paper-mini report`,
  );
