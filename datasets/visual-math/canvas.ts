/**
 * A square of 112 x 112 units to draw on, whatever the picture's size in pixels. It writes SVG with coordinates rounded
 * to two places, so that equal pictures are equal text.
 */
import { CAP_HEIGHT, textPath, textWidth } from "../../lib/lab/glyphs";
import type { Style } from "./family";
import { mix } from "./style";

export const SIDE = 112;
/** The least height in units at which the small vision tower, whose patches are 14 wide, was seen to read. */
export const MIN_NUMBER_HEIGHT = 12;
export const MIN_LABEL_HEIGHT = 11;

export type Point = readonly [x: number, y: number];

export interface Paint {
  /** None when left out. */
  fill?: string;
  /** None when left out; lines and polylines then take the style's ink. */
  stroke?: string;
  /** Line width; the style's when left out. */
  width?: number;
  dash?: string;
}

export interface TextOptions {
  /** Height of a digit or capital, 14 when left out. */
  height?: number;
  /** Text wider than this is made smaller, then narrower. */
  maxWidth?: number;
  fill?: string;
  anchor?: "start" | "middle" | "end";
  /** Covers what lies below the text with this colour. */
  plate?: string;
}

export interface Canvas {
  rect(x: number, y: number, width: number, height: number, paint: Paint, radius?: number): void;
  circle(x: number, y: number, radius: number, paint: Paint): void;
  line(from: Point, to: Point, paint?: Paint): void;
  polyline(points: readonly Point[], paint?: Paint): void;
  polygon(points: readonly Point[], paint: Paint): void;
  path(d: string, paint: Paint): void;
  /** A line from `from` to `to` with a filled head at `to`. */
  arrow(from: Point, to: Point, paint?: Paint): void;
  /** A number; `x` is where it is anchored (its middle when left out), `y` the middle of its digits. */
  number(value: number | string, x: number, y: number, options?: TextOptions): void;
  /** A label such as a letter, like {@link number} but 12 high when left out. */
  label(text: string, x: number, y: number, options?: TextOptions): void;
  svg(): string;
}

export function createCanvas(style: Style): Canvas {
  const { width, height, background, ink } = style;
  const parts: string[] = [];
  const attributes = ({ fill = "none", stroke, width: line, dash }: Paint): string =>
    `fill="${fill}"` +
    (stroke === undefined
      ? ""
      : ` stroke="${stroke}" stroke-width="${round(line ?? style.lineWidth)}" stroke-linejoin="round"`) +
    (dash === undefined ? "" : ` stroke-dasharray="${dash}"`);
  const list = (points: readonly Point[]): string =>
    points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");

  const write = (text: string, x: number, y: number, least: number, options: TextOptions): void => {
    const { anchor = "middle", maxWidth = SIDE, fill = ink, plate } = options;
    const font = style.font;
    const widthAt = (cap: number): number => textWidth({ text, size: cap / CAP_HEIGHT, font });
    const wanted = options.height ?? 14;
    const cap = Math.max(least, wanted * Math.min(1, maxWidth / widthAt(wanted)));
    const stretch = Math.min(1, maxWidth / widthAt(cap));
    if (plate !== undefined) {
      const wide = widthAt(cap) * stretch + 3;
      const left = anchor === "middle" ? x - wide / 2 : anchor === "end" ? x + 1.5 - wide : x - 1.5;
      canvas.rect(left, y - cap / 2 - 2, wide, cap + 4, { fill: plate }, 2);
    }
    parts.push(
      textPath({ text, x, y: y + cap / 2, size: cap / CAP_HEIGHT, font, fill, anchor, stretch }),
    );
  };

  const canvas: Canvas = {
    rect: (x, y, w, h, paint, radius = 0) => {
      const corner = radius === 0 ? "" : ` rx="${round(radius)}"`;
      const box = `x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"`;
      parts.push(`<rect ${box}${corner} ${attributes(paint)}/>`);
    },
    circle: (x, y, radius, paint) => {
      const place = `cx="${round(x)}" cy="${round(y)}" r="${round(radius)}"`;
      parts.push(`<circle ${place} ${attributes(paint)}/>`);
    },
    line: (from, to, paint = {}) => canvas.polyline([from, to], paint),
    polyline: (points, paint = {}) => {
      parts.push(`<polyline points="${list(points)}" ${attributes({ stroke: ink, ...paint })}/>`);
    },
    polygon: (points, paint) => {
      parts.push(`<polygon points="${list(points)}" ${attributes(paint)}/>`);
    },
    path: (d, paint) => {
      parts.push(`<path d="${d}" ${attributes(paint)}/>`);
    },
    arrow: ([x1, y1], [x2, y2], paint = {}) => {
      const length = Math.hypot(x2 - x1, y2 - y1);
      const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
      const [bx, by] = [x2 - 9 * ux, y2 - 9 * uy];
      canvas.line([x1, y1], [bx + ux, by + uy], paint);
      const head: Point[] = [
        [x2, y2],
        [bx - 4.5 * uy, by + 4.5 * ux],
        [bx + 4.5 * uy, by - 4.5 * ux],
      ];
      canvas.polygon(head, { fill: paint.stroke ?? ink });
    },
    number: (value, x, y, options = {}) =>
      write(String(value), x, y, MIN_NUMBER_HEIGHT, { height: 14, ...options }),
    label: (text, x, y, options = {}) =>
      write(text, x, y, MIN_LABEL_HEIGHT, { height: 12, ...options }),
    svg: () =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${SIDE} ${SIDE}">` +
      `${parts.join("")}</svg>`,
  };

  canvas.rect(0, 0, SIDE, SIDE, { fill: background });
  if (style.grid) {
    const faint = { stroke: mix(background, ink, 0.07), width: 0.8 };
    for (let at = 8; at < SIDE; at += 16) {
      canvas.line([at, 0], [at, SIDE], faint);
      canvas.line([0, at], [SIDE, at], faint);
    }
  }
  return canvas;
}

/** The corners of a five-pointed star around (x, y). */
export function star(x: number, y: number, radius: number): Point[] {
  return Array.from({ length: 10 }, (_, i): Point => {
    const [reach, angle] = [i % 2 === 0 ? radius : 0.41 * radius, (i * Math.PI) / 5 - Math.PI / 2];
    return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
  });
}

/** Rounded to two places. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
