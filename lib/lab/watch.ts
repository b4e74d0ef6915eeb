/** Shows a stage while it runs: what a stage tells its {@link Watcher}, on the lab's monitor. */
import type { Watcher } from "../stages/context";
import { createMonitor, type Monitor, type MonitorOptions } from "./monitor";

/** What a monitor draws of a stage: its charts, and what one of its steps is called. */
export type StageView = Pick<MonitorOptions, "charts" | "unit">;

const accuracy = { format: "percent", min: 0, max: 1 } as const;

/** Views that suit each stage; `{ ...stageViews.grpo, charts: […] }` draws other curves. */
export const stageViews = {
  construct: {
    unit: "problem",
    charts: [{ title: "accuracy of the attempts", metrics: ["accuracy"], ...accuracy }],
  },
  sft: {
    unit: "step",
    charts: [
      { title: "loss", metrics: ["loss", "eval_loss"] },
      { title: "learning rate", metrics: ["learning_rate"], min: 0 },
    ],
  },
  grpo: {
    unit: "step",
    charts: [
      { title: "reward", metrics: ["reward"], bands: { reward: "reward_std" } },
      {
        title: "accuracy",
        metrics: ["accuracy/first", "accuracy/second", "accuracy/final"],
        ...accuracy,
      },
      { title: "completion length", metrics: ["completions/mean_length"], min: 0 },
      {
        title: "clip ratio",
        metrics: ["clip_ratio/low_mean", "clip_ratio/high_mean"],
        format: "percent",
        min: 0,
      },
      {
        title: "transitions",
        metrics: ["reflection/rr", "reflection/wr", "reflection/rw", "reflection/ww"],
        ...accuracy,
      },
    ],
  },
  evaluate: {
    unit: "problem",
    charts: [{ title: "accuracy", metrics: ["accuracy"], ...accuracy }],
  },
  benchmark: {
    unit: "problem",
    charts: [
      { title: "running accuracy", metrics: ["accuracy"], ...accuracy },
      { title: "completion tokens so far", metrics: ["tokens"], min: 0 },
    ],
  },
} as const satisfies Record<string, StageView>;

/**
 * A watcher that draws: in a notebook below the cell, in a terminal as a line on stderr. A stage that has nothing to do,
 * because its run is finished, draws nothing.
 * @param title what runs, e.g. `GRPO`
 */
export function watch(
  title: string,
  { charts, unit, surface }: StageView & Pick<MonitorOptions, "surface"> = {},
): Required<Watcher> {
  let monitor: Monitor | undefined;
  return {
    begin: (total, earlier) => {
      monitor = createMonitor({ title, total, charts, unit, surface });
      monitor.preload(earlier);
    },
    step: (step, metrics, notes) => monitor?.update(step, metrics, notes),
    end: async (reason) => {
      const ending = monitor;
      monitor = undefined;
      await (reason === undefined ? ending?.finish() : ending?.stop(reason));
    },
  };
}
