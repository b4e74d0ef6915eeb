/** The trainings of `paper-mini` as curves: the mean over the seeds, and a band from the lowest seed to the highest. */
import { hasVariant, runsOf } from "../grid/analysis";
import type { Curve, GridResults } from "../grid/results";
import { variantByName } from "../grid/variants";
import type { Axis, Figure, Line } from "./chart";
import { movingAverage } from "./runs";

export interface CurveOptions {
  title?: string;
  /** Names the vertical axis; the metric's own name unless told otherwise. */
  unit?: string;
  format?: Axis["format"];
  min?: number;
  max?: number;
  /** Weight of the past in the moving average of each seed's curve; none unless told otherwise. */
  smooth?: number;
  /** `grpo` is the training's metrics, `reflections` what the rollouts were that it wrote down. */
  of?: "grpo" | "reflections";
}

/** One metric of several variants; variants that have not measured it are left out. */
export function gridCurve(
  results: GridResults,
  names: readonly string[],
  metric: string,
  { title = metric, unit = metric, format, min, max, smooth = 0, of = "grpo" }: CurveOptions = {},
): Figure {
  const lines = names
    .filter((name) => hasVariant(results, name))
    .flatMap((name): Line[] => {
      const curves = runsOf(results, name).flatMap((run): Curve[] => {
        const curve = run[of];
        return curve === undefined ? [] : [curve];
      });
      const line = overSeeds(curves, metric, smooth);
      return line === null ? [] : [{ name: variantByName(name).title, ...line }];
    });
  const seeds = new Set(results.runs.map(({ seed }) => seed)).size;
  return {
    title,
    subtitle: `mean of ${seeds} ${seeds === 1 ? "seed" : "seeds, band from lowest to highest"}`,
    x: { title: "step" },
    y: { title: unit, format, min, max },
    lines,
  };
}

/** @returns `null` where no seed has measured it */
export function overSeeds(
  curves: readonly Curve[],
  metric: string,
  smooth = 0,
): Pick<Line, "x" | "y" | "low" | "high"> | null {
  const have = curves.filter((curve) => curve[metric] !== undefined);
  if (have.length === 0) return null;
  // A run that is cut short has fewer points; the shortest decides.
  const length = Math.min(...have.map(({ step }) => step.length));
  const values = have.map((curve) => {
    const row = curve[metric].slice(0, length).map((value) => value ?? NaN);
    return smooth === 0 || row.some(Number.isNaN) ? row : movingAverage(row, smooth);
  });
  const x = have[0].step.slice(0, length).map((step) => step ?? NaN);
  const at = (i: number): number[] => values.map((row) => row[i]).filter(Number.isFinite);
  const fold = (of: (all: number[]) => number): number[] =>
    x.map((_, i) => (at(i).length === 0 ? NaN : of(at(i))));
  return {
    x,
    y: fold((all) => all.reduce((sum, value) => sum + value, 0) / all.length),
    low: fold((all) => Math.min(...all)),
    high: fold((all) => Math.max(...all)),
  };
}

/** Figures 3 to 8 of the paper: reward, lengths, clip ratio, what reflections change, and what the trainer's health is. */
export function paperCurves(results: GridResults, names: readonly string[]): Figure[] {
  const curve = (metric: string, title: string, options: CurveOptions = {}): Figure =>
    gridCurve(results, names, metric, { title, smooth: 0.6, ...options });
  return [
    curve("reward", "Reward (scales differ by preset)"),
    curve("accuracy/final", "Accuracy of final answers", { format: "percent" }),
    curve("accuracy/first", "Accuracy of first answers", { format: "percent" }),
    curve("completions/mean_length", "Tokens a response"),
    curve("clip_ratio/low_mean", "Lower clip ratio", { min: 0, smooth: 0 }),
    curve("approx_kl", "KL of an update", { min: 0 }),
    curve("entropy", "Entropy", { min: 0 }),
    curve("grad_norm", "Gradient norm", { min: 0 }),
  ];
}

/** How a hack grows and what its guard does: two variants beside each other in what betrays it. */
export function hackCurves(results: GridResults, pair: readonly [string, string]): Figure[] {
  const curve = (metric: string, title: string, options: CurveOptions = {}): Figure =>
    gridCurve(results, pair, metric, { title, format: "percent", smooth: 0.6, ...options });
  return [
    curve("accuracy/first", "First answers right"),
    curve("accuracy/final", "Final answers right"),
    curve("reflection/wr", "W→R"),
    curve("reflection/rw", "R→W"),
    curve("real", "Reflections that compute", {
      ...{ of: "reflections", smooth: 0 },
      unit: "share of the rollouts written down",
    }),
    curve("completions/mean_length", "Tokens a response", { format: "number" }),
  ];
}

/** The best paid rollouts of a variant's first seed, from the beginning, the middle and the end of its training, as text. */
export function hackSamples(results: GridResults, name: string): string {
  if (!hasVariant(results, name)) return `${variantByName(name).title}: not trained yet.`;
  const run = runsOf(results, name).find(({ samples }) => samples !== undefined);
  const lines = (run?.samples ?? []).map(
    ({ step, transition, total, gold, text }) =>
      `step ${step}, ${transition}, paid ${total.toFixed(2)}, gold ${gold}: ${text}`,
  );
  return [`Best paid rollouts, ${variantByName(name).title}:`, ...lines].join("\n");
}
