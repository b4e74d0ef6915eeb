/**
 * Tables, computed by danfojs-node and shown as HTML and text. The only file that knows danfo.
 *
 * danfo loads tfjs-node, so it is loaded at the first table and after the engine has chosen the one tfjs of the process.
 */
import { join } from "node:path";
import type { DataFrame } from "danfojs-node";
import { describeEngine } from "../engine/backend";
import { fault } from "../engine/errors";
import { writeFileAtomic } from "../engine/files";
import { shownPath } from "../paths";
import { toCsv } from "./csv";
import {
  display,
  displayable,
  escapeMarkup,
  type Displayable,
  type MimeBundle,
  type Surface,
} from "./display";
import { checkFileName, fileNameOf, type SaveAs } from "./save-as";

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
  const names = columnsOf("toFrame", rows, columns);
  const values = names.map((name) => columnValues(rows.map((row) => row[name])));
  const data = rows.map((_, i) => values.map((column) => column[i]));
  const { DataFrame } = loadDanfo();
  return new DataFrame(data, { columns: names });
}

function columnsOf(where: string, rows: readonly Row[], wanted?: readonly string[]): string[] {
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const missing = wanted?.find((column) => rows.length > 0 && !known.includes(column));
  if (missing !== undefined) {
    throw fault(where, `no row has a column "${missing}"`, { expected: known.join(", ") });
  }
  return [...(wanted ?? known)];
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

/**
 * Shows the rows as a table; with `save`, writes them to files as well and says where.
 * @throws LabError naming a column that no row has
 */
export async function showTable(
  rows: readonly Row[],
  options: TableOptions & { save?: SaveAs; surface?: Surface } = {},
): Promise<void> {
  const { save, surface } = options;
  const bundle = tableBundle(rows, options);
  if (save !== undefined) {
    const { csv } = saveTable(rows, save.folder, save.name, options);
    const where = `saved as ${shownPath(csv)} (also json)`;
    bundle["text/plain"] += `\n${where}`;
    bundle["text/html"] += `<div>${escapeMarkup(where)}</div>`;
  }
  await display(bundle, { surface });
}

/**
 * Writes all rows to `name`.csv and `name`.json in `folder`, each whole or not at all, numbers unrounded.
 * @throws LabError when `name` is not a plain file name, or naming a column that no row has
 */
export function saveTable(
  rows: readonly Row[],
  folder: string,
  name: string,
  options: Pick<TableOptions, "columns"> = {},
): { csv: string; json: string } {
  checkFileName("saveTable", name);
  const columns = columnsOf("saveTable", rows, options.columns);
  const saved = { csv: join(folder, `${name}.csv`), json: join(folder, `${name}.json`) };
  const picked = rows.map((row) => Object.fromEntries(columns.map((key) => [key, row[key]])));
  writeFileAtomic(saved.csv, toCsv(rows, columns));
  writeFileAtomic(saved.json, JSON.stringify(picked, null, 2) + "\n");
  return saved;
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
    "text/html":
      htmlTable({ names, cells, right, caption, more }) + csvLink(toCsv(rows, names), caption),
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

/** Rows in more bytes than this are saved by a call, not by a click: a notebook keeps each link. */
const LINK_BYTES = 20_000;

/** A link that downloads all rows without a server; a notebook that is not trusted shows its word alone. */
function csvLink(csv: string, caption = "table"): string {
  if (csv.length > LINK_BYTES) return "";
  const data = Buffer.from(csv).toString("base64");
  return `<div style="font-size:11px;padding:2px 10px"><a download="${fileNameOf(caption)}.csv" href="data:text/csv;charset=utf-8;base64,${data}">CSV</a></div>`;
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
