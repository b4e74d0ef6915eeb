/**
 * Runs an experiment's jobs in processes of their own, some at a time: what one process leaks or breaks harms no other job, and
 * a process of one thread wastes least of two cores. Nothing is kept in memory that the folder does not have: after any
 * interruption, `kill -9` included, the same call goes on.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { interrupted, interruptible } from "../engine/interrupt";
import { failureOf, logPath, markFailed, readJob, type JobFile } from "./folder";
import { readyJobs, secondsLeft, type Job } from "./plan";

export interface ScheduleOptions {
  folder: string;
  /** Jobs at a time. */
  parallel: number;
  /** Threads of each. */
  threads: number;
  /** Starts the process that does a job: program and arguments. */
  command: (job: Job) => readonly string[];
  /** Hears of each job's beginning and end, with what is left then. */
  onChange?: (line: string, left: Progress) => void;
  signal?: AbortSignal;
}

export interface Progress {
  done: number;
  running: number;
  failed: number;
  total: number;
  /** Seconds until all is done, `null` while there is nothing to judge by. */
  secondsLeft: number | null;
}

/** A process that ended badly is started once more: it may have been killed for memory. */
const TRIES = 2;

/**
 * Does all jobs that are not done.
 * @returns what each job left, and which were given up
 * @throws Interrupted when the signal fires: the processes are told, and save what they have
 */
export function runJobs(
  jobs: readonly Job[],
  { folder, parallel, threads, command, onChange, signal: outer }: ScheduleOptions,
): Promise<{ done: JobFile[]; failed: { job: string; reason: string }[] }> {
  const results = new Map<string, JobFile>();
  const running = new Map<string, { child: ChildProcess; since: number }>();
  const failed = new Map<string, string>();
  const tries = new Map<string, number>();
  for (const job of jobs) {
    const result = readJob(folder, job);
    if (result !== undefined) results.set(job.id, result);
    else markFailed(folder, job, null);
  }

  const progress = (): Progress => ({
    done: results.size,
    running: running.size,
    failed: failed.size,
    total: jobs.length,
    secondsLeft: secondsLeft(
      jobs.filter(({ id }) => !results.has(id) && !failed.has(id)),
      {
        taken: [...results.values()],
        running: new Map([...running].map(([id, { since }]) => [id, (Date.now() - since) / 1000])),
        parallel,
      },
    ),
  });

  return interruptible(async (signal) => {
    const stop = (): void => running.forEach(({ child }) => child.kill("SIGINT"));
    signal.addEventListener("abort", stop);
    try {
      await new Promise<void>((resolve) => {
        const next = (): void => {
          const state = {
            done: new Set(results.keys()),
            running: new Set(running.keys()),
            failed: new Set(failed.keys()),
          };
          const open = signal.aborted ? [] : readyJobs(jobs, state);
          for (const job of open.slice(0, parallel - running.size)) begin(job);
          if (running.size === 0) resolve();
        };
        const begin = (job: Job): void => {
          const child = start(command(job), logPath(folder, job), threads);
          running.set(job.id, { child, since: Date.now() });
          onChange?.(`begins ${job.id}`, progress());
          child.on("close", (code, killedBy) => {
            running.delete(job.id);
            end(job, code === 0 ? null : `ended with ${killedBy ?? `status ${code}`}`);
            next();
          });
        };
        const end = (job: Job, problem: string | null): void => {
          const result = readJob(folder, job);
          if (result !== undefined) {
            results.set(job.id, result);
            onChange?.(`done   ${job.id} in ${Math.round(result.seconds)} s`, progress());
            return;
          }
          if (signal.aborted) return;
          const reason = `${problem ?? "left no result"}; see ${logPath(folder, job)}`;
          tries.set(job.id, (tries.get(job.id) ?? 0) + 1);
          if ((tries.get(job.id) ?? 0) >= TRIES) {
            failed.set(job.id, reason);
            markFailed(folder, job, reason);
          }
          onChange?.(`FAILED ${job.id}: ${reason}`, progress());
        };
        next();
      });
    } finally {
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) {
      throw interrupted(`paper-mini with ${results.size} of ${jobs.length} jobs done`);
    }
    const blocked = jobs.filter(({ id }) => !results.has(id) && !failed.has(id));
    for (const { id } of blocked) failed.set(id, "what it starts from has failed");
    return {
      done: jobs.flatMap(({ id }) => results.get(id) ?? []),
      failed: [...failed].map(([job, reason]) => ({ job, reason })),
    };
  }, outer);
}

/**
 * Starts a job. It has a process group of its own, so that a terminal's Ctrl-C reaches it once, through us; it notices by the
 * channel when we are gone.
 */
function start([program, ...words]: readonly string[], log: string, threads: number): ChildProcess {
  mkdirSync(dirname(log), { recursive: true });
  const file = openSync(log, "a");
  try {
    return spawn(program, words, {
      detached: true,
      stdio: ["ignore", file, file, "ipc"],
      env: { ...process.env, SRPO_THREADS: String(threads) },
    });
  } finally {
    closeSync(file);
  }
}

/** In a job's process: who started it may be killed; then the job stops between two steps instead of working on unseen. */
export function stopWithParent(): void {
  if (process.send === undefined) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGINT"));
  // Listening must not keep the process from ending when its work is done.
  process.channel?.unref();
}

/** What is known of every job, for `status`. */
export function jobStates(
  jobs: readonly Job[],
  folder: string,
  workedOn: (job: Job) => number | null,
): {
  job: Job;
  state: "done" | "running" | "failed" | "open";
  seconds: number | null;
  why?: string;
}[] {
  return jobs.map((job) => {
    const result = readJob(folder, job);
    if (result !== undefined) return { job, state: "done", seconds: result.seconds };
    const since = workedOn(job);
    if (since !== null) return { job, state: "running", seconds: since };
    const why = failureOf(folder, job);
    return why === null
      ? { job, state: "open", seconds: null }
      : { job, state: "failed", seconds: null, why };
  });
}
