/**
 * `srpo data`: Stage I's first half on the embedded problems. On data of your own `build` does all of it in one command, and `read`,
 * `attempt`, `judge`, `select`, `reflect` and `export` are its parts; `suite` writes the embedded
 * benchmarks.
 */
import { runConstruction } from "../stages/pipeline";
import { attemptCommand } from "./data-attempt";
import { buildCommand } from "./data-build";
import { exportCommand } from "./data-export";
import { judgeCommand } from "./data-judge";
import { readCommand } from "./data-read";
import { suiteCommand } from "./data-suite";
import { reflectCommand } from "./data-reflect";
import { selectCommand } from "./data-select";
import { writeRow } from "./io";
import { openPipeline, specOf, stageCommand, stageRow, type StageOptions } from "./stage";

export const command = stageCommand("data")
  .description("Constructs reflection data: the policy answers, a teacher reflects on it.")
  .addCommand(readCommand)
  .addCommand(attemptCommand)
  .addCommand(suiteCommand)
  .addCommand(judgeCommand)
  .addCommand(selectCommand)
  .addCommand(reflectCommand)
  .addCommand(exportCommand)
  .addCommand(buildCommand)
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
