/** `srpo paper-mini status`: what is done, what is under way, what remains, and for how long. */
import { workedOnFor } from "../grid/folder";
import { progressLine } from "../grid/progress";
import { jobStates } from "../grid/schedule";
import { secondsLeft } from "../grid/plan";
import { say, writeRow } from "./io";
import { wholeNumber } from "./numbers";
import { gridCommand, gridOf, type GridOptions } from "./paper-mini-grid";

export const statusCommand = gridCommand("status")
  .description("Says what is done, what is under way, what remains, and for about how long.")
  .option("--parallel <n>", "variants at a time, for the time that is left", wholeNumber(1), 2)
  .addHelpText("after", "\nOne line for each variant and seed on stdout: {job, state, seconds}.")
  .action(async ({ parallel, ...options }: GridOptions & { parallel: number }) => {
    const { folder, jobs } = gridOf(options);
    const states = jobStates(jobs, folder, (job) => workedOnFor(folder, job));
    const of = (wanted: string) => states.filter(({ state }) => state === wanted);
    for (const { job, state, seconds, why } of states) {
      await writeRow({ job: job.id, state, seconds: seconds && Math.round(seconds), why });
    }
    const [done, running] = [of("done"), of("running")];
    say(
      progressLine({
        ...{ done: done.length, running: running.length, failed: of("failed").length },
        total: jobs.length,
        secondsLeft: secondsLeft(
          states.filter(({ state }) => state !== "done").map(({ job }) => job),
          {
            taken: done.map(({ job, seconds }) => ({
              variant: job.variant.name,
              seconds: seconds ?? 0,
            })),
            running: new Map(running.map(({ job, seconds }) => [job.id, seconds ?? 0])),
            parallel,
          },
        ),
      }),
    );
  });
