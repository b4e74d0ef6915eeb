/** `srpo score`: saved responses of any model, scored by the rules of a benchmark's authors or of a harness. */
import { writeFileSync } from "node:fs";
import { Argument, Command, Option } from "commander";
import {
  RULE_FAMILIES,
  type Benchmark,
  type RuleFamily,
  type ScoredRecord,
  type Tables,
} from "../bench/benchmark";
import { benchmarkByName, benchmarks } from "../bench/benchmarks";
import { wilson } from "../bench/report";
import { identifierOf, outcomeOf, scoreRecord, type ScoredResponse } from "../bench/score";
import { summarizeTransitions, type Outcome, type Rate } from "../reflection/transitions";
import { mapRows, say } from "./io";

interface Flags {
  in: string;
  rules: RuleFamily;
  answer: "second" | "first";
  tables?: string;
}

export const command = new Command("score")
  .description(
    "Scores responses. Rows with the benchmark's own fields and `response` (whole text) or `extraction` (the answer " +
      "alone) give {id, extraction, prediction, correct, rule}; a two-solution response also {first, second, transition}.",
  )
  .addArgument(
    new Argument("<benchmark>", "whose records").choices(benchmarks.map(({ name }) => name)),
  )
  .requiredOption("--in <file>", "JSON lines, or - for stdin")
  .addOption(
    new Option("--rules <family>", "whose rules").choices(RULE_FAMILIES).default("official"),
  )
  .addOption(
    new Option("--answer <which>", "of a two-solution response")
      .choices(["second", "first"])
      .default("second"),
  )
  .option("--tables <file>", "write the scores by the benchmark's categories as JSON")
  .addHelpText(
    "after",
    `
A rule that ends in (no-judge) stands where the published procedure asks a model.

Example:
  echo '{"id":"1","answer":"B","options":["1","2","3","4","5"],"response":"It is \\\\boxed{B}"}' | npx srpo score mathvision --in -`,
  )
  .action(async (name: string, { in: path, rules, answer, tables }: Flags) => {
    const benchmark = benchmarkByName(name);
    const totals = createTotals();
    try {
      await mapRows(path, (record) => {
        const scored = scoreRecord(benchmark, record, { rules, answer });
        totals.add(scored, { record, correct: scored.correct });
        return { ...identifierOf(benchmark, record), ...scored };
      });
    } finally {
      for (const line of totals.lines(benchmark, rules)) say(line);
    }
    if (tables !== undefined)
      writeFileSync(tables, tablesText(benchmark.aggregate(totals.records)));
  });

function createTotals() {
  const outcomes: Outcome[] = [];
  const records: ScoredRecord[] = [];
  const counts = new Map<string, number>();
  let correct = 0;
  let twice = 0;
  return {
    records,
    add(scored: ScoredResponse, record: ScoredRecord): void {
      outcomes.push(outcomeOf(scored));
      records.push(record);
      counts.set(scored.rule, (counts.get(scored.rule) ?? 0) + 1);
      if (scored.correct) correct++;
      if (scored.first !== undefined) twice++;
    },
    /** Accuracy with its interval, transitions where there are any, and which rules decided how often. */
    lines({ title }: Benchmark, rules: RuleFamily): string[] {
      const { value, low, high, n } = wilson(correct, outcomes.length);
      if (n === 0) return [];
      const { counts: moves, accuracyFirst, fixRate, harmRate } = summarizeTransitions(outcomes);
      const decided = [...counts].sort(([, a], [, b]) => b - a);
      return [
        `${title}, rules ${rules}: ${percent(value)} of ${n} right (95 % ${percent(low)} to ${percent(high)})`,
        ...(twice === 0
          ? []
          : [
              `two solutions ${twice}: first answer ${rate(accuracyFirst)}, fixed ${rate(fixRate)}, spoiled ${rate(harmRate)}, ` +
                `RR ${moves.RR} WR ${moves.WR} RW ${moves.RW} WW ${moves.WW}`,
            ]),
        ...decided.map(([rule, count]) => `  ${rule} ${count}`),
      ];
    },
  };
}

function percent(value: number): string {
  return `${(100 * value).toFixed(2)} %`;
}

function rate({ hits, of, value }: Rate): string {
  return value === null ? "–" : `${percent(value)} (${hits}/${of})`;
}

function tablesText(tables: Tables): string {
  const shown = Object.entries(tables).map(([group, tallies]) => [
    group,
    Object.fromEntries(
      Object.entries(tallies).map(([category, { correct, total }]) => [
        category,
        { accuracy: total === 0 ? null : correct / total, correct, total },
      ]),
    ),
  ]);
  return JSON.stringify(Object.fromEntries(shown), null, 2) + "\n";
}
