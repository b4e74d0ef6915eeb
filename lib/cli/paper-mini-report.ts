/** `srpo paper-mini report`: the results of the jobs that are done, as the one file that is committed. */
import { statSync } from "node:fs";
import { gridResults } from "../grid/grid";
import { resultsFile, writeResults } from "../grid/results";
import { shownPath } from "../paths";
import { say, Unsuccessful, writeRow } from "./io";
import { gridCommand, gridOf, type GridOptions } from "./paper-mini-grid";

export const reportCommand = gridCommand("report")
  .description("Writes the results of what is done into one file, from which notebook 5 draws.")
  .option("--out <file>", "JSON Lines", resultsFile)
  .action(async ({ out, ...options }: GridOptions & { out: string }) => {
    const grid = gridOf(options);
    const results = await gridResults(grid);
    if (results === null) throw new Unsuccessful("Nothing is done: npx srpo paper-mini run");
    const { runs } = results;
    const { jobs } = grid;
    writeResults(results, out);
    const bytes = statSync(out).size;
    say(`${runs.length} of ${jobs.length} jobs, ${(bytes / 1e6).toFixed(2)} MB: ${shownPath(out)}`);
    await writeRow({ file: out, runs: runs.length, jobs: jobs.length, bytes });
  });
