/**
 * An experiment's folder: what it was asked to be, and what is known of each job.
 *
 *   runs/paper-mini/<hash>/grid.json  jobs/<variant>-<seed>.json  jobs/….failed  jobs/….lock  logs/<variant>-<seed>.log
 *
 * The stages themselves are in run directories like all others; a job's file only says which.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fault } from "../engine/errors";
import { canonicalJson, contentHash, writeFileAtomic } from "../engine/files";
import { runsFolder } from "../paths";
import type { JobRuns } from "./job";
import type { GridRequest, Job } from "./plan";

/** `grid.json`. */
export interface GridFile extends GridRequest {
  /** Checkpoint folder of the base, and the hash of its content. */
  base: { folder: string; hash: string };
}

/** What a finished job leaves. */
export interface JobFile {
  variant: string;
  seed: number;
  hash: string;
  runs: JobRuns;
  /** Seconds of this job's own work. */
  seconds: number;
  finished: string;
}

/** The folder of an experiment; another spec or base is another one, other variants or seeds are not. */
export function gridFolder({ preset, changes, base }: GridFile): string {
  const hash = contentHash(canonicalJson({ preset, changes, base: base.hash }), 10);
  return join(runsFolder(), "paper-mini", hash);
}

export function writeGrid(folder: string, grid: GridFile): void {
  writeFileAtomic(join(folder, "grid.json"), JSON.stringify(grid, null, 2) + "\n");
}

/** @throws LabError when there is none */
export function readGrid(folder: string): GridFile {
  const file = join(folder, "grid.json");
  if (!existsSync(file)) throw fault("readGrid", `no experiment in ${folder}`);
  return JSON.parse(readFileSync(file, "utf8")) as GridFile;
}

const jobPath = (folder: string, { variant, seed }: Job, ending: string): string =>
  join(folder, "jobs", `${variant.name}-${seed}.${ending}`);

export const logPath = (folder: string, { variant, seed }: Job): string =>
  join(folder, "logs", `${variant.name}-${seed}.log`);

export function writeJob(folder: string, job: Job, file: JobFile): void {
  rmSync(jobPath(folder, job, "failed"), { force: true });
  writeFileAtomic(jobPath(folder, job, "json"), JSON.stringify(file, null, 2) + "\n");
}

/** What the job left, `undefined` where it has not ended, or was another job than it would be now. */
export function readJob(folder: string, job: Job): JobFile | undefined {
  const path = jobPath(folder, job, "json");
  if (!existsSync(path)) return undefined;
  const file = JSON.parse(readFileSync(path, "utf8")) as JobFile;
  const there = Object.values(file.runs).every((run) => existsSync(run.folder));
  return file.hash === job.hash && there ? file : undefined;
}

/** Says that a job was given up, or with `null` that it is tried again. */
export function markFailed(folder: string, job: Job, reason: string | null): void {
  const path = jobPath(folder, job, "failed");
  if (reason === null) rmSync(path, { force: true });
  else writeFileAtomic(path, reason + "\n");
}

export function failureOf(folder: string, job: Job): string | null {
  const path = jobPath(folder, job, "failed");
  return existsSync(path) ? readFileSync(path, "utf8").trim() : null;
}

/** Seconds since a process took the job on, `null` where none works on it. */
export function workedOnFor(folder: string, job: Job): number | null {
  const path = jobPath(folder, job, "lock");
  return holderOf(path) === null ? null : (Date.now() - statSync(path).mtimeMs) / 1000;
}

/** Takes the job for this process, once whoever has it is gone. @returns what gives it back */
export function lockJob(folder: string, job: Job): Promise<() => void> {
  return takeLock(jobPath(folder, job, "lock"), 120);
}

/** Takes the whole experiment for this process. @throws LabError when another one has it */
export function lockGrid(folder: string): Promise<() => void> {
  return takeLock(join(folder, "grid.lock"), 0);
}

/** The process that holds a lock; one that has ended holds none, however it ended. */
function holderOf(path: string): number | null {
  const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (!(pid > 0)) return null;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // A process of somebody else's is alive as well.
    return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : null;
  }
}

/** @param patience seconds to wait for the holder's end */
async function takeLock(path: string, patience: number): Promise<() => void> {
  mkdirSync(join(path, ".."), { recursive: true });
  for (let waited = 0; ; waited += 0.25) {
    const holder = holderOf(path);
    if (holder === null) {
      rmSync(path, { force: true });
      try {
        writeFileSync(path, String(process.pid), { flag: "wx" });
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    } else if (waited >= patience) {
      throw fault("paper-mini", `process ${holder} is at work on this already`, {
        try: `wait for its end, or where ${holder} is another program, remove ${path}`,
      });
    }
    await wait(250);
  }
}
