/**
 * Tables, computed by danfojs-node and shown as HTML and text. The only file that knows danfo.
 *
 * danfo loads tfjs-node, so it is loaded at the first table and after the engine has chosen the one tfjs of the process.
 */
import type { DataFrame } from "danfojs-node";
import { describeEngine } from "../engine/backend";
import { fault } from "../engine/errors";
import {
  display,
  displayable,
  escapeMarkup,
  type Displayable,
  type MimeBundle,
  type Surface,
} from "./display";

type Danfo = typeof import("danfojs-node");

/** A row: names to plain values. Objects and arrays inside are shown as JSON. */
export type Row = Readonly<Record<string, unknown>>;

export interface TableOptions {
  /** Which columns, in which order; all of them in the order of their first appearance unless told otherwise. */
  columns?: readonly string[];
  caption?: string;
  /** Decimals of numbers that are not whole; 3 unless told otherwise. */
  digits?: number;
  /** Columns of fractions that are shown as percentages with one decimal. */
  percent?: readonly string[];
  sortBy?: { column: string; descending?: boolean };
  /** Rows beyond these are counted, not shown; 50 unless told otherwise. */
  limit?: number;
}

let danfo: Danfo | undefined;

function loadDanfo(): Danfo {
  if (danfo === undefined) {
    // Chooses the back end, restores what tfjs-node needs of Node's util, and stands in for tfjs-node without its binding.
    describeEngine();
    danfo = require("danfojs-node") as Danfo;
  }
  return danfo;
}

/**
 * The rows as a danfo DataFrame, for whatever a notebook wants to compute: `describe`, `groupby`, `merge`.
 * @throws LabError naming a column that no row has
 */
export function toFrame(rows: readonly Row[], columns?: readonly string[]): DataFrame {
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const missing = columns?.find((column) => rows.length > 0 && !known.includes(column));
  if (missing !== undefined) {
    throw fault("toFrame", `no row has a column "${missing}"`, { expected: known.join(", ") });
  }
  const names = [...(columns ?? known)];
  const values = names.map((name) => columnValues(rows.map((row) => row[name])));
  const data = rows.map((_, i) => values.map((column) => column[i]));
  const { DataFrame } = loadDanfo();
  return new DataFrame(data, { columns: names });
}

/** danfo's statistics throw on `null` in a column of numbers but know NaN, and its texts must be texts. */
function columnValues(column: readonly unknown[]): (number | string | boolean)[] {
  const present = column.filter((value) => value !== null && value !== undefined);
  const numeric = present.length > 0 && present.every((value) => typeof value === "number");
  return column.map((value) => {
    if (value === null || value === undefined) return numeric ? NaN : "";
    if (typeof value === "object") return JSON.stringify(value);
    return typeof value === "number" || typeof value === "boolean" ? value : String(value);
  });
}

/** The rows as a table that a cell can end with. @throws LabError naming a column that no row has */
export function table(rows: readonly Row[], options: TableOptions = {}): Displayable {
  return displayable(() => tableBundle(rows, options));
}

/** Shows the rows as a table. @throws LabError naming a column that no row has */
export async function showTable(
  rows: readonly Row[],
  options: TableOptions & { surface?: Surface } = {},
): Promise<void> {
  await display(tableBundle(rows, options), { surface: options.surface });
}

/** The table as HTML and as aligned text. */
export function tableBundle(rows: readonly Row[], options: TableOptions = {}): MimeBundle {
  const { caption, limit = 50, sortBy } = options;
  let frame = toFrame(rows, options.columns);
  if (sortBy !== undefined && rows.length > 1) {
    frame = frame.sortValues(sortBy.column, { ascending: !sortBy.descending });
  }
  const names = frame.columns.map(String);
  const values = (frame.values as unknown[][]).slice(0, limit);
  const cells = values.map((row) => row.map((value, i) => formatCell(value, names[i], options)));
  const right = names.map((_, i) => values.every((row) => typeof row[i] === "number"));
  const more = rows.length > limit ? `… and ${rows.length - limit} more rows` : "";
  return {
    "text/html": htmlTable({ names, cells, right, caption, more }),
    "text/plain": textTable({ names, cells, right, caption, more }),
  };
}

/** Count, mean, standard deviation, minimum, median and maximum of each column; values that are missing are left out. */
export function describeColumns(rows: readonly Row[], columns: readonly string[]): Row[] {
  const { Series } = loadDanfo();
  const frame = toFrame(rows, columns);
  return columns.map((column) => {
    const values = (frame.column(column).values as number[]).filter(Number.isFinite);
    if (values.length === 0) return { column, count: 0 };
    const statistics = new Series(values).describe();
    const of = (name: string): number =>
      statistics.values[statistics.index.indexOf(name)] as number;
    return {
      column,
      count: values.length,
      mean: of("mean"),
      // danfo divides by n - 1, so one value has none.
      std: values.length > 1 ? of("std") : null,
      min: of("min"),
      median: of("median"),
      max: of("max"),
    };
  });
}

/** One row for each value of `by`: how many rows have it, and the mean of each of the `columns` there. */
export function groupMeans(rows: readonly Row[], by: string, columns: readonly string[]): Row[] {
  if (rows.length === 0) return [];
  const frame = toFrame(
    rows.map((row) => ({ ...row, [by]: String(row[by]), n: 1 })),
    [by, "n", ...columns],
  );
  const groups = frame
    .groupby([by])
    .agg({ n: "count", ...Object.fromEntries(columns.map((column) => [column, "mean"])) });
  return (groups.values as unknown[][]).map(([name, n, ...means]) => ({
    [by]: name,
    n,
    ...Object.fromEntries(columns.map((column, i) => [column, means[i]])),
  }));
}

function formatCell(value: unknown, column: string, options: TableOptions): string {
  if (typeof value !== "number")
    return value === true ? "yes" : value === false ? "no" : String(value);
  if (!Number.isFinite(value)) return "–";
  if (options.percent?.includes(column)) return `${(100 * value).toFixed(1)} %`;
  if (Number.isInteger(value)) return String(value);
  const digits = options.digits ?? 3;
  return value !== 0 && Math.abs(value) < 10 ** -digits
    ? value.toExponential(2)
    : value.toFixed(digits);
}

interface Cells {
  names: string[];
  cells: string[][];
  /** Which columns hold numbers and stand to the right. */
  right: boolean[];
  caption?: string;
  more: string;
}

function htmlTable({ names, cells, right, caption, more }: Cells): string {
  const cell = (tag: "th" | "td", text: string, i: number): string =>
    `<${tag} style="text-align:${right[i] ? "right" : "left"};padding:3px 10px">${escapeMarkup(text)}</${tag}>`;
  const line = (tag: "th" | "td", row: string[]): string =>
    `<tr>${row.map((text, i) => cell(tag, text, i)).join("")}</tr>`;
  return (
    `<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">` +
    (caption
      ? `<caption style="text-align:left;padding:4px 10px">${escapeMarkup(caption)}</caption>`
      : "") +
    `<thead>${line("th", names)}</thead>` +
    `<tbody>${cells.map((row) => line("td", row)).join("")}</tbody></table>` +
    (more ? `<div>${more}</div>` : "")
  );
}

function textTable({ names, cells, right, caption, more }: Cells): string {
  const length = (text: string): number => [...text].length;
  const oneLine = (row: string[]): string[] => row.map((text) => text.replace(/\s*\n\s*/g, " ⏎ "));
  const all = [names, ...cells].map(oneLine);
  const widths = names.map((_, i) => Math.max(...all.map((row) => length(row[i]))));
  const line = (row: string[]): string =>
    row
      .map((text, i) => {
        const space = " ".repeat(widths[i] - length(text));
        return right[i] ? space + text : text + space;
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  const [head, ...body] = all.map(line);
  return [...(caption ? [caption] : []), head, rule, ...body, ...(more ? [more] : [])].join("\n");
}
