/**
 * Draws figures as SVG: curves with bands, grouped bars with intervals, reference lines.
 *
 * plotly.js needs a browser to draw, so the live frames and the pictures in saved notebooks come from here.
 */
import {
  checkFigure,
  colours,
  extent,
  formatNumber,
  formatTick,
  ticks,
  type Axis,
  type Bars,
  type Figure,
  type Line,
} from "./chart";
import { escapeMarkup } from "./display";
import { at, clip, drawLegend, fit, INK, label, MUTED, widthOf } from "./svg-text";

export interface SvgOptions {
  /** A line above all panels. */
  heading?: string;
  /** Panels in a row; by default two when there are at least two. */
  columns?: number;
}

/** Two panels beside each other fit a notebook in a window of 1400 pixels whose file browser is open. */
export const PANEL = { width: 380, height: 240 };

const GRID = "#E3E6EA";
const HEADING = 30;
/** Characters of a bar group's name when the names must be slanted, and their angle. */
const SLANTED = 24;
const SLANT = 28;

/** The width and height that `figures` take as a grid of panels. */
export function gridSize(figures: readonly Figure[], options: SvgOptions = {}): Grid {
  const columns = Math.max(1, Math.min(options.columns ?? 2, figures.length));
  const usual = columns === 1 ? { width: 720, height: 360 } : PANEL;
  const width = Math.max(...figures.map((figure) => figure.width ?? usual.width));
  const height = Math.max(...figures.map((figure) => figure.height ?? usual.height));
  const rows = Math.ceil(figures.length / columns);
  const top = options.heading === undefined ? 0 : HEADING;
  return { columns, rows, width, height, top };
}

interface Grid {
  columns: number;
  rows: number;
  /** Size of one panel. */
  width: number;
  height: number;
  /** Room for the heading. */
  top: number;
}

/**
 * The figures as one SVG document, panels side by side.
 * @throws LabError when a series' arrays differ in length
 */
export function renderSvg(figures: Figure | readonly Figure[], options: SvgOptions = {}): string {
  const panels: readonly Figure[] = isMany(figures) ? figures : [figures];
  const grid = gridSize(panels, options);
  const [width, height] = [grid.columns * grid.width, grid.top + grid.rows * grid.height];
  const parts = panels.map((figure, i) => {
    const x = (i % grid.columns) * grid.width;
    const y = grid.top + Math.floor(i / grid.columns) * grid.height;
    return `<g transform="translate(${x} ${y})">${panel(figure, grid.width, grid.height)}</g>`;
  });
  if (options.heading !== undefined) {
    parts.unshift(
      label({ text: fit(options.heading, 14, width), x: 16, y: 22, size: 14, fill: MUTED }),
    );
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"` +
    ` viewBox="0 0 ${width} ${height}" role="img">` +
    `<title>${escapeMarkup(panels.map(({ title }) => title).join(", "))}</title>` +
    `<rect width="${width}" height="${height}" fill="#FFFFFF"/>${parts.join("")}</svg>`
  );
}

function isMany(figures: Figure | readonly Figure[]): figures is readonly Figure[] {
  return Array.isArray(figures);
}

/** The plot's rectangle and the two scales from data to pixels. */
interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
  xRange: [number, number];
  yRange: [number, number];
  toX(value: number): number;
  toY(value: number): number;
}

function panel(figure: Figure, width: number, height: number): string {
  checkFigure("renderSvg", figure);
  const parts = [
    label({ text: fit(figure.title, 15, width), x: 16, y: 24, size: 15, fill: INK, bold: true }),
  ];
  let top = 24;
  if (figure.subtitle) {
    parts.push(
      label({
        text: fit(figure.subtitle, 11.5, width),
        x: 16,
        y: (top += 18),
        size: 11.5,
        fill: MUTED,
      }),
    );
  }
  const drawn = (figure.lines ?? figure.bars?.series ?? []) as readonly Line[];
  const shades = colours(drawn);
  const entries = drawn.flatMap(({ name, faint }, i) => (faint ? [] : [{ name, fill: shades[i] }]));
  if (entries.length > 1 || entries[0]?.name !== figure.title) {
    const legend = drawLegend(entries, width - 32, top + 21);
    parts.push(legend.svg);
    top = legend.bottom;
  }
  if (figure.y.title) {
    parts.push(label({ text: figure.y.title, x: 16, y: (top += 20), size: 11, fill: MUTED }));
  }

  const slant = figure.bars ? slantRoom(figure.bars, width - 80) : 0;
  const frame = makeFrame(figure, {
    left: 16,
    right: width - 18,
    top: top + 12,
    bottom: height - (figure.x.title ? 44 : 28) - slant,
  });
  parts.push(horizontalGrid(figure.y, frame));
  if (figure.lines) {
    parts.push(
      verticalTicks(figure.x, frame),
      ...figure.lines.map((l, i) => curve(l, shades[i], frame)),
    );
  }
  if (figure.bars) parts.push(bars(figure.bars, figure.y, shades, frame, slant > 0));
  parts.push(references(figure, frame));
  if (figure.x.title) {
    const middle = (frame.left + frame.right) / 2;
    parts.push(
      label({
        text: figure.x.title,
        x: middle,
        y: height - 10,
        size: 11,
        fill: MUTED,
        anchor: "middle",
      }),
    );
  }
  return parts.join("");
}

function makeFrame(
  figure: Figure,
  box: { left: number; right: number; top: number; bottom: number },
): Frame {
  const at = (axis: "x" | "y"): number[] =>
    (figure.references ?? []).filter((line) => line.axis === axis).map((line) => line.at);
  const series = figure.lines ?? figure.bars?.series ?? [];
  const values = series.flatMap((s) => [
    ...("values" in s ? s.values : s.y),
    ...(s.low ?? []),
    ...(s.high ?? []),
  ]);
  // Bars are compared by their lengths, so they start at zero.
  const fromZero = figure.bars && values.every((value) => !(value < 0));
  const [low, high] = extent([...values, ...at("y"), ...(fromZero ? [0] : [])], {
    ...figure.y,
    min: figure.y.min ?? (fromZero ? 0 : undefined),
  });
  const [from, to] = extent([...(figure.lines ?? []).flatMap((l) => l.x), ...at("x")], figure.x, 0);
  const widest = Math.max(
    ...ticks(low, high).map((v) => widthOf(formatTick(v, figure.y.format), 11)),
  );
  const left = box.left + widest + 8;
  return {
    ...box,
    left,
    xRange: [from, to],
    yRange: [low, high],
    toX: (value) => left + ((value - from) / (to - from)) * (box.right - left),
    toY: (value) => box.bottom - ((value - low) / (high - low)) * (box.bottom - box.top),
  };
}

function horizontalGrid(axis: Axis, frame: Frame): string {
  return ticks(...frame.yRange)
    .map((value) => {
      const y = frame.toY(value);
      const text = formatTick(value, axis.format);
      return (
        `<path d="M${at(frame.left)} ${at(y)}H${at(frame.right)}" stroke="${GRID}" stroke-width="1"/>` +
        label({ text, x: frame.left - 8, y: y + 4, size: 11, fill: MUTED, anchor: "end" })
      );
    })
    .join("");
}

function verticalTicks(axis: Axis, frame: Frame): string {
  const marks = ticks(...frame.xRange, Math.max(2, Math.round((frame.right - frame.left) / 70)));
  const base = `<path d="M${at(frame.left)} ${at(frame.bottom)}H${at(frame.right)}" stroke="${MUTED}"/>`;
  return (
    base +
    marks
      .map((value) => {
        const x = frame.toX(value);
        const text = formatTick(value, axis.format);
        return (
          `<path d="M${at(x)} ${at(frame.bottom)}v4" stroke="${MUTED}"/>` +
          label({ text, x, y: frame.bottom + 17, size: 11, fill: MUTED, anchor: "middle" })
        );
      })
      .join("")
  );
}

function curve(line: Line, colour: string, frame: Frame): string {
  const inside = (y: number): number => Math.min(frame.bottom, Math.max(frame.top, frame.toY(y)));
  const { low, high } = line;
  let svg = "";
  if (low && high) {
    for (const run of runs(line.x, line.y, low, high)) {
      const there = run.map((i) => `${at(frame.toX(line.x[i]))} ${at(inside(high[i]))}`);
      const back = run.map((i) => `${at(frame.toX(line.x[i]))} ${at(inside(low[i]))}`).reverse();
      svg += `<path d="M${[...there, ...back].join("L")}Z" fill="${colour}" fill-opacity="0.16"/>`;
    }
  }
  const style =
    `stroke="${colour}" stroke-width="${line.faint ? 1 : 2}" fill="none" stroke-linejoin="round"` +
    (line.faint ? ' stroke-opacity="0.3"' : "") +
    (line.dash ? ' stroke-dasharray="6 4"' : "");
  for (const run of runs(line.x, line.y)) {
    const points = thin(run, line.y).map(
      (i) => `${at(frame.toX(line.x[i]))} ${at(inside(line.y[i]))}`,
    );
    svg += `<path d="M${points.join("L")}" ${style}/>`;
    // A curve of few points shows where they are; the last point of a longer one says where it has got to.
    const dots = line.faint ? [] : run.length <= 12 ? points : points.slice(-1);
    svg += dots
      .map((point) => `<circle cx="${point.replace(" ", '" cy="')}" r="3" fill="${colour}"/>`)
      .join("");
  }
  return svg;
}

/** Indices of the unbroken stretches in which every array is finite. */
function runs(...arrays: readonly (readonly number[])[]): number[][] {
  const out: number[][] = [];
  let open = false;
  arrays[0].forEach((_, i) => {
    if (!arrays.every((array) => Number.isFinite(array[i]))) {
      open = false;
      return;
    }
    if (!open) out.push([]);
    open = true;
    out[out.length - 1].push(i);
  });
  return out;
}

/** At most about 800 of the indices, with the lowest and highest of each stretch kept so that no spike is lost. */
function thin(indices: readonly number[], y: readonly number[]): readonly number[] {
  const size = Math.ceil(indices.length / 400);
  if (size <= 2) return indices;
  const kept = new Set([indices[0], indices[indices.length - 1]]);
  for (let start = 0; start < indices.length; start += size) {
    const bucket = indices.slice(start, start + size);
    kept.add(bucket.reduce((best, i) => (y[i] < y[best] ? i : best)));
    kept.add(bucket.reduce((best, i) => (y[i] > y[best] ? i : best)));
  }
  return [...kept].sort((a, b) => a - b);
}

function bars(data: Bars, axis: Axis, shades: string[], frame: Frame, slanted: boolean): string {
  const band = (frame.right - frame.left) / Math.max(1, data.groups.length);
  const width = Math.min(56, (band * 0.76) / Math.max(1, data.series.length));
  const zero = Math.min(frame.bottom, Math.max(frame.top, frame.toY(0)));
  const named = width >= 20;
  const parts: string[] = [];
  data.groups.forEach((group, g) => {
    const middle = frame.left + (g + 0.5) * band;
    const start = middle - (width * data.series.length) / 2;
    data.series.forEach(({ values, low, high }, s) => {
      if (!Number.isFinite(values[g])) return;
      const x = start + s * width;
      const y = frame.toY(values[g]);
      const [top, tall] = [Math.min(y, zero), Math.abs(zero - y)];
      const fill = shades[s];
      parts.push(
        `<rect x="${at(x + 1)}" y="${at(top)}" width="${at(width - 2)}" height="${at(tall)}" fill="${fill}" fill-opacity="0.85"/>`,
      );
      let above = top;
      if (low && high && Number.isFinite(low[g]) && Number.isFinite(high[g])) {
        const [a, b, c] = [frame.toY(high[g]), frame.toY(low[g]), x + width / 2];
        const cap = Math.min(5, width / 4);
        above = Math.min(above, a);
        parts.push(
          `<path d="M${at(c)} ${at(a)}V${at(b)}M${at(c - cap)} ${at(a)}h${at(2 * cap)}M${at(c - cap)} ${at(b)}h${at(2 * cap)}" stroke="${INK}" stroke-width="1.5" fill="none"/>`,
        );
      }
      if (named) {
        const text = formatNumber(values[g], axis.format).replace(" %", "");
        parts.push(
          label({ text, x: x + width / 2, y: above - 5, size: 10.5, fill: INK, anchor: "middle" }),
        );
      }
    });
    parts.push(
      slanted
        ? `<g transform="rotate(-${SLANT} ${at(middle)} ${at(frame.bottom + 14)})">` +
            label({
              text: clip(group, SLANTED),
              x: middle,
              y: frame.bottom + 14,
              size: 11,
              fill: INK,
              anchor: "end",
            }) +
            "</g>"
        : label({
            text: group,
            x: middle,
            y: frame.bottom + 17,
            size: 11,
            fill: INK,
            anchor: "middle",
          }),
    );
  });
  parts.push(`<path d="M${at(frame.left)} ${at(zero)}H${at(frame.right)}" stroke="${MUTED}"/>`);
  return parts.join("");
}

/** Height that slanted names of groups need below level ones; 0 when the names fit side by side. */
function slantRoom(data: Bars, room: number): number {
  const band = room / Math.max(1, data.groups.length);
  if (data.groups.every((group) => widthOf(group, 11) <= band - 6)) return 0;
  const widest = Math.max(...data.groups.map((group) => widthOf(clip(group, SLANTED), 11)));
  return widest * Math.sin((SLANT * Math.PI) / 180);
}

function references(figure: Figure, frame: Frame): string {
  const all = figure.references ?? [];
  return all
    .map(({ axis, at: value, label: text }) => {
      const line = `stroke="${INK}" stroke-width="1" stroke-dasharray="3 3" fill="none"`;
      const wide = widthOf(text, 10.5);
      if (axis === "y") {
        const y = frame.toY(value);
        return (
          `<path d="M${at(frame.left)} ${at(y)}H${at(frame.right)}" ${line}/>` +
          captionOf(text, frame.right - wide, y - 5)
        );
      }
      const x = frame.toX(value);
      const next = all.filter((other) => other.axis === "x" && other.at > value);
      const end = Math.min(frame.right, ...next.map((other) => frame.toX(other.at)));
      return (
        `<path d="M${at(x)} ${at(frame.top)}V${at(frame.bottom)}" ${line}/>` +
        captionOf(text, x + 6 + wide < end ? x + 5 : x - 5 - wide, frame.top + 8)
      );
    })
    .join("");
}

/** Words on a ground of their own, so that they can be read where a curve runs behind them. */
function captionOf(text: string, x: number, y: number): string {
  const ground = `x="${at(x - 2)}" y="${at(y - 10)}" width="${at(widthOf(text, 10.5) + 4)}" height="13"`;
  return (
    `<rect ${ground} fill="#FFFFFF" fill-opacity="0.85"/>` +
    label({ text, x, y, size: 10.5, fill: INK })
  );
}
