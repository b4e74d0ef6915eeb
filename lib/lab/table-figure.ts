/**
 * A table that is a figure: plotly's interactive form, a picture for readers that show no HTML, the cells as text.
 * `tables.ts` shows data frames; this one has sections, footnotes and cells of several lines, and can be printed.
 */
import sharp from "sharp";
import { fault } from "../engine/errors";
import { display, type MimeBundle, type Surface } from "./display";
import { PLOTLY_MIME } from "./figure";
import { plain, toolbar, type PlotlyFigure } from "./plotly-chart";
import { fileNameOf } from "./save-as";
import { INK, label, MUTED, widthOf } from "./svg-text";

/** A heading over the rows that follow, or a row of one text a column. */
export type TableLine =
  | { section: string; cells?: undefined }
  | { section?: undefined; cells: string[]; strong?: boolean };

export interface TableFigure {
  title: string;
  subtitle?: string;
  columns: string[];
  lines: TableLine[];
  /** What stands below the table. */
  notes?: readonly string[];
}

const SIZE = 11.5;
const LINE = 16;
const PAD = 10;
/** Headings are bold, and that much wider. */
const BOLD = 1.1;
const WIDEST_NOTE = 1080;
const SECTION = "#EEF1F4";
const STRONG = "#FFF4E5";

/** Plotly JSON, PNG and text in one bundle. @throws LabError when a row has another number of cells than there are columns */
export async function tableFigureBundle(figure: TableFigure): Promise<MimeBundle> {
  for (const { cells } of figure.lines) {
    if (cells === undefined || cells.length === figure.columns.length) continue;
    throw fault("tableFigure", `row "${cells[0]}" does not fit the columns`, {
      got: cells.length,
      expected: `${figure.columns.length} cells`,
    });
  }
  const svg = Buffer.from(renderTable(figure));
  const png = await sharp(svg, { density: 90 })
    .png({ compressionLevel: 9, palette: true, colours: 4, dither: 0 })
    .toBuffer();
  return {
    [PLOTLY_MIME]: plotlyTable(figure),
    "image/png": png.toString("base64"),
    "text/plain": describeTable(figure),
  };
}

/** Shows the table in the cell. */
export async function showTableFigure(
  figure: TableFigure,
  { surface }: { surface?: Surface } = {},
): Promise<void> {
  await display(await tableFigureBundle(figure), { surface });
}

/** Where each column begins and how wide it is; the last entry is the width of all. */
function layOut({ columns, lines }: TableFigure): { left: number[]; width: number } {
  const left: number[] = [];
  let x = PAD;
  columns.forEach((column, i) => {
    left.push(x);
    const cells = lines.flatMap((line) => line.cells?.[i].split("\n") ?? []);
    const widest = Math.max(
      BOLD * widthOf(column, SIZE),
      ...cells.map((text) => widthOf(text, SIZE)),
    );
    x += widest + 2 * PAD;
  });
  return { left, width: Math.ceil(x) };
}

/** The table as one SVG document. */
export function renderTable(figure: TableFigure): string {
  const { left, width: wide } = layOut(figure);
  const notes = wrappedNotes(figure, wide);
  const width = Math.max(
    wide,
    widthOf(figure.title, 16) + 2 * PAD,
    ...[figure.subtitle ?? "", ...notes].map((text) => widthOf(text, SIZE) + 2 * PAD),
  );
  const parts: string[] = [];
  const write = (text: string, x: number, y: number, bold = false, fill = INK): void =>
    void parts.push(label({ text, x, y, size: SIZE, fill, bold }));
  parts.push(label({ text: figure.title, x: PAD, y: 24, size: 15, fill: INK, bold: true }));
  let y = 24;
  if (figure.subtitle !== undefined) write(figure.subtitle, PAD, (y += 20), false, MUTED);
  y += 26;
  figure.columns.forEach((column, i) => write(column, left[i], y, true));
  y += 8;
  const bar = (height: number, fill: string): void =>
    void parts.push(`<rect x="0" y="${y}" width="${width}" height="${height}" fill="${fill}"/>`);
  bar(1, MUTED);
  y += 2;
  for (const line of figure.lines) {
    const rows = line.cells?.map((cell) => cell.split("\n")) ?? [];
    const height = LINE * Math.max(1, ...rows.map((texts) => texts.length)) + 4;
    if (line.section !== undefined) {
      bar(height, SECTION);
      write(line.section, PAD, y + LINE - 2, true, MUTED);
    } else if (line.strong) bar(height, STRONG);
    rows.forEach((texts, i) =>
      texts.forEach((text, t) =>
        write(
          text,
          left[i],
          y + LINE * (t + 1) - 2,
          t === 0 && line.cells !== undefined && line.strong,
        ),
      ),
    );
    y += height;
  }
  bar(1, MUTED);
  y += 6;
  for (const note of notes) write(note, PAD, (y += LINE), false, MUTED);
  const height = y + 14;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${height}" role="img">` +
    `<rect width="100%" height="100%" fill="#FFFFFF"/>${parts.join("")}</svg>`
  );
}

/** Notes are as wide as the table, within reason. */
function wrappedNotes({ notes = [] }: TableFigure, width: number): string[] {
  const room = Math.min(WIDEST_NOTE, Math.max(width, 600) - 2 * PAD);
  return notes.flatMap((note) => wrap(note, room));
}

function wrap(text: string, room: number): string[] {
  const out = [""];
  for (const word of text.split(" ")) {
    const longer = `${out[out.length - 1]} ${word}`.trim();
    if (widthOf(longer, SIZE) <= room) out[out.length - 1] = longer;
    else out.push(word);
  }
  return out;
}

function plotlyTable(figure: TableFigure): PlotlyFigure {
  const { left, width } = layOut(figure);
  const shown = (text: string): string => plain(text).replaceAll("\n", "<br>");
  const rows = figure.lines.map(({ section, cells }) =>
    section === undefined
      ? (cells ?? []).map(shown)
      : figure.columns.map((_, i) => (i === 0 ? `<i>${shown(section)}</i>` : "")),
  );
  const fills = figure.lines.map((line) =>
    line.section !== undefined ? SECTION : line.strong ? STRONG : "#FFFFFF",
  );
  const tall = figure.lines.reduce(
    (sum, { cells }) =>
      sum + 8 + LINE * Math.max(1, ...(cells ?? [""]).map((c) => c.split("\n").length)),
    0,
  );
  const notes = wrappedNotes(figure, width);
  return {
    data: [
      {
        type: "table",
        columnwidth: left.map((x, i) => (left[i + 1] ?? width) - x),
        header: {
          values: figure.columns.map((column) => `<b>${plain(column)}</b>`),
          align: "left",
        },
        cells: {
          values: figure.columns.map((_, i) => rows.map((row) => row[i])),
          align: "left",
          fill: { color: [fills] },
          font: { size: 12, color: INK },
        },
      },
    ],
    config: toolbar(fileNameOf(figure.title)),
    layout: {
      title: {
        text: `<b>${plain(figure.title)}</b><br><sup>${plain(figure.subtitle ?? "")}</sup>`,
        x: 0.01,
      },
      width: Math.max(width, 720) * 1.25,
      height: tall + 130 + 18 * notes.length,
      margin: { l: 10, r: 10, t: 70, b: 20 + 18 * notes.length },
      font: { family: "DejaVu Sans, Verdana, sans-serif", size: 12, color: INK },
      annotations: notes.map((note, i) => ({
        ...{ text: plain(note), showarrow: false, xref: "paper", yref: "paper", x: 0, y: 0 },
        ...{
          xanchor: "left",
          yanchor: "top",
          yshift: -8 - 18 * i,
          font: { size: 11, color: MUTED },
        },
      })),
    },
  };
}

/** The table as aligned text, cells on one line. */
export function describeTable({
  title,
  subtitle,
  columns,
  lines,
  notes = [],
}: TableFigure): string {
  const flat = lines.map(({ cells }) => cells?.map((cell) => cell.replaceAll("\n", " ")));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...flat.map((cells) => cells?.[i].length ?? 0)),
  );
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd();
  const body = lines.map(({ section }, i) =>
    section === undefined ? row(flat[i] ?? []) : `── ${section}`,
  );
  return [
    title,
    ...(subtitle === undefined ? [] : [subtitle]),
    row(columns),
    ...body,
    ...notes,
  ].join("\n");
}
