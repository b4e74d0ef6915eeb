/** `srpo paper-mini report`: the results of the jobs that are done, as the one file that is committed. */
import { statSync } from "node:fs";
import { readJob } from "../grid/folder";
import { evaluatedProblems, headerOf, recordOf } from "../grid/record";
import { resultsFile, writeResults } from "../grid/results";
import { shownPath } from "../paths";
import { loadProblems } from "../stages/problems";
import { say, Unsuccessful, writeRow } from "./io";
import { gridCommand, openGrid, type GridOptions } from "./paper-mini-grid";

export const reportCommand = gridCommand("report")
  .description("Writes the results of what is done into one file, from which notebook 5 draws.")
  .option("--out <file>", "JSON Lines", resultsFile)
  .action(async ({ out, ...options }: GridOptions & { out: string }) => {
    const { file, folder, jobs } = openGrid(options);
    const done = jobs.flatMap((job) => {
      const result = readJob(folder, job);
      return result === undefined ? [] : [{ job, result }];
    });
    if (done.length === 0) throw new Unsuccessful("Nothing is done: npx srpo paper-mini run");
    const problems = await evaluatedProblems(done[0].job);
    const rl = await loadProblems(done[0].job.spec, "rl");
    const byId = new Map(rl.map((problem) => [problem.id, problem]));
    const runs = done.map(({ job, result }) => recordOf(job, result, problems, byId));
    const header = headerOf(
      file,
      done.map(({ job }) => job),
      problems,
    );
    writeResults({ header, runs }, out);
    const bytes = statSync(out).size;
    say(`${runs.length} of ${jobs.length} jobs, ${(bytes / 1e6).toFixed(2)} MB: ${shownPath(out)}`);
    await writeRow({ file: out, runs: runs.length, jobs: jobs.length, bytes });
  });
