/**
 * Text as SVG outlines. Pictures must be the same on every machine, and an SVG `<text>` depends on which fonts a machine
 * has; DejaVu's outlines come with the packages instead.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse, type Font } from "opentype.js";
import { fault } from "../engine/errors";

const FONT_FILES: Readonly<Record<string, string>> = {
  sans: "DejaVuSans",
  "sans-bold": "DejaVuSans-Bold",
  "sans-oblique": "DejaVuSans-Oblique",
  "sans-condensed": "DejaVuSansCondensed",
  "sans-condensed-bold": "DejaVuSansCondensed-Bold",
  serif: "DejaVuSerif",
  "serif-bold": "DejaVuSerif-Bold",
  "serif-condensed": "DejaVuSerifCondensed",
  "serif-condensed-bold": "DejaVuSerifCondensed-Bold",
  mono: "DejaVuSansMono",
  "mono-bold": "DejaVuSansMono-Bold",
};

/** The names that `font` accepts below. */
export const fontNames: readonly string[] = Object.keys(FONT_FILES);

/** Height of a digit or a capital over the font size; every DejaVu font has the same. */
export const CAP_HEIGHT = 1493 / 2048;

export interface TextPathOptions {
  text: string;
  /** Where the text is anchored, in pixels. */
  x: number;
  /** The baseline, in pixels. */
  y: number;
  /** Font size in pixels; digits and capitals are {@link CAP_HEIGHT} times as high. */
  size: number;
  /** One of {@link fontNames}; `sans` when left out. */
  font?: string;
  /** Black when left out. */
  fill?: string;
  /** `start` when left out. */
  anchor?: "start" | "middle" | "end";
  /** Horizontal scale, for text that has to fit a narrow place; 1 when left out. */
  stretch?: number;
}

/** Outlines in font units, y up. Integers, so that composing them involves no rounding. */
interface Glyph {
  advance: number;
  /** Each contour's absolute start, and the rest of it in relative commands, which is the same wherever it starts. */
  contours: { x: number; y: number; rest: string }[];
}

const fonts = new Map<string, Font>();
const glyphs = new Map<string, Glyph>();

/**
 * One `<path>` that draws `text`; its `aria-label` is the text.
 * @throws LabError when the font is not one of {@link fontNames}
 */
export function textPath(options: TextPathOptions): string {
  const { text, x, y, size, font = "sans", fill = "#000", anchor = "start", stretch = 1 } = options;
  const scale = size / loadFont(font).unitsPerEm;
  let pen = 0;
  let d = "";
  for (const character of text) {
    const { advance, contours } = glyphOf(font, character);
    for (const contour of contours) d += `M${contour.x + pen} ${contour.y}${contour.rest}`;
    pen += advance;
  }
  const width = pen * scale * stretch;
  const left = anchor === "middle" ? x - width / 2 : anchor === "end" ? x - width : x;
  const transform = `translate(${fixed(left, 2)} ${fixed(y, 2)}) scale(${fixed(scale * stretch, 6)} ${fixed(-scale, 6)})`;
  return `<path aria-label="${escapeXml(text)}" transform="${transform}" fill="${fill}" d="${d}"/>`;
}

/** Width of `text` in pixels at `size`, without kerning, as {@link textPath} sets it. */
export function textWidth({
  text,
  size,
  font = "sans",
}: Pick<TextPathOptions, "text" | "size" | "font">): number {
  let units = 0;
  for (const character of text) units += glyphOf(font, character).advance;
  return (units * size) / loadFont(font).unitsPerEm;
}

/** Text made safe inside an XML attribute or element. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function loadFont(name: string): Font {
  const known = fonts.get(name);
  if (known !== undefined) return known;
  const file = FONT_FILES[name];
  if (file === undefined) {
    throw fault("textPath", "unknown font", {
      got: name,
      expected: `one of ${fontNames.join(", ")}`,
    });
  }
  const folder = join(dirname(require.resolve("dejavu-fonts-ttf/package.json")), "ttf");
  const bytes = readFileSync(join(folder, `${file}.ttf`));
  const font = parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), {
    // Otherwise all 6,000 glyphs are read, and a picture needs a dozen.
    lowMemory: true,
  });
  fonts.set(name, font);
  return font;
}

function glyphOf(fontName: string, character: string): Glyph {
  const key = `${fontName}/${character}`;
  const known = glyphs.get(key);
  if (known !== undefined) return known;
  const outline = loadFont(fontName).charToGlyph(character);
  const glyph: Glyph = { advance: outline.advanceWidth ?? 0, contours: [] };
  let [atX, atY] = [0, 0];
  const step = (toX: number, toY: number): string => `${toX - atX} ${toY - atY}`;
  for (const command of outline.path.commands) {
    if (command.type === "M") {
      glyph.contours.push({ x: command.x, y: command.y, rest: "" });
      [atX, atY] = [command.x, command.y];
      continue;
    }
    const contour = glyph.contours[glyph.contours.length - 1];
    if (command.type === "Z") {
      contour.rest += "z";
      continue;
    }
    if (command.type === "L") contour.rest += `l${step(command.x, command.y)}`;
    if (command.type === "Q") {
      contour.rest += `q${step(command.x1, command.y1)} ${step(command.x, command.y)}`;
    }
    if (command.type === "C") {
      const controls = `${step(command.x1, command.y1)} ${step(command.x2, command.y2)}`;
      contour.rest += `c${controls} ${step(command.x, command.y)}`;
    }
    [atX, atY] = [command.x, command.y];
  }
  glyphs.set(key, glyph);
  return glyph;
}

/** A decimal with at most `digits` places and no trailing zeros. */
function fixed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
