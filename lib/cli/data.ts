/**
 * `srpo data`: Stage I's first half, attempts and reflections; `read` and `attempt` are its parts for data of your own,
 * `suite` writes the embedded benchmarks.
 */
import { runConstruction } from "../stages/pipeline";
import { attemptCommand } from "./data-attempt";
import { readCommand } from "./data-read";
import { suiteCommand } from "./data-suite";
import { writeRow } from "./io";
import { openPipeline, specOf, stageCommand, stageRow, type StageOptions } from "./stage";

export const command = stageCommand("data")
  .description("Constructs reflection data: the policy answers, a teacher reflects on it.")
  .addCommand(readCommand)
  .addCommand(attemptCommand)
  .addCommand(suiteCommand)
  .addHelpText("after", "\nExample:\n  npx srpo data --preset smoke --set construction.target=16")
  .action(async (options: StageOptions) => {
    const pipeline = openPipeline(specOf(options), options.policy);
    const result = await runConstruction(pipeline, { force: options.force });
    const { attempts, dropped } = result;
    await writeRow({
      ...stageRow("construct", result),
      attempts: attempts.length,
      accuracy: attempts.filter(({ verdict }) => verdict.correct).length / attempts.length,
      dropped,
    });
  });
