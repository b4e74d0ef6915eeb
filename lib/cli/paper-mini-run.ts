/** `srpo paper-mini run`: does the jobs that are not done, some at a time, and says how long it will take. */
import { join } from "node:path";
import { lockGrid, writeGrid } from "../grid/folder";
import { runJobs, type Progress } from "../grid/schedule";
import { shownPath } from "../paths";
import { say, Unsuccessful, writeRow } from "./io";
import { wholeNumber } from "./numbers";
import { gridCommand, openGrid, type GridOptions } from "./paper-mini-grid";

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
    const { file, folder, jobs } = openGrid(options);
    const unlock = await lockGrid(folder);
    try {
      writeGrid(folder, file);
      say(
        `paper-mini: ${jobs.length} jobs, ${parallel} at a time, logs in ${shownPath(folder)}/logs`,
      );
      const { done, failed } = await runJobs(jobs, {
        ...{ folder, parallel, threads },
        command: ({ variant, seed }) => [
          ...[process.execPath, join(__dirname, "../cli.js"), "paper-mini", "job"],
          ...[folder, variant.name, String(seed)],
        ],
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
    } finally {
      unlock();
    }
  });

const stamp = (): string => new Date().toISOString().slice(0, 19).replace("T", " ");

/** `12 of 78 done, 2 running, about 6 h 05 min left`. */
export function progressLine({ done, running, failed, total, secondsLeft }: Progress): string {
  return [
    `${done} of ${total} done`,
    ...(running > 0 ? [`${running} running`] : []),
    ...(failed > 0 ? [`${failed} FAILED`] : []),
    ...(secondsLeft === null || done === total ? [] : [`about ${hours(secondsLeft)} left`]),
  ].join(", ");
}

function hours(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  const rest = String(minutes % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${rest} min`;
}
