/**
 * A run is a directory: what determined it, what it measured, where it stopped.
 *
 *   <root>/<stage>-<preset>-<hash>/spec.json  metrics.jsonl  rollouts.jsonl  health.jsonl  checkpoints/step-N/  failures/
 *                                summary.json
 *
 * The hash covers everything that determines the result, so that a changed input makes a new run and the same input
 * finds the old one: finished, it is not run again; stopped, it goes on from its last checkpoint. Rows that were logged
 * after that checkpoint are dropped, because they will be measured again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  appendJsonl,
  canonicalJson,
  contentHash,
  readJsonl,
  writeFileAtomic,
  writeJsonl,
} from "../engine/files";

/** What is known when a run has ended. */
export interface RunSummary {
  /** Seconds of work, those of earlier, interrupted attempts included. */
  seconds: number;
  steps: number;
  [key: string]: unknown;
}

export interface RunIdentity {
  /** Folder that holds all runs. */
  root: string;
  stage: string;
  preset: string;
  /** Everything that determines the result: settings, seed, hashes of the inputs. */
  inputs: Record<string, unknown>;
  /** Throws away what an earlier run with the same inputs left. */
  force?: boolean;
  /** Seconds of work so far, where somebody else does it; those since the call unless told otherwise. */
  seconds?: () => number;
}

/** One row of `metrics.jsonl`. */
export type MetricsRow = Record<string, number>;

export interface Run {
  folder: string;
  /** Short name of what determined the run; later stages put it among their own inputs. */
  hash: string;
  /** Present when the run has ended; it need not be done again. */
  summary: RunSummary | undefined;
  /** Step of the last whole checkpoint, 0 when there is none. */
  resumedAt: number;
  /** Folder of that checkpoint. */
  lastCheckpoint: string | undefined;
  /** Appends to `metrics.jsonl`. */
  metrics(row: { step: number } & Record<string, unknown>): void;
  /** Rows of `metrics.jsonl`, by step: on a run that goes on, those up to its last checkpoint. */
  history(): MetricsRow[];
  /** Appends to `rollouts.jsonl`. */
  rollout<Row extends { step: number }>(row: Row): void;
  /** Appends to `health.jsonl`. */
  note<Row extends { step: number }>(row: Row): void;
  /** Writes `failures/step-N.jsonl`, what a step broke on. @returns the file's path */
  failure(step: number, rows: readonly unknown[]): string;
  /** Writes a checkpoint aside, then renames it; only the newest is kept. */
  checkpoint(step: number, write: (folder: string) => void): void;
  /** Writes `summary.json`; afterwards the run is finished and its checkpoints, needed no more, are removed. */
  finish(summary: Omit<RunSummary, "seconds">): RunSummary;
}

/** Raise when a change to the code makes old runs' results no longer what the same inputs would give. */
const RESULTS_VERSION = 1;

/** Opens or creates the directory of a run. */
export function openRun({ root, stage, preset, inputs, force, ...given }: RunIdentity): Run {
  const determined = { stage, version: RESULTS_VERSION, ...inputs };
  const hash = contentHash(canonicalJson(determined), 10);
  const folder = join(root, `${stage}-${preset}-${hash}`);
  const file = (name: string): string => join(folder, name);
  if (force === true) rmSync(folder, { recursive: true, force: true });
  if (!existsSync(file("spec.json"))) {
    writeFileAtomic(file("spec.json"), JSON.stringify({ preset, ...determined }, null, 2) + "\n");
  }
  const summary = existsSync(file("summary.json"))
    ? (JSON.parse(readFileSync(file("summary.json"), "utf8")) as RunSummary)
    : undefined;
  const resumedAt = Math.max(0, ...checkpointSteps(file("checkpoints")));
  if (summary === undefined) {
    // Without a checkpoint everything is measured again, rows of step 0 included.
    const kept = resumedAt === 0 ? -Infinity : resumedAt;
    dropAfter(file("metrics.jsonl"), kept);
    dropAfter(file("rollouts.jsonl"), kept);
    dropAfter(file("health.jsonl"), kept);
  }
  const earlier = summary === undefined ? workedSeconds(file("metrics.jsonl")) : 0;
  const started = Date.now();
  const seconds = given.seconds ?? (() => earlier + (Date.now() - started) / 1000);
  return {
    folder,
    hash,
    summary,
    resumedAt,
    lastCheckpoint: resumedAt === 0 ? undefined : file(`checkpoints/step-${resumedAt}`),
    metrics: (row) => appendJsonl(file("metrics.jsonl"), { ...row, elapsed: seconds() }),
    history: () =>
      existsSync(file("metrics.jsonl")) ? readJsonl<MetricsRow>(file("metrics.jsonl")) : [],
    rollout: (row) => appendJsonl(file("rollouts.jsonl"), row),
    note: (row) => appendJsonl(file("health.jsonl"), row),
    failure: (step, rows) => {
      const path = file(`failures/step-${step}.jsonl`);
      writeJsonl(path, rows);
      return path;
    },
    checkpoint: (step, write) => {
      const place = file(`checkpoints/step-${step}`);
      // The same run at the same step has the same state; to replace it would mean a moment without any.
      if (existsSync(place)) return;
      const aside = file(`checkpoints/.step-${step}.tmp`);
      rmSync(aside, { recursive: true, force: true });
      mkdirSync(aside, { recursive: true });
      write(aside);
      renameSync(aside, place);
      for (const name of readdirSync(file("checkpoints"))) {
        const ours = /^(step-\d+|\.step-\d+\.tmp)$/.test(name);
        if (ours && name !== `step-${step}`) {
          rmSync(file(`checkpoints/${name}`), { recursive: true });
        }
      }
    },
    finish: (result) => {
      const whole = { ...result, seconds: seconds() } as RunSummary;
      writeFileAtomic(file("summary.json"), JSON.stringify(whole, null, 2) + "\n");
      rmSync(file("checkpoints"), { recursive: true, force: true });
      return whole;
    },
  };
}

function checkpointSteps(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => /^step-(\d+)$/.exec(name))
    .flatMap((match) => (match === null ? [] : [Number(match[1])]));
}

function dropAfter(path: string, step: number): void {
  if (!existsSync(path)) return;
  writeJsonl(
    path,
    readJsonl<{ step: number }>(path).filter((row) => row.step <= step),
  );
}

function workedSeconds(path: string): number {
  if (!existsSync(path)) return 0;
  return readJsonl<{ elapsed?: number }>(path).at(-1)?.elapsed ?? 0;
}
