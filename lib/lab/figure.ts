/** Shows figures and saves them: interactive where plotly is, a picture where it is not, and the numbers as text always. */
import { copyFileSync, existsSync, linkSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { writeFileAtomic } from "../engine/files";
import { shownPath } from "../paths";
import { describeFigure, figureRows, type Figure } from "./chart";
import { display, escapeMarkup, type MimeBundle, type Surface } from "./display";
import { toCsv } from "./csv";
import { toPlotly, type PlotlyFigure } from "./plotly-chart";
import { checkFileName, type SaveAs } from "./save-as";
import { gridSize, renderSvg, type SvgOptions } from "./svg-chart";

/** The MIME type of JupyterLab's plotly renderer (PyPI `plotly`). */
export const PLOTLY_MIME = "application/vnd.plotly.v1+json";

/**
 * Pixels of a picture for each of the figure's. The interactive form is as large, because JupyterLab shows the picture first
 * and puts the graph in its place when the mouse comes near: nothing may jump then.
 */
const SCALE = 1.25;

/** One figure or a grid of them, and how the grid is laid out. */
export interface FigureOptions extends SvgOptions {
  /** The first line of the text form. */
  summary?: string;
}

/** The figures as a picture, `scale` times as many pixels as the figure's size: 1.25 unless told otherwise. */
export async function renderPng(
  figures: Figure | readonly Figure[],
  options: FigureOptions & { scale?: number } = {},
): Promise<Buffer> {
  const svg = Buffer.from(renderSvg(figures, options));
  return sharp(svg, { density: 72 * (options.scale ?? SCALE) })
    .png({ compressionLevel: 9, palette: true, colours: 16 })
    .toBuffer();
}

/** The figures as `{ data, layout, config }` for plotly. */
export function plotlyFigure(
  figures: Figure | readonly Figure[],
  options: FigureOptions = {},
): PlotlyFigure {
  const panels = many(figures);
  const grid = gridSize(panels, options);
  return toPlotly(panels, {
    heading: options.heading,
    columns: grid.columns,
    width: SCALE * grid.columns * grid.width,
    height: SCALE * (grid.top + grid.rows * grid.height),
  });
}

/** All forms in one bundle: plotly JSON, PNG, and the numbers in words. */
export async function figureBundle(
  figures: Figure | readonly Figure[],
  options: FigureOptions = {},
): Promise<MimeBundle> {
  const text = many(figures).map(describeFigure);
  const head = options.summary ?? options.heading;
  return {
    [PLOTLY_MIME]: plotlyFigure(figures, options),
    "image/png": (await renderPng(figures, options)).toString("base64"),
    "text/plain": (head === undefined ? text : [head, ...text]).join("\n"),
  };
}

/** Shows the figures in the cell; with `save`, writes them to files as well and says where. */
export async function showFigure(
  figures: Figure | readonly Figure[],
  options: FigureOptions & { save?: SaveAs; surface?: Surface } = {},
): Promise<void> {
  const { save, surface } = options;
  const bundle = await figureBundle(figures, options);
  if (save !== undefined) {
    const saved = await saveFigure(figures, save.folder, save.name, options);
    bundle["text/plain"] += `\n  saved as ${shownPath(saved.png)} (also svg, json, csv, html)`;
  }
  await display(bundle, { surface });
}

/** The files that {@link saveFigure} wrote. */
export interface SavedFigure {
  svg: string;
  png: string;
  /** plotly's `{ data, layout, config }`. */
  json: string;
  /** One line a point or bar, see {@link figureRows}. */
  csv: string;
  /** An interactive page that needs no network: the folder holds plotly.js beside it. */
  html: string;
}

/**
 * Writes `name`.svg, .png, .json, .csv and .html into `folder`, each whole or not at all.
 * @throws LabError when `name` is not a plain file name, or the folder cannot be written
 */
export async function saveFigure(
  figures: Figure | readonly Figure[],
  folder: string,
  name: string,
  options: FigureOptions = {},
): Promise<SavedFigure> {
  checkFileName("saveFigure", name);
  const path = (ending: string): string => join(folder, `${name}.${ending}`);
  const saved = {
    ...{ svg: path("svg"), png: path("png") },
    ...{ json: path("json"), csv: path("csv"), html: path("html") },
  };
  const json = JSON.stringify(plotlyFigure(figures, options));
  writeFileAtomic(saved.svg, renderSvg(figures, options));
  writeFileAtomic(saved.png, await renderPng(figures, options));
  writeFileAtomic(saved.json, json + "\n");
  writeFileAtomic(saved.csv, toCsv(many(figures).flatMap(figureRows)));
  writeFileAtomic(saved.html, page(many(figures)[0].title, json));
  placePlotly(folder);
  return saved;
}

function page(title: string, json: string): string {
  // Inside a script element only "<" can end it; JSON may hold it as an escape.
  const figure = json.replace(/</g, "\\u003c");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeMarkup(title)}</title>
<script src="plotly.js"></script>
<div id="figure"></div>
<script>
const figure = ${figure};
Plotly.newPlot("figure", figure.data, figure.layout, { ...figure.config, responsive: true });
</script>
</html>
`;
}

/** Puts plotly.js into the folder once, as a link where the file system allows: it has 10 MB. */
function placePlotly(folder: string): void {
  const target = join(folder, "plotly.js");
  if (existsSync(target)) return;
  const source = join(dirname(require.resolve("plotly.js-dist/package.json")), "plotly.js");
  mkdirSync(folder, { recursive: true });
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target);
  }
}

function many(figures: Figure | readonly Figure[]): readonly Figure[] {
  return Array.isArray(figures) ? (figures as readonly Figure[]) : [figures as Figure];
}
