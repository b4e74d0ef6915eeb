/** The whole experiment for those who call it, a command or a notebook: run what is not done, and read what is. */
import { join } from "node:path";
import { basePolicyFolder } from "../paths";
import { basePolicy } from "../stages/context";
import { loadProblems } from "../stages/problems";
import { gridFolder, lockGrid, readJob, writeGrid, type GridFile, type JobFile } from "./folder";
import { planJobs, type GridRequest, type Job } from "./plan";
import { evaluatedProblems, headerOf, recordOf } from "./record";
import type { GridResults } from "./results";
import { runJobs, type ScheduleOptions } from "./schedule";
import { seeds } from "./variants";

export interface Grid {
  file: GridFile;
  folder: string;
  jobs: Job[];
}

/**
 * @param request the preset `paper-mini` with its seeds and all variants unless told otherwise
 * @param baseFolder checkpoint that all variants start from
 * @throws LabError when it cannot be
 */
export function openGrid(
  request: Partial<GridRequest> = {},
  baseFolder: string = basePolicyFolder,
): Grid {
  const { preset = "paper-mini", changes = {} } = request;
  const file: GridFile = {
    ...{ preset, changes, seeds: request.seeds ?? seeds, variants: request.variants },
    base: { folder: baseFolder, hash: basePolicy(baseFolder).hash },
  };
  return { file, folder: gridFolder(file), jobs: planJobs(file, file.base.hash) };
}

export type GridRunOptions = Partial<
  Pick<ScheduleOptions, "parallel" | "threads" | "onChange" | "signal">
>;

/**
 * Does the jobs that are not done, two at a time with one thread each unless told otherwise.
 * @throws LabError when another process does them, Interrupted when stopped
 */
export async function runGrid(
  { file, folder, jobs }: Grid,
  { parallel = 2, threads = 1, onChange, signal }: GridRunOptions = {},
): Promise<{ done: JobFile[]; failed: { job: string; reason: string }[] }> {
  const unlock = await lockGrid(folder);
  try {
    writeGrid(folder, file);
    return await runJobs(jobs, {
      ...{ folder, parallel, threads, onChange, signal },
      command: ({ variant, seed }) => [
        ...[process.execPath, join(__dirname, "../cli.js"), "paper-mini", "job"],
        ...[folder, variant.name, String(seed)],
      ],
    });
  } finally {
    unlock();
  }
}

/** The results of the jobs that are done; `null` when none is. */
export async function gridResults({ file, folder, jobs }: Grid): Promise<GridResults | null> {
  const done = jobs.flatMap((job) => {
    const result = readJob(folder, job);
    return result === undefined ? [] : [{ job, result }];
  });
  if (done.length === 0) return null;
  const [{ job: first }] = done;
  const problems = await evaluatedProblems(first);
  const rl = new Map((await loadProblems(first.spec, "rl")).map((one) => [one.id, one]));
  return {
    header: headerOf(
      file,
      done.map(({ job }) => job),
      problems,
    ),
    runs: done.map(({ job, result }) => recordOf(job, result, problems, rl)),
  };
}
