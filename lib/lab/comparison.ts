/** Printed and measured accuracies side by side, as the paper's bars and as its comparison table. */
import type { MeasuredRow, Published, PublishedRow, PublishedTable } from "../bench/published";
import type { Proportion } from "../bench/report";
import type { Figure } from "./chart";
import type { TableFigure, TableLine } from "./table-figure";

export interface ComparisonOptions {
  paper: Published["paper"];
  table: PublishedTable;
  measured?: readonly MeasuredRow[];
}

/** Models whose bars are drawn: each closed or open field's best known, the method's base and its result. */
const DRAWN = [
  ...["GPT-4o", "GPT-o1", "Qwen2.5-VL-7B", "MM-Eureka-7B", "SRPO-7B"],
  ...["Qwen2.5-VL-32B", "MM-Eureka-32B", "SRPO-32B"],
];

/** Pale for what is printed, by field; measured bars take full colours and intervals. */
const PALE: Readonly<Record<string, string>> = {
  "GPT-4o": "#C9CDD2",
  "GPT-o1": "#A9AFB6",
  "Qwen2.5-VL-7B": "#CFE3F2",
  "MM-Eureka-7B": "#A8CCE6",
  "SRPO-7B": "#F3C9A8",
  "Qwen2.5-VL-32B": "#CDE8DF",
  "MM-Eureka-32B": "#A3D5C5",
  "SRPO-32B": "#E8AC80",
};

/**
 * The paper's Figure 1: bars of chosen models over the benchmarks. Rows measured on the benchmarks themselves stand beside
 * the printed ones; rows measured on embedded problems get a panel of their own, as they are another quantity.
 */
export function comparisonFigures(
  { paper, table, measured = [] }: ComparisonOptions,
  { models = DRAWN }: { models?: readonly string[] } = {},
): Figure[] {
  const printed = table.rows.filter(({ model }) => models.includes(model));
  const real = measured.filter(({ problems }) => problems === "benchmark");
  const embedded = measured.filter(({ problems }) => problems === "embedded");
  const first = panel(table.columns, {
    title: "Figure 1: published and measured accuracy",
    subtitle: `published: Table ${table.table} of ${paper}, without n or interval; measured: 95 % Wilson intervals`,
    series: [...printed.map(printedBars), ...real.map((row) => measuredBars(table.columns, row))],
  });
  if (embedded.length === 0) return [first];
  const columns = table.columns.filter(({ key }) => embedded.some(({ scores }) => key in scores));
  const second = panel(columns, {
    title: "Measured on embedded problems in the benchmarks' formats",
    subtitle:
      "not the benchmarks' problems: to be compared among themselves only; 95 % Wilson intervals",
    series: embedded.map((row) => measuredBars(columns, row)),
  });
  return [first, second];
}

type Columns = PublishedTable["columns"];
type Series = NonNullable<Figure["bars"]>["series"][number];

function panel(
  columns: Columns,
  { series, ...words }: { title: string; subtitle: string; series: Series[] },
): Figure {
  return {
    ...words,
    ...{ width: 1200, height: 400, x: { title: "" } },
    y: { title: "accuracy", format: "percent", min: 0, max: 1 },
    bars: { groups: columns.map(({ title }) => title), series },
  };
}

function printedBars({ model, values }: PublishedRow): Series {
  const fractions = values.map((value) => (value === null ? NaN : value / 100));
  return { name: `${model} (published)`, values: fractions, colour: PALE[model] ?? "#DDDDDD" };
}

function measuredBars(columns: Columns, { model, scores }: MeasuredRow): Series {
  const of = (part: "value" | "low" | "high"): number[] =>
    columns.map(({ key }) => scores[key]?.[part] ?? NaN);
  const name = `${model} (measured, ${sizes(columns, scores)})`;
  return { name, values: of("value"), low: of("low"), high: of("high") };
}

function sizes(columns: Columns, scores: MeasuredRow["scores"]): string {
  const all = columns.flatMap(({ key }) => scores[key]?.n ?? []);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return all.length === 0 ? "n = 0" : least === most ? `n = ${least}` : `n = ${least} to ${most}`;
}

/** The paper's Figure 2: closed and open models, the printed rows by group, the measured rows below with n and interval. */
export function comparisonTable(
  { paper, table, measured = [] }: ComparisonOptions,
  { caveats = [] }: { caveats?: readonly string[] } = {},
): TableFigure {
  const lines: TableLine[] = [];
  for (const group of new Set(table.rows.map((row) => row.group ?? ""))) {
    lines.push({ section: `published, Table ${table.table}${group === "" ? "" : `: ${group}`}` });
    for (const row of table.rows.filter((each) => (each.group ?? "") === group)) {
      lines.push({ cells: [row.model, "published", ...printedCells(table, row)] });
    }
  }
  for (const problems of ["benchmark", "embedded"] as const) {
    const rows = measured.filter((row) => row.problems === problems);
    if (rows.length === 0) continue;
    lines.push({ section: SECTIONS[problems] });
    for (const { model, scores } of rows) {
      const cells = table.columns.map(({ key }) => measuredCell(scores[key]));
      lines.push({ cells: [model, "measured", ...cells], strong: true });
    }
  }
  const rerun = table.rows.some((row) => (row.rerun ?? []).length > 0);
  return {
    title: `Figure 2: ${table.title}`,
    subtitle: `accuracy in %; published: Table ${table.table} of ${paper}; measured: [95 % Wilson interval], n`,
    columns: ["model", "source", ...table.columns.map(({ title }) => title)],
    lines,
    notes: [
      ...(rerun ? ["† run by the paper's authors, the others cited by them; – not printed."] : []),
      ...caveats,
    ],
  };
}

const SECTIONS = {
  benchmark: "measured on the benchmarks' own problems",
  embedded: "measured on embedded problems in these formats: not comparable with the rows above",
} as const;

function printedCells({ columns }: PublishedTable, { values, rerun = [] }: PublishedRow): string[] {
  return values.map((value, i) =>
    value === null ? "–" : `${rerun.includes(columns[i].key) ? "†" : ""}${value.toFixed(1)}`,
  );
}

function measuredCell(score: Proportion | undefined): string {
  if (score === undefined || score.n === 0) return "–";
  const [value, low, high] = [score.value, score.low, score.high].map((x) => (100 * x).toFixed(1));
  return `${value}\n[${low}, ${high}]\nn = ${score.n}`;
}
