/** Figures as plotly's JSON, which JupyterLab's plotly renderer and the saved HTML page make interactive. */
import { checkFigure, colours, type Axis, type Figure, type Line } from "./chart";
import { fileNameOf } from "./save-as";

/** What `Plotly.newPlot` takes; a plain object, as the renderer refuses a string. */
export interface PlotlyFigure {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
  config: Record<string, unknown>;
}

export interface PlotlyOptions {
  heading?: string;
  columns: number;
  /** Size of the whole in pixels. */
  width: number;
  height: number;
}

/**
 * Draws the figures as a grid of subplots.
 * @throws LabError when a series' arrays differ in length
 */
export function toPlotly(figures: readonly Figure[], options: PlotlyOptions): PlotlyFigure {
  const rows = Math.ceil(figures.length / options.columns);
  const data: PlotlyFigure["data"] = [];
  const layout: PlotlyFigure["layout"] = {
    width: options.width,
    height: options.height,
    paper_bgcolor: "#FFFFFF",
    plot_bgcolor: "#FFFFFF",
    font: { family: "DejaVu Sans, Verdana, sans-serif", size: 13, color: "#222222" },
    margin: { l: 56, r: 20, t: options.heading === undefined ? 24 : 52, b: 48 },
    barmode: "group",
    hovermode: figures.some(({ bars }) => bars) ? "closest" : "x unified",
    annotations: [] as unknown[],
    shapes: [] as unknown[],
  };
  if (options.heading !== undefined) {
    layout.title = { text: plain(options.heading), x: 0.01, xanchor: "left", font: { size: 14 } };
  }
  figures.forEach((figure, i) => {
    checkFigure("toPlotly", figure);
    const column = i % options.columns;
    const row = Math.floor(i / options.columns);
    addPanel(data, layout, figure, {
      suffix: i === 0 ? "" : String(i + 1),
      x: cell(column, options.columns, 0.08),
      // plotly counts from the bottom; the upper part of each cell holds its title and legend.
      y: shrink(cell(rows - 1 - row, rows, 0.14), 0.2),
    });
  });
  return { data, layout, config: toolbar(fileNameOf(figures[0].title)) };
}

/** What the toolbar above a graph offers. */
export function toolbar(filename: string): PlotlyFigure["config"] {
  return {
    displaylogo: false,
    // By default a button would send the figure to plotly's servers.
    showSendToCloud: false,
    // The camera saves what scales; a right click on the picture that stands there first saves a PNG.
    toImageButtonOptions: { format: "svg", filename },
    modeBarButtonsToAdd: ["downloadjson"],
  };
}

interface Place {
  suffix: string;
  x: [number, number];
  y: [number, number];
}

function addPanel(
  data: PlotlyFigure["data"],
  layout: PlotlyFigure["layout"],
  figure: Figure,
  { suffix, x, y }: Place,
): void {
  const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, legend: `legend${suffix}` };
  const shades = colours(figure.lines ?? figure.bars?.series ?? []);
  figure.lines?.forEach((line, s) => data.push(...lineTraces(line, shades[s], axes)));
  figure.bars?.series.forEach(({ name, values, low, high }, s) => {
    data.push({
      type: "bar",
      name: plain(name),
      x: figure.bars?.groups.map(plain),
      y: values.map(finite),
      marker: { color: shades[s] },
      ...axes,
      ...(low && high
        ? {
            error_y: {
              type: "data",
              symmetric: false,
              array: values.map((value, g) => finite(high[g] - value)),
              arrayminus: values.map((value, g) => finite(value - low[g])),
              thickness: 1.5,
            },
          }
        : {}),
    });
  });
  layout[`xaxis${suffix}`] = {
    ...axis(figure.x),
    domain: x,
    anchor: `y${suffix}`,
    showgrid: false,
  };
  layout[`yaxis${suffix}`] = { ...axis(figure.y), domain: y, anchor: `x${suffix}` };
  layout[`legend${suffix}`] = {
    orientation: "h",
    x: x[0],
    xanchor: "left",
    y: y[1],
    yanchor: "bottom",
    bgcolor: "rgba(255,255,255,0)",
  };
  const annotations = layout.annotations as unknown[];
  const subtitle = figure.subtitle ? `<br><sup>${plain(figure.subtitle)}</sup>` : "";
  annotations.push({
    text: `<b>${plain(figure.title)}</b>${subtitle}`,
    showarrow: false,
    align: "left",
    xref: "paper",
    yref: "paper",
    x: x[0],
    xanchor: "left",
    y: y[1],
    yanchor: "bottom",
    yshift: 26,
    font: { size: 15 },
  });
  for (const { axis: along, at, label } of figure.references ?? []) {
    const [across, value] = along === "y" ? (["x", "y"] as const) : (["y", "x"] as const);
    (layout.shapes as unknown[]).push({
      type: "line",
      [`${across}ref`]: `${across}${suffix} domain`,
      [`${across}0`]: 0,
      [`${across}1`]: 1,
      [`${value}ref`]: `${value}${suffix}`,
      [`${value}0`]: at,
      [`${value}1`]: at,
      line: { color: "#222222", width: 1, dash: "dot" },
    });
    annotations.push({
      text: plain(label),
      showarrow: false,
      [`${across}ref`]: `${across}${suffix} domain`,
      [across]: 1,
      [`${across}anchor`]: along === "y" ? "right" : "top",
      [`${value}ref`]: `${value}${suffix}`,
      [value]: at,
      [`${value}anchor`]: along === "y" ? "bottom" : "left",
      font: { size: 11 },
    });
  }
}

function lineTraces(
  line: Line,
  colour: string,
  axes: Record<string, string>,
): PlotlyFigure["data"] {
  const group = { ...axes, legendgroup: `${axes.xaxis}/${line.name}`, x: [...line.x] };
  const traces: PlotlyFigure["data"] = [];
  if (line.low && line.high) {
    const edge = { type: "scatter", mode: "lines", showlegend: false, hoverinfo: "skip", ...group };
    traces.push(
      { ...edge, y: line.low.map(finite), line: { width: 0 } },
      {
        ...edge,
        y: line.high.map(finite),
        line: { width: 0 },
        fill: "tonexty",
        fillcolor: `${colour}29`,
      },
    );
  }
  traces.push({
    type: "scatter",
    mode: line.x.length <= 12 ? "lines+markers" : "lines",
    name: plain(line.name),
    ...group,
    y: line.y.map(finite),
    opacity: line.faint ? 0.3 : 1,
    showlegend: !line.faint,
    ...(line.faint ? { hoverinfo: "skip" } : {}),
    line: { color: colour, width: line.faint ? 1 : 2, dash: line.dash ? "dash" : "solid" },
  });
  return traces;
}

function axis({ title, min, max, format }: Axis): Record<string, unknown> {
  return {
    title: { text: plain(title), font: { size: 11 } },
    gridcolor: "#E3E6EA",
    zeroline: false,
    automargin: true,
    ...(format === "percent" ? { tickformat: ".0%" } : {}),
    ...(min !== undefined && max !== undefined ? { range: [min, max] } : {}),
    ...(min === 0 && max === undefined ? { rangemode: "tozero" } : {}),
  };
}

/** The share `[start, end]` of the whole that the `index`-th of `count` cells takes, with gaps between them. */
function cell(index: number, count: number, gap: number): [number, number] {
  const size = (1 - gap * (count - 1)) / count;
  return [index * (size + gap), Math.min(1, index * (size + gap) + size)];
}

function shrink([low, high]: [number, number], share: number): [number, number] {
  return [low, high - (high - low) * share];
}

/** Five digits, which is more than a screen shows. JSON has no NaN, and plotly leaves a gap at `null`. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
}

/** plotly reads a few HTML tags in texts; names are no markup. */
export function plain(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
