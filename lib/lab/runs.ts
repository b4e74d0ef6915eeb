/** Reads run directories (`runs/<stage>-<preset>-<hash>/`): which there are, what they measured, how they differ. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fault } from "../engine/errors";
import { readJsonl } from "../engine/files";
import type { RunSummary } from "../train/run";
import { PALETTE, type Figure, type Line } from "./chart";

/** A run directory, read. */
export interface Run {
  folder: string;
  /** The directory's name. */
  name: string;
  stage: string;
  preset: string;
  hash: string;
  /** `spec.json`: everything that determines the run. */
  spec: Record<string, unknown>;
  /** What the stage's result is called, e.g. `SRPO`; empty until it has ended. */
  policy: string;
  /** Steps that are done. */
  steps: number;
  /** How long the work took; `null` until it has ended. */
  seconds: number | null;
  /** The greedy accuracy that an evaluation found; `null` elsewhere. */
  accuracy: number | null;
  /** When its files last changed. */
  changed: Date;
}

/** One line of `metrics.jsonl`, under TRL's names. */
export interface MetricRow {
  step: number;
  [metric: string]: number;
}

/** The runs below `root`, newest first; folders without a `spec.json` are no runs. An absent `root` holds none. */
export function listRuns(root: string): Run[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, "spec.json")))
    .map((entry) => readRun(join(root, entry.name)))
    .sort((a, b) => b.changed.getTime() - a.changed.getTime() || (a.name < b.name ? -1 : 1));
}

/** @throws LabError naming the file when the folder holds no readable `spec.json` */
export function readRun(folder: string): Run {
  const file = join(folder, "spec.json");
  let spec: unknown;
  try {
    spec = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw fault("readRun", `cannot read ${file} (${(error as Error).message})`, {
      expected: "a run directory with its spec.json",
      try: "run the stage again, or remove the folder",
    });
  }
  const summary = readSummary(folder);
  const name = basename(folder);
  // A stage's or preset's name may hold hyphens; the hash has none, and the stages' names are one word.
  const [, stage, preset, hash] = /^([^-]+)-(.+)-([^-]+)$/.exec(name) ?? [null, name, "", ""];
  const metrics = join(folder, "metrics.jsonl");
  const dated = [metrics, join(folder, "summary.json")].filter((path) => existsSync(path));
  return {
    folder,
    name,
    stage,
    preset,
    hash,
    spec: spec as Record<string, unknown>,
    policy: summary?.policy ?? "",
    steps: summary?.steps ?? readMetrics(folder).length,
    seconds: summary?.seconds ?? null,
    accuracy: summary?.accuracy ?? null,
    changed: statSync(dated[0] ?? file).mtime,
  };
}

type Ended = RunSummary & { policy?: string; accuracy?: number };

/** What the end of a run left; `undefined` while it has not ended. */
function readSummary(folder: string): Ended | undefined {
  const file = join(folder, "summary.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Ended) : undefined;
}

/**
 * The metrics of a run, by step. A run that was killed after its last checkpoint repeats some steps when it resumes;
 * the later row counts. A run that has measured nothing yet gives no rows.
 */
export function readMetrics(run: Run | string): MetricRow[] {
  const file = join(typeof run === "string" ? run : run.folder, "metrics.jsonl");
  if (!existsSync(file)) return [];
  const rows = new Map(readJsonl<MetricRow>(file).map((row) => [row.step, row]));
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

/**
 * One metric of several runs in one figure; with `smooth`, the raw values stay visible behind the smoothed curves.
 * @param options.smooth weight of the past in the moving average, from 0 (none) to below 1
 * @throws LabError when no run has the metric, naming those there are
 */
export function compareRuns(
  runs: readonly Run[],
  metric: string,
  options: { smooth?: number; names?: readonly string[]; title?: string } = {},
): Figure {
  const { smooth = 0, names } = options;
  const known = new Set<string>();
  const lines = runs.flatMap((run, i): Line[] => {
    const rows = readMetrics(run);
    for (const row of rows) for (const key of Object.keys(row)) known.add(key);
    const have = rows.filter((row) => Number.isFinite(row[metric]));
    if (have.length === 0) return [];
    const raw: Line = {
      name: names?.[i] ?? run.name,
      x: have.map((row) => row.step),
      y: have.map((row) => row[metric]),
      colour: PALETTE[i % PALETTE.length],
    };
    if (smooth === 0) return [raw];
    return [
      { ...raw, faint: true },
      { ...raw, y: movingAverage(raw.y, smooth) },
    ];
  });
  if (lines.length === 0) {
    throw fault("compareRuns", `no run has measured "${metric}"`, {
      expected: [...known].filter((key) => key !== "step").join(", ") || "runs with metrics",
    });
  }
  return {
    title: options.title ?? metric,
    subtitle: smooth === 0 ? undefined : `smoothed: moving average with weight ${smooth}`,
    x: { title: "step" },
    y: { title: metric },
    lines,
  };
}

/**
 * Exponential moving average, corrected for its start as Adam's moments are (arXiv 1412.6980, section 3): without that the
 * first values would be drawn towards 0.
 */
export function movingAverage(values: readonly number[], weight: number): number[] {
  if (!(weight >= 0 && weight < 1)) {
    throw fault("movingAverage", "bad weight", { got: weight, expected: "0 <= weight < 1" });
  }
  let [sum, mass] = [0, 0];
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

/**
 * The keys (`grpo.learningRate`) in which the runs' specs differ: one row a key, one column a run.
 * @param names of the columns; the runs' own unless told otherwise
 */
export function specDifferences(
  runs: readonly Run[],
  names: readonly string[] = runs.map(({ name }) => name),
): Record<string, string>[] {
  const flat = runs.map((run) => flatten(run.spec));
  const keys = [...new Set(flat.flatMap((spec) => [...spec.keys()]))].sort();
  return keys.flatMap((key) => {
    const values = flat.map((spec) => spec.get(key) ?? "–");
    if (values.every((value) => value === values[0])) return [];
    return [{ key, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) }];
  });
}

function flatten(value: unknown, path = ""): Map<string, string> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return new Map([[path, typeof value === "string" ? value : JSON.stringify(value)]]);
  }
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [
      ...flatten(inner, path === "" ? key : `${path}.${key}`),
    ]),
  );
}
