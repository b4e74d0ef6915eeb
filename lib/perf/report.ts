/** What was measured as Markdown: a section a part, with its table, its picture and what it was measured on. */
import { formatNumber } from "../lab/chart";
import type { BenchResults, MeasuredPart } from "./bench";
import type { BenchRow } from "./parts/part";
import type { Spread } from "./spread";

/** @param results pictures are expected beside the text, as `<part>.svg` */
export function renderReport(results: BenchResults): string {
  const sections = Object.entries(results).map(([name, part]) => section(name, part));
  return `# What was measured

\`npm run bench\` writes this folder; \`npm run bench -- decode\` measures one part again. A cell gives the median, the smallest and
largest in brackets, and the number of measurements; units stand in the columns' names (s: seconds, tok: tokens, mb: megabytes).

${sections.join("\n\n")}
`;
}

function section(name: string, part: MeasuredPart): string {
  const { title, about, rows, figures, findings, command, at, hardware, engine, load } = part;
  const where = `${hardware}; ${engine.split("\n", 1)[0]}; load before ${load.toFixed(1)}; ${at.slice(0, 10)}`;
  return [
    `## ${title}`,
    about,
    ...(rows.length === 0 ? [] : [markdownTable(rows)]),
    ...(figures.length === 0 ? [] : [`![${title}](${name}.svg)`]),
    ...(findings.length === 0 ? [] : [findings.map((text) => `- ${text}`).join("\n")]),
    `\`${command}\` (${where})`,
  ].join("\n\n");
}

function markdownTable(rows: readonly BenchRow[]): string {
  const columns = Object.keys(rows[0]);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((column) => cell(row[column])))),
  ].join("\n");
}

function cell(value: string | number | Spread): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatNumber(value);
  const { median, low, high, n } = value;
  return `${formatNumber(median)} [${formatNumber(low)}, ${formatNumber(high)}] n = ${n}`;
}
