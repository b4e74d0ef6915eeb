/** Several runs beside each other: their curves laid over each other, and what their specs differ in. */
import { fault } from "../engine/errors";
import type { Surface } from "./display";
import { showFigure } from "./figure";
import { compareRuns, readMetrics, readRun, specDifferences, type Run } from "./runs";
import type { SaveAs } from "./save-as";
import { showTable } from "./tables";

/** What is compared where nothing else is asked for, as far as a run has measured it. */
const METRICS: readonly string[] = [
  ...["reward", "loss", "eval_loss", "accuracy/first", "accuracy/final"],
  ...["completions/mean_length", "clip_ratio/low_mean", "reflection/wr"],
];

export interface CompareOptions {
  /** One panel each; by default those of the usual ones that any of the runs has measured. */
  metrics?: readonly string[];
  /** What the runs are called; by default the names of their policies, else those of their directories. */
  names?: readonly string[];
  /** Weight of the past in the moving average, from 0 (none, the default) to below 1. */
  smooth?: number;
  /** Writes the figure as well. */
  save?: SaveAs;
  surface?: Surface;
}

/**
 * Shows the runs' curves in one figure and the settings in which they differ in a table.
 * @param runs as read, or their folders
 * @throws LabError when there is nothing to compare, naming what the runs have measured
 */
export async function showComparison(
  runs: readonly (Run | string)[],
  { metrics, names, smooth, save, surface }: CompareOptions = {},
): Promise<void> {
  const read = runs.map((run) => (typeof run === "string" ? readRun(run) : run));
  const measured = new Set(
    read.flatMap((run) => readMetrics(run).flatMap((row) => Object.keys(row))),
  );
  const shown = metrics ?? METRICS.filter((metric) => measured.has(metric));
  if (shown.length === 0) {
    throw fault("showComparison", "the runs have measured nothing that is usually compared", {
      expected: [...measured].join(", ") || "runs with metrics",
      try: "metrics: […]",
    });
  }
  const called = distinct(names ?? read.map(({ policy, name }) => policy || name), read);
  const figures = shown.map((metric) => compareRuns(read, metric, { names: called, smooth }));
  await showFigure(
    // A panel's title names the metric already.
    figures.map((figure) => ({ ...figure, y: { ...figure.y, title: "" } })),
    { columns: 2, save, surface },
  );
  const differences = specDifferences(read, called);
  await showTable(differences, {
    caption:
      differences.length === 0
        ? "the specs do not differ"
        : "settings in which the specs differ (– where a spec has no such key)",
    surface,
  });
}

/** The same settings trained twice with one change have one name; their hashes tell them apart. */
function distinct(names: readonly string[], runs: readonly Run[]): string[] {
  return names.map((name, i) =>
    names.filter((other) => other === name).length > 1 ? `${name} (${runs[i].hash})` : name,
  );
}
