/** Repeated measurements in a few numbers, and how near to a straight line a series of them lies. */

/** The middle of `n` measurements, and the smallest and largest of them. */
export interface Spread {
  n: number;
  median: number;
  low: number;
  high: number;
}

/** @param values at least one */
export function spread(values: readonly number[]): Spread {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return { n: values.length, median: median(values), low, high };
}

/** The spread of each measurement's `of`, e.g. of tokens a second where seconds were measured. */
export function spreadOf<T>(measured: readonly T[], of: (one: T) => number): Spread {
  return spread(measured.map(of));
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[upper] : (sorted[upper - 1] + sorted[upper]) / 2;
}

/** The straight line through points by least squares, and the share of y's variance that lies on it. */
export interface StraightLine {
  slope: number;
  intercept: number;
  /** 1 where all points lie on the line; 0 where the line says no more than the mean. */
  r2: number;
}

/** @param x at least two different values @param y as many */
export function straightLine(x: readonly number[], y: readonly number[]): StraightLine {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const product = (a: readonly number[], ma: number, b: readonly number[], mb: number): number =>
    a.reduce((sum, value, i) => sum + (value - ma) * (b[i] - mb), 0);
  const slope = product(x, mx, y, my) / product(x, mx, x, mx);
  const all = product(y, my, y, my);
  const r2 = all === 0 ? 1 : (slope * product(x, mx, y, my)) / all;
  return { slope, intercept: my - slope * mx, r2 };
}
