/** The results of a model on a benchmark, as one JSON: what was asked and how, every verdict, and the accuracies with intervals. */
import { fault } from "../engine/errors";
import { summarizeTransitions, type Rate, type TransitionSummary } from "../reflection/transitions";
import type { Tables } from "./benchmark";
import type { Benchmark, BenchRecord, RuleFamily } from "./benchmark";
import type { AskKind } from "./ask";
import { UNASKED, UNREACHABLE } from "./judge";
import { bootstrapMean, wilson, wilsonShare, type Proportion } from "./report";
import { outcomeOf, type ScoredResponse } from "./score";
import type { Seen } from "./seen";
import { atK, type AtK } from "./several-samples";

/** One scored sample of a problem. */
export interface ScoredSample extends ScoredResponse {
  truncated: boolean;
  /** Completion tokens; `null` where nobody counted them. */
  tokens: number | null;
}

/** A problem with its samples; without any the model gave no answer, which counts as wrong. */
export interface ScoredProblem {
  id: string;
  record: BenchRecord;
  samples: readonly ScoredSample[];
}

/** What determined the verdicts. */
export interface BenchSpec {
  benchmark: string;
  /** `srpo/hash` of a policy, a server's model, exported models, a file of responses. */
  model: { name: string; kind: "policy" | "server" | "export" | "responses"; of: string };
  /** `null` for saved responses: nobody knows how they were asked for. */
  sampling: Sampling | null;
  samples: number;
  rules: RuleFamily;
  /** Which answer of a two-solution response counts. */
  answer: "first" | "second";
  judge: { model: string; server: string } | null;
  limit: number | null;
  seed: string;
}

export interface Sampling {
  ask: AskKind;
  temperature: number;
  topP: number | null;
  maxNewTokens: number;
}

/** What a run knows beside the verdicts. */
export interface BenchContext {
  spec: BenchSpec;
  files: { name: string; bytes: number; sha256: string }[];
  /** Problems in the files, before a limit. */
  available: number;
  versions: Readonly<Record<string, string>>;
  /** Of what was asked and what was answered. */
  hashes: { prompts: string; responses: string };
  usage: { promptTokens: number | null; completionTokens: number | null; dollars?: number };
  judgeUsage?: { calls: number; promptTokens: number; completionTokens: number; dollars?: number };
  /** Problems that could not be asked, with the reason. */
  unanswered: { problem: string; reason: string }[];
  seen?: Seen;
  created: string;
  seconds: number;
}

/** A rate with its 95 % Wilson interval; `value` and the ends are `null` where it is of nothing. */
export interface RateWithInterval extends Rate {
  low: number | null;
  high: number | null;
}

export interface Category {
  /** Problems. */
  n: number;
  /** Right ones; with several samples a mean over them, and We-Math's score counts halves. */
  correct: number;
  accuracy: number | null;
  /** 95 %, Wilson. */
  low: number;
  high: number;
}

export interface BenchResults extends BenchContext {
  kind: "srpo-bench";
  version: 1;
  title: string;
  /** Of the answer that counts: a mean over problems and samples. */
  accuracy: Proportion & { bootstrap: { low: number; high: number } };
  /** Of all samples; a single answer is a first one. */
  answers: {
    twoSolutions: number;
    first: RateWithInterval;
    final: RateWithInterval;
    fixRate: RateWithInterval;
    harmRate: RateWithInterval;
    transitions: TransitionSummary["counts"];
  };
  atK: AtK[];
  /** The benchmark's own categories. */
  tables: Record<string, Record<string, Category>>;
  /** How often each rule decided. */
  rules: Record<string, number>;
  counts: {
    /** A judge should have been asked, and none was; or it did not answer. */
    withoutJudge: number;
    noOption: number;
    noAnswer: number;
    noGold: number;
    truncated: number;
  };
  /** Where the problems come from, and which training sets share that. */
  origins: readonly string[];
  /** Accuracy of the problems that are not in the training data that was given. */
  unseen?: Proportion;
  problems: { id: string; correct: number; samples: readonly ScoredSample[] }[];
}

/** @throws LabError when there are no problems */
export function benchResults(
  benchmark: Benchmark,
  problems: readonly ScoredProblem[],
  context: BenchContext,
): BenchResults {
  const { samples: k } = context.spec;
  if (problems.length === 0) throw fault("benchResults", "there are no problems");
  const filled = problems.map((problem) => ({
    ...problem,
    samples: padded(problem.samples, context.spec),
  }));
  const samples = filled.flatMap((problem) => problem.samples);
  const shares = filled.map((problem) => shareRight(problem.samples));
  const mean = average(shares);
  const rules = countBy(samples.map(({ rule }) => rule));
  const seen = new Set(context.seen?.problems.map(({ problem }) => problem));
  const unseen = shares.filter((_, i) => !seen.has(filled[i].id));
  return {
    ...{ kind: "srpo-bench", version: 1, title: benchmark.title },
    ...context,
    accuracy: {
      ...wilsonShare(mean, problems.length),
      bootstrap: bootstrapMean(shares, { seed: `bench/${context.spec.seed}` }),
    },
    answers: answersOf(samples),
    atK: atK(filled.map((problem) => problem.samples)),
    tables: tablesOf(benchmark, filled, k),
    rules,
    counts: {
      withoutJudge: countRules(
        rules,
        (rule) => rule.includes(UNASKED) || rule.includes(UNREACHABLE),
      ),
      noOption: countRules(rules, (rule) => rule.includes("no-option")),
      noAnswer: countRules(rules, (rule) => /\/(?:no-answer|unanswered)/.test(rule)),
      noGold: countRules(rules, (rule) => rule.includes("no-gold")),
      truncated: samples.filter(({ truncated }) => truncated).length,
    },
    origins: benchmark.origins,
    ...(context.seen === undefined ? {} : { unseen: wilsonShare(average(unseen), unseen.length) }),
    problems: filled.map(({ id, samples: own }, i) => ({ id, correct: shares[i], samples: own })),
  };
}

/** What stands where the model gave no answer. */
function padded(
  samples: readonly ScoredSample[],
  { samples: k, rules }: BenchSpec,
): ScoredSample[] {
  const missing: ScoredSample = {
    ...{ extraction: null, prediction: null, correct: false, rule: `${rules}/unanswered` },
    ...{ truncated: false, tokens: null },
  };
  return Array.from({ length: k }, (_, i) => samples[i] ?? missing);
}

function answersOf(samples: readonly ScoredSample[]): BenchResults["answers"] {
  const two = samples.filter(({ first }) => first !== undefined);
  const summary = summarizeTransitions(samples.map(outcomeOf));
  return {
    twoSolutions: two.length,
    first: withInterval(summary.accuracyFirst),
    final: withInterval(summary.accuracyFinal),
    fixRate: withInterval(summary.fixRate),
    harmRate: withInterval(summary.harmRate),
    transitions: summary.counts,
  };
}

function withInterval(rate: Rate): RateWithInterval {
  if (rate.of === 0) return { ...rate, low: null, high: null };
  const { low, high } = wilson(rate.hits, rate.of);
  return { ...rate, low, high };
}

/** The benchmark's tables of each sample number, averaged: some categories take several problems together. */
function tablesOf(
  benchmark: Benchmark,
  problems: readonly ScoredProblem[],
  k: number,
): BenchResults["tables"] {
  const each: Tables[] = Array.from({ length: k }, (_, i) =>
    benchmark.aggregate(
      problems.map(({ record, samples }) => ({ record, correct: samples[i].correct })),
    ),
  );
  return Object.fromEntries(
    Object.entries(each[0]).map(([group, categories]) => [
      group,
      Object.fromEntries(
        Object.keys(categories).map((name) => [
          name,
          categoryOf(each.map((tables) => tables[group][name])),
        ]),
      ),
    ]),
  );
}

function categoryOf(tallies: readonly { correct: number; total: number }[]): Category {
  const n = average(tallies.map(({ total }) => total));
  const correct = average(tallies.map((tally) => tally.correct));
  const share = n === 0 ? null : correct / n;
  const { low, high } = wilsonShare(share ?? NaN, n);
  return { n, correct, accuracy: share, low, high };
}

function shareRight(samples: readonly ScoredSample[]): number {
  return average(samples.map(({ correct }) => Number(correct)));
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function countBy(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

function countRules(
  rules: Readonly<Record<string, number>>,
  holds: (rule: string) => boolean,
): number {
  return Object.entries(rules).reduce((sum, [rule, n]) => (holds(rule) ? sum + n : sum), 0);
}

/** The accuracies as flat rows, the whole first: for CSV, tables and data frames. */
export function resultRows({
  accuracy,
  answers,
  atK: several,
  tables,
}: BenchResults): Record<string, unknown>[] {
  const row = (group: string, category: string, { n, value, low, high }: Nullable<Proportion>) => ({
    ...{ group, category, n, accuracy: value, low, high },
  });
  const rates = ["first", "final", "fixRate", "harmRate"] as const;
  return [
    row("overall", "accuracy (Wilson)", accuracy),
    row("overall", "accuracy (bootstrap)", { ...accuracy, ...accuracy.bootstrap }),
    ...rates.map((name) => row("answers", name, { ...answers[name], n: answers[name].of })),
    ...(several.length === 1
      ? []
      : several.flatMap(({ k, ...values }) =>
          (["pass", "maj", "mean"] as const).map((name) =>
            row("samples", `${name}@${k}`, {
              n: accuracy.n,
              value: values[name],
              low: null,
              high: null,
            }),
          ),
        )),
    ...Object.entries(tables).flatMap(([group, categories]) =>
      Object.entries(categories).map(([name, category]) =>
        row(group, name, { ...category, value: category.accuracy }),
      ),
    ),
  ];
}

type Nullable<T> = { [K in keyof T]: T[K] | null };

/** The rows as comma-separated values (RFC 4180). */
export function resultCsv(results: BenchResults): string {
  const rows = resultRows(results);
  const cell = (value: unknown): string => {
    const text = value === null ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [Object.keys(rows[0]), ...rows.map((row) => Object.values(row))];
  return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
}
