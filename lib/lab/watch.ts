/** Shows a stage while it runs: what a stage tells its {@link Watcher}, on the lab's monitor, and its last rollouts below. */
import type { Watcher } from "../stages/context";
import type { Rollout } from "../train/rollouts";
import { createDisplay, currentSurface } from "./display";
import { createMonitor, type Monitor, type MonitorOptions } from "./monitor";
import { showStopButton } from "./widgets";
import { rolloutSample } from "./rollout-samples";
import { samplesBundle, type Sample } from "./viewer";

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
      { title: "loss", metrics: ["loss"] },
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

/** Pictures are read and drawn for each change of the rollouts, so they change less often than the curves. */
const ROLLOUTS_MS = 1000;

/**
 * A watcher that draws: in a notebook below the cell, in a terminal as a line on stderr. A stage that has nothing to do,
 * because its run is finished, draws nothing.
 * @param title what runs, e.g. `GRPO`
 * @param options.rollouts of a step's rollouts so many are shown, from the best paid to the worst; 3 unless told otherwise
 */
export function watch(
  title: string,
  {
    charts,
    unit,
    rollouts: count = 3,
    surface,
  }: StageView & Pick<MonitorOptions, "surface"> & { rollouts?: number } = {},
): Required<Watcher> {
  let monitor: Monitor | undefined;
  let hideStop: (() => void) | undefined;
  const cards = liveSamples(surface);
  return {
    memory: (line) => console.error(line),
    begin: (total, earlier) => {
      hideStop = showStopButton({ surface });
      monitor = createMonitor({ title, total, charts, unit, surface });
      monitor.preload(earlier);
    },
    step: (step, metrics, notes) => monitor?.update(step, metrics, notes),
    rollouts: (step, rollouts) => {
      if (count > 0) cards.show(spread(rollouts, count).map((one) => liveSample(step, one)));
    },
    end: async (reason) => {
      const ending = monitor;
      monitor = undefined;
      hideStop?.();
      await cards.settle();
      await (reason === undefined ? ending?.finish() : ending?.stop(reason));
    },
  };
}

function liveSample(step: number, rollout: Rollout): Sample {
  const { text, truncated } = rollout.completion;
  return rolloutSample(rollout.problem, step, { ...rollout, text, truncated });
}

/** So many of the rollouts, evenly from the best paid to the worst. */
function spread(rollouts: readonly Rollout[], count: number): Rollout[] {
  const ranked = [...rollouts].sort((a, b) => b.total - a.total);
  const picked = Math.min(count, ranked.length);
  const gap = (ranked.length - 1) / Math.max(1, picked - 1);
  return Array.from({ length: picked }, (_, i) => ranked[Math.round(i * gap)]);
}

/** Cards in one place that always come to show the samples given last; a terminal shows none. */
function liveSamples(surface: MonitorOptions["surface"]) {
  const live = createDisplay({ surface });
  const terminal = (surface ?? currentSurface()).kind === "terminal";
  let next: readonly Sample[] | undefined;
  let drawing: Promise<void> | undefined;
  let drawnAt = -Infinity;
  const draw = async (): Promise<void> => {
    while (next !== undefined) {
      const samples = next;
      next = undefined;
      drawnAt = Date.now();
      live.update(await samplesBundle(samples));
    }
    drawing = undefined;
  };
  return {
    show: (samples: readonly Sample[]) => {
      if (terminal) return;
      next = samples;
      if (Date.now() - drawnAt >= ROLLOUTS_MS) drawing ??= draw();
    },
    settle: async () => {
      await drawing;
      await draw();
    },
  };
}
