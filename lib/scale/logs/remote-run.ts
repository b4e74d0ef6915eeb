/**
 * A training on a cluster as a run directory: what its log says of each step, under the lab's names, in the files that a local
 * run writes. So `watch`, `showRuns`, `compareRuns` and `showComparison` take it as one of their own.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fault } from "../../engine/errors";
import { isRow } from "../../engine/rows";
import { runsFolder } from "../../paths";
import type { Watcher } from "../../stages/context";
import { healthNotes } from "../../train/health";
import type { Metrics } from "../../train/metrics";
import { openRun } from "../../train/run";
import { sftSteps } from "../../train/sft";
import { readManifest, type ExportManifest } from "../exports/export";
import { exportTarget } from "../exports/index";
import type { JobStatus, RayClient } from "../ray/client";
import { cleanLine } from "./lines";
import { labMetrics } from "./names";

export interface RemoteRunOptions {
  /** The export that is trained on: it has the spec, and says whose log it is. */
  folder: string;
  /** Folder that holds all runs; `runs/` unless told otherwise. */
  root?: string;
  watch?: Watcher;
}

export interface RemoteRun {
  /** The run directory. */
  folder: string;
  /** Steps that the log has told of. */
  steps: number;
  /** Ray's word for how the training stands; that of a saved log is taken to have ended. */
  status: JobStatus;
}

/**
 * Reads a job's log from its beginning, and on as it grows, until the job is over or the signal fires.
 * @param options.follow whether to go on; `true` unless told otherwise
 * @param options.onText hears all that the job prints
 * @throws LabError when the cluster does not answer, or the folder is no export
 */
export async function followJob(
  client: RayClient,
  id: string,
  options: RemoteRunOptions & {
    follow?: boolean;
    signal?: AbortSignal;
    everyMs?: number;
    onText?: (text: string) => void;
  },
): Promise<RemoteRun> {
  const { follow = true, onText } = options;
  const run = openRemote(id, options);
  const texts = follow ? client.follow(id, options) : [await client.logs(id)];
  for await (const text of texts) {
    onText?.(text);
    run.take(text);
  }
  const { status, start_time: start, end_time: end } = await client.job(id);
  const seconds = start !== null && end !== null ? (end - start) / 1000 : undefined;
  return run.end(status, seconds);
}

/**
 * Reads a log that was saved: what the trainer printed, or the metrics file that it wrote (verl's and EasyR1's JSON Lines,
 * `trainer_log.jsonl` of LLaMA-Factory, `trainer_state.json` of transformers).
 * @throws LabError when there is no such file, or no step in it
 */
export async function readLog(path: string, options: RemoteRunOptions): Promise<RemoteRun> {
  if (!existsSync(path)) throw fault("readLog", `no file at ${path}`);
  const text = readFileSync(path, "utf8");
  const run = openRemote(basename(path), options);
  run.take(historyLines(text) ?? text);
  const result = await run.end("SUCCEEDED");
  if (result.steps > 0) return result;
  const { target } = readManifest(options.folder);
  throw fault("readLog", `${path} tells of no step`, {
    expected: `what ${exportTarget(target).title} prints, or its metrics file`,
    try: "the export that this training was started from",
  });
}

/** The history of a `trainer_state.json` as JSON Lines; `undefined` for any other file. */
function historyLines(text: string): string | undefined {
  if (!/^\s*\{/.test(text) || !text.includes('"log_history"')) return undefined;
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRow(state) || !Array.isArray(state.log_history)) return undefined;
  return state.log_history.map((row) => JSON.stringify(row)).join("\n");
}

function openRemote(job: string, { folder, root = runsFolder(), watch }: RemoteRunOptions) {
  const manifest = readManifest(folder);
  const { spec } = manifest;
  const target = exportTarget(manifest.target);
  const [stage, total] =
    target.trains === "rl"
      ? ["grpo", spec.grpo.steps]
      : ["sft", sftSteps(manifest.rows.train, spec.sft)];
  let took = 0;
  const run = openRun({
    ...{ root, stage, preset: spec.preset, seconds: () => took },
    inputs: { ...inputsOf(manifest, folder), job },
    // A log is read from its beginning; what an earlier reading left is in it.
    force: true,
  });
  const read = target.log.reader(spec);
  /** By step: as the program logged it, and under the lab's names. */
  const logged = new Map<number, Readonly<Record<string, number>>>();
  const rows = new Map<number, Metrics>();
  let rest = "";

  /** Parts of a step may come apart, an evaluation after its step for instance: the later row holds them all. */
  const steps = (text: string): number[] => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const changed = new Set<number>();
    for (const line of lines) {
      const { step, values = {} } = read(cleanLine(line)) ?? {};
      if (step === undefined || Object.keys(values).length === 0) continue;
      logged.set(step, { ...logged.get(step), ...values });
      changed.add(step);
    }
    return [...changed];
  };
  const tell = (step: number): void => {
    const metrics = labMetrics(logged.get(step) ?? {}, target.log);
    rows.set(step, metrics);
    const history = [...rows].filter(([at]) => at <= step).map(([, row]) => row);
    const notes = target.trains === "rl" ? healthNotes(history, spec.grpo) : [];
    took =
      metrics.train_runtime ??
      history.reduce((sum, { step_time: seconds = 0 }) => sum + seconds, 0);
    run.metrics({ step, ...metrics });
    for (const note of notes) run.note({ step, ...note });
    if (begun) watch?.step?.(step, metrics, notes);
  };
  let begun = false;
  return {
    take: (text: string): void => {
      const changed = steps(text);
      const [last] = changed.slice(-1);
      if (last === undefined) return;
      // What had happened before anybody watched is drawn at once, and says nothing of the speed.
      for (const step of changed) if (begun || step !== last) tell(step);
      if (begun) return;
      watch?.begin?.(
        total,
        [...rows].map(([step, row]) => ({ step, ...row })),
      );
      begun = true;
      tell(last);
    },
    end: async (status: JobStatus, seconds = took): Promise<RemoteRun> => {
      steps("\n").forEach(tell);
      took = seconds;
      const succeeded = status === "SUCCEEDED";
      if (succeeded && rows.size > 0) {
        const model = basename(spec.cluster.model);
        run.finish({ policy: `${model} (${target.name})`, steps: Math.max(...rows.keys()) });
      }
      if (begun) await watch?.end?.(succeeded ? undefined : status.toLowerCase());
      return { folder: run.folder, steps: rows.size, status };
    },
  };
}

/** What determined the training, under the keys of a local run's `spec.json`. */
function inputsOf({ target, version, spec, rows }: ExportManifest, folder: string): object {
  const { seed, cluster } = spec;
  const common = { seed, policy: cluster.model, rows: rows.train, cluster, target, version };
  if (exportTarget(target).trains === "sft") return { ...common, sft: spec.sft };
  const { config } = JSON.parse(readFileSync(join(folder, "reward.json"), "utf8")) as {
    config: object;
  };
  return { ...common, reward: config, grpo: spec.grpo };
}
