/** Results of a benchmark as a notebook shows them: tables, a data frame, and a page of their own. */
import type { BenchComparison } from "../bench/compare-results";
import { resultRows, type BenchResults } from "../bench/results";
import { escapeMarkup } from "./display";
import { tableBundle, type Row } from "./tables";

/** One row a model: what a leaderboard's line says, with its n and interval. */
export function benchTable(results: readonly BenchResults[]): Row[] {
  return results.map(({ title, spec, accuracy, answers, counts, usage }) => ({
    benchmark: title,
    model: spec.model.name,
    n: accuracy.n,
    "accuracy [95 %]": interval(accuracy),
    first: percent(answers.first.value),
    final: percent(answers.final.value),
    fixed: share(answers.fixRate),
    spoiled: share(answers.harmRate),
    rules:
      spec.rules + (counts.withoutJudge > 0 ? ` (${counts.withoutJudge} without a judge)` : ""),
    tokens: usage.completionTokens,
    dollars: usage.dollars ?? null,
  }));
}

/** The benchmark's own categories as rows; `toFrame` makes a danfo table of them. */
export function categoryTable(results: BenchResults): Row[] {
  return resultRows(results).map((row) => ({ model: results.spec.model.name, ...row }));
}

/** What a comparison says, in sentences. */
export function comparisonLines({ a, b, ...rest }: BenchComparison): string[] {
  const { title, n, difference, low, high, p, test, onlyA, onlyB, needed } = rest;
  return [
    `${title}, ${n} problems: ${a.name} ${percent(a.accuracy)}, ${b.name} ${percent(b.accuracy)}`,
    `difference ${points(difference)} points, 95 % [${points(low)}, ${points(high)}], p = ${p.toPrecision(3)} (${test}; only ${a.name} ${onlyA}, only ${b.name} ${onlyB})`,
    ...needed.map(
      (each) =>
        `to see a difference of ${each.points.toFixed(1)} points in 80 of 100 such comparisons takes ${each.problems} problems`,
    ),
    ...(rest.unshared > 0 ? [`${rest.unshared} problems that only one has are left out`] : []),
    ...rest.caveats.map((caveat) => `differs too: ${caveat}`),
  ];
}

/** The results as a page that needs nothing else. */
export function benchPage(results: BenchResults): string {
  const { title, spec, versions, hashes, files, created, seen, unseen, origins } = results;
  const table = (rows: readonly Row[], caption: string, percents: readonly string[] = []): string =>
    String(tableBundle(rows, { caption, percent: percents, limit: Infinity })["text/html"]);
  const rows = resultRows(results);
  const groups = [...new Set(rows.map(({ group }) => group))];
  const facts = { ...spec, ...versions, ...hashes, created } as Row;
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  const notes = [...origins, ...seenLines(seen, unseen), ...caveats(results)];
  const heading = escapeMarkup(`${spec.model.name} on ${title}`);
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${heading}</title>`,
    `<style>body{font:15px sans-serif;margin:2em;max-width:70em}table{margin:1em 0}</style>`,
    `<h1>${heading}</h1>`,
    table(benchTable([results]), ""),
    ...groups.map((name) =>
      table(
        rows.filter(({ group }) => group === name),
        "",
        ["accuracy", "low", "high"],
      ),
    ),
    table(
      Object.entries(results.rules).map(([rule, count]) => ({ rule, count })),
      "rules that decided",
    ),
    `<h2>Notes</h2><ul>${notes.map((note) => `<li>${escapeMarkup(note)}</li>`).join("")}</ul>`,
    `<h2>How it was made</h2>`,
    table(
      known.map(([key, value]) => ({ key, value: text(value) })),
      "",
    ),
    table(files, "files"),
    `</html>\n`,
  ].join("\n");
}

/** What a reader of the accuracy has to know. */
export function caveats({ spec, answers, counts, unanswered }: BenchResults): string[] {
  const which =
    spec.answer === "second"
      ? "scored on the second answer; SRPO's published evaluation scored the first one"
      : "scored on the first answer, as SRPO's published evaluation did";
  return [
    ...(answers.twoSolutions > 0
      ? [`${answers.twoSolutions} responses have two solutions, ${which}`]
      : []),
    ...(counts.withoutJudge > 0
      ? [`${counts.withoutJudge} verdicts are by rules where the published procedure asks a model`]
      : []),
    ...(counts.noOption > 0
      ? [
          `${counts.noOption} responses name no option and count as wrong; MMMU's and MMMU-Pro's own code draws one`,
        ]
      : []),
    ...(unanswered.length > 0
      ? [`${unanswered.length} problems were not answered and count as wrong`]
      : []),
    ...(counts.truncated > 0
      ? [`${counts.truncated} responses were cut off at the token limit`]
      : []),
    ...(counts.noGold > 0
      ? [`${counts.noGold} problems have no published answer and count as wrong`]
      : []),
  ];
}

function seenLines(seen: BenchResults["seen"], unseen: BenchResults["unseen"]): string[] {
  if (seen === undefined || unseen === undefined) return [];
  const files = seen.files.map(({ name, items }) => `${name} (${items} records)`).join(", ");
  return [
    `${seen.problems.length} problems stand in ${files}; without them the accuracy is ${interval(unseen)}, n = ${unseen.n}`,
  ];
}

const text = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

function interval({ value, low, high }: { value: number; low: number; high: number }): string {
  return `${percent(value)} [${points(low)}, ${points(high)}]`;
}

const points = (fraction: number): string => (100 * fraction).toFixed(1);

const percent = (fraction: number | null): string =>
  fraction === null || Number.isNaN(fraction) ? "–" : `${points(fraction)} %`;

const share = ({ hits, of, value }: { hits: number; of: number; value: number | null }): string =>
  value === null ? "–" : `${percent(value)} (${hits}/${of})`;
