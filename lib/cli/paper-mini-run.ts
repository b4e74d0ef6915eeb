/** `srpo paper-mini run`: does the jobs that are not done, some at a time, and says how long it will take. */
import { runGrid } from "../grid/grid";
import { progressLine } from "../grid/progress";
import { shownPath } from "../paths";
import { say, Unsuccessful, writeRow } from "./io";
import { wholeNumber } from "./numbers";
import { gridCommand, gridOf, type GridOptions } from "./paper-mini-grid";

type Options = GridOptions & { parallel: number; threads: number };

export const runCommand = gridCommand("run")
  .description("Trains and evaluates all variants; called again, it goes on.")
  .option("--parallel <n>", "variants at a time, each in a process of its own", wholeNumber(1), 2)
  .option("--threads <n>", "threads of each", wholeNumber(1), 1)
  .addHelpText(
    "after",
    `
One line for each variant and seed on stdout when all is done: {variant, seed, seconds, runs}.

Examples:
  nohup npx srpo paper-mini run > paper-mini.jsonl 2> paper-mini.log &
  npx srpo paper-mini run --preset smoke --seeds 1 --variants srpo`,
  )
  .action(async ({ parallel, threads, ...options }: Options) => {
    const grid = gridOf(options);
    const logs = `${shownPath(grid.folder)}/logs`;
    say(`paper-mini: ${grid.jobs.length} jobs, ${parallel} at a time, logs in ${logs}`);
    const { done, failed } = await runGrid(grid, {
      ...{ parallel, threads },
      onChange: (line, left) => say(`${stamp()} ${line} · ${progressLine(left)}`),
    });
    for (const { variant, seed, seconds, runs } of done) {
      await writeRow({ variant, seed, seconds, runs });
    }
    if (failed.length > 0) {
      const lines = failed.map(({ job, reason }) => `  ${job}: ${reason}`);
      throw new Unsuccessful(`${failed.length} jobs failed:\n${lines.join("\n")}`);
    }
    say("All done. The results as one file: npx srpo paper-mini report");
  });

const stamp = (): string => new Date().toISOString().slice(0, 19).replace("T", " ");
