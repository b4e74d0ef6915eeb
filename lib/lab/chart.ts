/** One description of a figure, from which the SVG, the PNG and the interactive plotly form are drawn. */
import { fault } from "../engine/errors";

/** Okabe and Ito's colours: told apart with every common form of colour blindness, and in this order also in grey. */
export const PALETTE = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#555555",
  "#8C6D1F",
] as const;

export interface Axis {
  title: string;
  /** Fixed ends; what is left out follows the data. */
  min?: number;
  max?: number;
  /** `percent` shows 0.42 as 42 %. */
  format?: "number" | "percent";
}

/** A curve. All arrays have equal lengths; a value that is not finite is a gap. */
export interface Line {
  name: string;
  x: readonly number[];
  y: readonly number[];
  /** Ends of an interval around each `y`, drawn as a band. */
  low?: readonly number[];
  high?: readonly number[];
  /** A CSS colour of six hex digits; by default the palette's next. */
  colour?: string;
  dash?: boolean;
  /** Thin and pale, and absent from the legend: the raw values under a smoothed curve. */
  faint?: boolean;
}

/** Grouped bars: one value a group and series, with the ends of its interval. */
export interface Bars {
  groups: readonly string[];
  series: readonly {
    name: string;
    values: readonly number[];
    low?: readonly number[];
    high?: readonly number[];
    colour?: string;
  }[];
}

/** A straight line across the plot, with a word on it: a base line, the step where something began. */
export interface Reference {
  axis: "x" | "y";
  at: number;
  label: string;
}

export interface Figure {
  title: string;
  /** What the reader must know to read it: n, seeds, what the intervals are. */
  subtitle?: string;
  x: Axis;
  y: Axis;
  lines?: readonly Line[];
  bars?: Bars;
  references?: readonly Reference[];
  /** Pixels; 720 × 360 unless told otherwise, 380 × 240 beside other panels. */
  width?: number;
  height?: number;
}

/** @throws LabError naming the series whose arrays differ in length, or a figure with nothing to draw */
export function checkFigure(where: string, figure: Figure): void {
  if ((figure.lines === undefined) === (figure.bars === undefined)) {
    throw fault(
      where,
      `figure "${figure.title}" has ${figure.lines ? "lines and bars" : "no data"}`,
      {
        expected: "either lines or bars",
      },
    );
  }
  for (const line of figure.lines ?? []) {
    checkLengths(where, line.name, line.x.length, { y: line.y, low: line.low, high: line.high });
  }
  for (const { name, values, low, high } of figure.bars?.series ?? []) {
    checkLengths(where, name, figure.bars?.groups.length ?? 0, { values, low, high });
  }
}

function checkLengths(
  where: string,
  name: string,
  length: number,
  arrays: Record<string, readonly number[] | undefined>,
): void {
  for (const [key, array] of Object.entries(arrays)) {
    if (array === undefined || array.length === length) continue;
    throw fault(where, `series "${name}": ${key} has the wrong length`, {
      got: array.length,
      expected: `${length} values`,
    });
  }
}

/** The colour of each series: its own, or the palette's next in turn. */
export function colours(series: readonly { colour?: string; faint?: boolean }[]): string[] {
  let next = 0;
  return series.map(({ colour }) => colour ?? PALETTE[next++ % PALETTE.length]);
}

/** Round numbers (1, 2 or 5 times a power of ten) that lie within `[low, high]`, about `count` of them. */
export function ticks(low: number, high: number, count = 5): number[] {
  const step = tickStep(low, high, count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) =>
    // The quotient of whole numbers is exact where a product with 0.1 is not: 3 / 10, never 0.30000000000000004.
    step < 1 ? (first + i) / Math.round(1 / step) : (first + i) * step,
  );
}

function tickStep(low: number, high: number, count: number): number {
  const rough = Math.max(high - low, Number.MIN_VALUE) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) ?? 10;
  return times * power;
}

/** The two ends of an axis that shows all `values`: with some air, a level line in the middle, never empty. */
export function extent(values: readonly number[], axis: Axis, air = 0.06): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  const room = high > low ? (high - low) * air : Math.abs(high) * 0.1 || 0.5;
  const ends: [number, number] = [axis.min ?? low - room, axis.max ?? high + room];
  return ends[1] > ends[0] ? ends : [ends[0], ends[0] + 1];
}

/** A number as a reader wants it: three digits, thousands as k, tiny ones with an exponent. */
export function formatNumber(value: number, format: Axis["format"] = "number"): string {
  if (!Number.isFinite(value)) return "–";
  if (format === "percent") {
    const percent = 100 * value;
    const tiny = percent !== 0 && Math.abs(percent) < 0.1;
    return `${tiny ? trimZeros(percent.toPrecision(2)) : percent.toFixed(1)} %`;
  }
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return trimZeros(value.toExponential(2)).replace("e-", "e−");
  if (size >= 1e9) return value.toExponential(2);
  if (size >= 1e6) return `${trimZeros((value / 1e6).toFixed(2))}M`;
  if (size >= 1e4) return `${trimZeros((value / 1e3).toFixed(1))}k`;
  return trimZeros(size >= 100 ? value.toFixed(1) : value.toPrecision(3)).replace("-", "−");
}

/** As {@link formatNumber}, for the marks of an axis: 40 % and not 40.0 %. */
export function formatTick(value: number, format: Axis["format"]): string {
  return formatNumber(value, format).replace(".0 %", " %");
}

function trimZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

/**
 * The figure's numbers in words, one line a series: what tests, diffs, GitHub and screen readers read.
 * A curve gives its first and last value and its range of x; a bar its value and interval.
 */
export function describeFigure(figure: Figure): string {
  const { x, y } = figure;
  const show = (value: number): string => formatNumber(value, y.format);
  const interval = ({ low, high }: Pick<Line, "low" | "high">, i: number): string =>
    low && high && Number.isFinite(low[i]) && Number.isFinite(high[i])
      ? ` [${show(low[i])}, ${show(high[i])}]`
      : "";
  const out = [figure.subtitle ? `${figure.title} (${figure.subtitle})` : figure.title];
  for (const line of figure.lines ?? []) {
    if (line.faint) continue;
    const at = line.x.map((_, i) => i).filter((i) => Number.isFinite(line.y[i]));
    if (at.length === 0) {
      out.push(`  ${line.name}: no values yet`);
      continue;
    }
    const [from, to] = [at[0], at[at.length - 1]];
    const last = interval(line, to);
    out.push(
      from === to
        ? `  ${line.name}: ${show(line.y[to])}${last} at ${x.title} ${formatNumber(line.x[to])}`
        : `  ${line.name}: ${show(line.y[from])} → ${show(line.y[to])}${last}` +
            `, ${x.title} ${formatNumber(line.x[from])} to ${formatNumber(line.x[to])}`,
    );
  }
  figure.bars?.groups.forEach((group, i) => {
    const values = (figure.bars?.series ?? []).map(
      (series) => `${series.name} ${show(series.values[i])}${interval(series, i)}`,
    );
    out.push(`  ${group}: ${values.join(" · ")}`);
  });
  for (const { axis, at, label } of figure.references ?? []) {
    out.push(`  ${label}: ${formatNumber(at, axis === "y" ? y.format : x.format)}`);
  }
  return out.join("\n");
}

/** A point of a curve (`x` a number) or a bar (`x` its group's name), as a figure's numbers are saved. */
export interface FigureRow {
  figure: string;
  series: string;
  x: number | string;
  y: number;
  low?: number;
  high?: number;
  [column: string]: unknown;
}

/** All numbers of a figure, one row a point or bar, series after series. */
export function figureRows({ title, lines = [], bars }: Figure): FigureRow[] {
  const rows = (
    { name, low, high, faint }: Pick<Line, "name" | "low" | "high" | "faint">,
    xs: readonly (number | string)[],
    ys: readonly number[],
  ): FigureRow[] =>
    xs.map((x, i) => ({
      ...{ figure: title, series: faint ? `${name} (raw)` : name, x, y: ys[i] },
      ...(low && high ? { low: low[i], high: high[i] } : {}),
    }));
  return [
    ...lines.flatMap((line) => rows(line, line.x, line.y)),
    ...(bars?.series ?? []).flatMap((series) => rows(series, bars?.groups ?? [], series.values)),
  ];
}
