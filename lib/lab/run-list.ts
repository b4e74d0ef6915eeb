/** Which runs there are, as a table. */
import { runsFolder } from "../paths";
import type { Surface } from "./display";
import { formatSeconds } from "./monitor";
import { listRuns, readMetrics, type MetricRow, type Run } from "./runs";
import { showTable, type Row } from "./tables";

/** What the last step of a training says of how it went. */
const RESULTS = {
  reward: "reward",
  accuracy: "accuracy/final",
  loss: "loss",
} as const;

/** One line a run: what it made, whether it has ended, and its last reward, accuracy and loss where it measured them. */
export function runRows(runs: readonly Run[]): Row[] {
  return runs.map((run) => {
    const last: Partial<MetricRow> = readMetrics(run).at(-1) ?? {};
    const results = Object.entries(RESULTS).flatMap(([name, metric]): [string, number][] => {
      const value = last[metric];
      return value === undefined ? [] : [[name, value]];
    });
    return {
      run: run.name,
      policy: run.policy || "–",
      state: run.seconds === null ? "not finished" : "finished",
      steps: run.steps,
      took: run.seconds === null ? "–" : formatSeconds(run.seconds),
      ...Object.fromEntries(results),
      ...(run.accuracy === null ? {} : { accuracy: run.accuracy }),
      changed: run.changed.toISOString().slice(0, 16).replace("T", " "),
    };
  });
}

/**
 * Shows the runs, newest first.
 * @param options.stage only this stage's: `construct`, `sft`, `grpo` or `eval`
 * @param options.root another folder than `runs/`
 */
export async function showRuns(
  options: { stage?: string; root?: string; surface?: Surface } = {},
): Promise<void> {
  const { stage: wanted, root = runsFolder(), surface } = options;
  const rows = runRows(listRuns(root).filter(({ stage }) => (wanted ?? stage) === stage));
  const columns = ["run", "policy", "state", "steps", "took", ...Object.keys(RESULTS), "changed"];
  await showTable(rows, {
    columns: columns.filter((column) => rows.some((row) => column in row)),
    caption: rows.length === 0 ? "no runs" : `${rows.length} runs, newest first, times in UTC`,
    percent: ["accuracy"],
    surface,
  });
}
