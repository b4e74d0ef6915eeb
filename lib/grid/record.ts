/** Reads a finished job's run directories into a line of the results. */
import { basename, join } from "node:path";
import { readFileSync } from "node:fs";
import { contentHash, readJsonl } from "../engine/files";
import { readsWhole } from "../reflection/dialect";
import { computes, rateReflection } from "../reflection/rating";
import { parseResponse } from "../reflection/template";
import { labVersion } from "../paths";
import type { EvaluationRow } from "../stages/evaluate";
import { loadProblems } from "../stages/problems";
import type { RolloutRow } from "../train/rollouts";
import type { MetricsRow } from "../train/run";
import type { Problem } from "../types";
import type { GridFile, JobFile } from "./folder";
import type { Job } from "./plan";
import {
  outcomeLetter,
  RATINGS,
  type Curve,
  type EvaluationMode,
  type EvaluationSet,
  type GridHeader,
  type GridSample,
  type Marks,
  type RunRecord,
} from "./results";
import { variants } from "./variants";

/** What is kept of a reinforcement's metrics. */
const METRICS: readonly string[] = [
  ...["reward", "accuracy/first", "accuracy/second", "accuracy/final"],
  ...["reflection/present", "reflection/length", "reflection/rr", "reflection/wr"],
  ...["reflection/rw", "reflection/ww", "reflection/fix_rate", "reflection/harm_rate"],
  ...["completions/mean_length", "completions/clipped_ratio"],
  ...["clip_ratio/low_mean", "clip_ratio/high_mean", "approx_kl", "entropy", "grad_norm"],
  ...["frac_reward_zero_std", "rewards/format/mean", "rewards/accuracy/mean"],
  ...["rewards/efficacy/mean", "rewards/reflection_format/mean", "rewards/length/mean"],
];

/** Points of a curve: neighbouring steps are averaged until no more are left. */
const POINTS = 60;

/** Problems of the sets that a job was evaluated on. */
export type EvaluatedProblems = Record<EvaluationSet, readonly Problem[]>;

export async function evaluatedProblems({ spec }: Job): Promise<EvaluatedProblems> {
  return { test: await loadProblems(spec, "test"), ood: await loadProblems(spec, "ood") };
}

export function headerOf(
  { base, seeds }: GridFile,
  jobs: readonly Job[],
  problems: EvaluatedProblems,
): GridHeader {
  const kindsOf = (set: EvaluationSet) => ({
    hash: contentHash(problems[set].map(({ id }) => id).join("\n")),
    kinds: problems[set].map(({ family, level }) => `${family}-${level}`),
  });
  const used = new Set(jobs.map(({ variant }) => variant.name));
  return {
    ...{ kind: "paper-mini", version: 1, spec: jobs[0].spec, base: base.hash, seeds },
    variants: variants.filter(({ name }) => used.has(name)),
    problems: { test: kindsOf("test"), ood: kindsOf("ood") },
    versions: { "srpo-lab": labVersion(), node: process.versions.node },
  };
}

/** @param rl the problems of reinforcement by id, for the questions of the samples */
export function recordOf(
  job: Job,
  { runs, hash }: JobFile,
  problems: EvaluatedProblems,
  rl: ReadonlyMap<string, Problem>,
): RunRecord {
  const { construct: _shared, ...own } = runs;
  const record: RunRecord = {
    ...{ variant: job.variant.name, seed: job.seed, hash },
    seconds: mapValues(runs, ({ seconds }) => Math.round(seconds)),
    runs: mapValues(own, ({ folder }) => basename(folder)),
    evaluation: {
      test: evaluationOf(runs.test?.folder ?? "", problems.test),
      ood: evaluationOf(runs.ood?.folder ?? "", problems.ood),
    },
  };
  if (runs.sft !== undefined) {
    const { steps, examples } = readJson(join(runs.sft.folder, "summary.json"));
    const rows = readJsonl<MetricsRow>(join(runs.sft.folder, "metrics.jsonl"));
    const tokens = rows.at(-1)?.num_tokens ?? 0;
    record.sft = { steps: steps as number, examples: examples as number, tokens };
  }
  if (runs.grpo !== undefined) {
    const { folder } = runs.grpo;
    record.grpo = thinned(readJsonl<MetricsRow>(join(folder, "metrics.jsonl")), METRICS);
    const rollouts = readJsonl<RolloutRow>(join(folder, "rollouts.jsonl"));
    record.reflections = reflectionCurve(rollouts, rl);
    record.samples = job.seed === 1 ? samplesOf(rollouts, rl) : undefined;
    if (job.variant.holdsFirstAnswers === true) {
      const { reward } = readJson(join(folder, "spec.json")) as {
        reward: { firstBaseline: number };
      };
      record.firstBaseline = reward.firstBaseline;
    }
  }
  return record;
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
}

function mapValues<T, U>(
  from: Partial<Record<string, T>>,
  map: (value: T) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, map(value as T)]));
}

function evaluationOf(folder: string, problems: readonly Problem[]): Record<EvaluationMode, Marks> {
  const known = new Map(problems.map((problem) => [problem.id, problem]));
  const marks = (mode: EvaluationMode): Marks => {
    const rows = readJsonl<EvaluationRow>(join(folder, `${mode}.jsonl`));
    return {
      outcomes: rows
        .map(({ firstCorrect = false, secondCorrect = null }) =>
          outcomeLetter({ first: firstCorrect, second: secondCorrect }),
        )
        .join(""),
      ...(mode === "greedy"
        ? {
            ratings: rows.map((row) => ratingOf(row, known)).join(""),
            readings: rows.map((row) => readingOf(row, known)).join(""),
          }
        : {}),
      tokens: digits(mean(rows.map(({ tokens }) => tokens))),
      truncated: digits(mean(rows.map(({ truncated }) => Number(truncated)))),
    };
  };
  return { greedy: marks("greedy"), sampled: marks("sampled") };
}

function ratingOf(
  { text, truncated, transition, problem }: EvaluationRow,
  known: ReadonlyMap<string, Problem>,
): string {
  const of = known.get(problem);
  if (of === undefined) return ".";
  const rating = rateReflection(parseResponse(text, { truncated }), transition ?? null, of);
  const letter = Object.entries(RATINGS).find(([, name]) => name === rating)?.[0];
  return letter ?? ".";
}

function readingOf(
  { text, truncated, problem }: EvaluationRow,
  known: ReadonlyMap<string, Problem>,
): string {
  const reading = known.get(problem)?.reading;
  if (reading === undefined) return ".";
  const { think } = parseResponse(text, { truncated }).first;
  return think !== null && readsWhole(think, reading) ? "y" : "n";
}

/** Means over windows of neighbouring steps; a window's step is its last. */
export function thinned(rows: readonly MetricsRow[], metrics: readonly string[]): Curve {
  const size = Math.max(1, Math.ceil(rows.length / POINTS));
  const windows = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.slice(i * size, (i + 1) * size),
  );
  const curve: Curve = { step: windows.map((window) => window[window.length - 1].step) };
  for (const metric of metrics) {
    const values = windows.map((window) => {
      const known = window.flatMap((row) => row[metric] ?? []);
      return known.length === 0 ? null : digits(mean(known));
    });
    if (values.some((value) => value !== null)) curve[metric] = values;
  }
  return curve;
}

/**
 * Of the steps whose rollouts were written down: how often there is a reflection that computes, how often the second answer is
 * right after one (r), and after one that does not, and what f_len pays either.
 */
function reflectionCurve(
  rollouts: readonly RolloutRow[],
  problems: ReadonlyMap<string, Problem>,
): Curve {
  const steps = [...new Set(rollouts.map(({ step }) => step))];
  const rows = steps.map((step) => {
    const all = rollouts
      .filter((rollout) => rollout.step === step)
      .map((rollout) => {
        const response = parseResponse(rollout.text, { truncated: rollout.truncated });
        const { transition } = rollout.reward;
        const working = response.reflection !== null && computes(response.reflection);
        const problem = problems.get(rollout.problem);
        const rating = problem && rateReflection(response, transition, problem);
        return { rollout, working, rating, transition };
      });
    const reflected = all.filter(({ transition }) => transition !== null);
    const real = reflected.filter(({ working }) => working);
    const empty = reflected.filter(({ working }) => !working);
    const right = (some: typeof all): number | null =>
      share(some, ({ transition }) => transition === "RR" || transition === "WR");
    const paid = (some: typeof all): number | null =>
      some.length === 0 ? null : digits(mean(some.map(({ rollout }) => rollout.reward.length)));
    return {
      step,
      real: share(all, ({ working, transition }) => working && transition !== null),
      first: share(all, ({ rollout }) => rollout.reward.first.correct),
      rightAfterReal: right(real),
      rightAfterEmpty: right(empty),
      lengthOfReal: paid(real),
      lengthOfEmpty: paid(empty),
      effective: share(reflected, ({ rating }) => rating === "effective"),
      redundant: share(reflected, ({ rating }) => rating === "redundant"),
      detrimental: share(reflected, ({ rating }) => rating === "detrimental"),
    };
  });
  const names = Object.keys(rows[0] ?? { step: 0 }) as (keyof (typeof rows)[number])[];
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
}

function share<T>(items: readonly T[], test: (item: T) => boolean): number | null {
  return items.length === 0 ? null : digits(items.filter(test).length / items.length);
}

/**
 * Two rollouts of the first, a middle and the last step that were written down: the best paid, and of equally paid ones those
 * that end wrong, because there a hack shows.
 */
function samplesOf(
  rollouts: readonly RolloutRow[],
  problems: ReadonlyMap<string, Problem>,
): GridSample[] {
  const steps = [...new Set(rollouts.map(({ step }) => step))];
  const shown = [...new Set([0, Math.floor(steps.length / 2), steps.length - 1])];
  const endsWrong = ({ reward }: RolloutRow): number =>
    /W$/.test(reward.transition ?? "") ? 1 : 0;
  return shown.flatMap((i) =>
    rollouts
      .filter(({ step }) => step === steps[i])
      .filter(({ text }, at, all) => all.findIndex((other) => other.text === text) === at)
      .sort((a, b) => b.total - a.total || endsWrong(b) - endsWrong(a))
      .slice(0, 2)
      .map(({ step, text, problem, reward, total }) => ({
        ...{ step, text, total: digits(total) },
        question: problems.get(problem)?.question ?? problem,
        gold: problems.get(problem)?.answer ?? "",
        transition: reward.transition ?? "–",
      })),
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Four digits are more than any figure shows. */
const digits = (value: number): number => Number(value.toPrecision(4));
