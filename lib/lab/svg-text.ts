/** Words and numbers in an SVG chart: labels as outlines, shortened where they do not fit, and the legend. */
import { withoutControls } from "./display";
import { textPath, textWidth } from "./glyphs";

export const INK = "#222222";
export const MUTED = "#5F6368";

export interface Label {
  text: string;
  x: number;
  y: number;
  size: number;
  fill: string;
  anchor?: "start" | "middle" | "end";
  bold?: boolean;
}

export function label({ text, x, y, size, fill, anchor, bold = false }: Label): string {
  const font = bold ? "sans-bold" : "sans";
  return textPath({ text: withoutControls(text), x, y, size, fill, anchor, font });
}

export function widthOf(text: string, size: number): number {
  return textWidth({ text, size });
}

/** As much of a heading as fits a panel of that width. */
export function fit(text: string, size: number, width: number): string {
  const share = (width - 32) / widthOf(text, size * 1.06);
  return share >= 1 ? text : clip(text, Math.floor(text.length * share));
}

export function clip(text: string, length: number): string {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

/** Pixels with one decimal: finer than a screen, and half the bytes. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** The names of the series beside their colours, in as many rows as they need from the baseline `first` down. */
export function drawLegend(
  entries: readonly { name: string; fill: string }[],
  room: number,
  first: number,
): { svg: string; bottom: number } {
  let [x, y, svg] = [16, first, ""];
  for (const { name, fill } of entries) {
    const text = clip(name, 40);
    const wide = 18 + widthOf(text, 11.5) + 16;
    if (x > 16 && x + wide > 16 + room) [x, y] = [16, y + 17];
    svg += `<rect x="${at(x)}" y="${at(y - 9)}" width="12" height="10" rx="2" fill="${fill}"/>`;
    svg += label({ text, x: x + 18, y, size: 11.5, fill: INK });
    x += wide;
  }
  return { svg, bottom: y };
}
