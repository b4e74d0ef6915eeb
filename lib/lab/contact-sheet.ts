/** Many problems at a glance: their pictures with question and answer, as one PNG that a saved notebook keeps. */
import sharp, { type OverlayOptions } from "sharp";
import { shownPath } from "../paths";
import type { Problem } from "../types";
import { display, withoutControls, type MimeBundle, type Surface } from "./display";
import { textPath } from "./glyphs";
import { INK, MUTED, clip, widthOf } from "./svg-text";

/** What the sheet shows of a problem. */
export type SheetProblem = Pick<
  Problem,
  "id" | "question" | "images" | "answer" | "family" | "level"
>;

export interface SheetOptions {
  /** Pictures in a row; 4 unless told otherwise. */
  columns?: number;
  /** Width of a picture in pixels; 200 unless told otherwise. */
  size?: number;
}

const GAP = 16;
const SIZE = 11;
const LINE = 15;
/** Lines under a picture: family and level, at most three of the question, the answer. */
const LINES = 5;

/** Shows the problems as one picture, in a terminal as text. */
export async function showProblems(
  problems: readonly SheetProblem[],
  options: SheetOptions & { surface?: Surface } = {},
): Promise<void> {
  await display(await sheetBundle(problems, options), { surface: options.surface });
}

/** The sheet as PNG and as text; a picture that cannot be read leaves its place empty, and both say so. */
export async function sheetBundle(
  problems: readonly SheetProblem[],
  options: SheetOptions = {},
): Promise<MimeBundle> {
  const { columns = 4, size = 200 } = options;
  const across = Math.max(1, Math.min(columns, problems.length));
  const [cellWidth, cellHeight] = [size + GAP, size + LINES * LINE + GAP];
  const width = across * cellWidth + GAP;
  const height = Math.max(1, Math.ceil(problems.length / across)) * cellHeight + GAP;
  const overlays: OverlayOptions[] = [];
  const words: string[] = [];
  const notes: string[] = [];
  for (const [i, problem] of problems.entries()) {
    const left = GAP + (i % across) * cellWidth;
    const top = GAP + Math.floor(i / across) * cellHeight;
    const drawn = await fitted(problem.images[0], size);
    const caption = [
      { text: `${problem.family}, level ${problem.level}`, fill: MUTED },
      ...wrap(problem.question, size).map((text) => ({ text, fill: INK })),
      { text: clip(`answer: ${problem.answer}`, 34), fill: MUTED },
    ];
    if (typeof drawn === "string") caption[0] = { text: "no picture", fill: "#D55E00" };
    else overlays.push({ input: drawn.input, left: left + drawn.left, top: top + drawn.top });
    notes.push(typeof drawn === "string" ? ` · no picture: ${drawn}` : "");
    caption.forEach(({ text, fill }, row) => {
      const y = top + size + LINE * (row + 1);
      words.push(textPath({ text: withoutControls(text), x: left, y, size: SIZE, fill }));
    });
  }
  const captions = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${words.join("")}</svg>`;
  const png = await sharp({ create: { width, height, channels: 3, background: "#FFFFFF" } })
    .composite([...overlays, { input: Buffer.from(captions), left: 0, top: 0 }])
    .png({ compressionLevel: 9, palette: true })
    .toBuffer();
  return {
    "image/png": png.toString("base64"),
    "text/plain": problems
      .map(
        ({ id, family, level, question, answer }, i) =>
          `${family}, level ${level} (${id}): ${question} → ${answer}${notes[i]}`,
      )
      .join("\n"),
  };
}

/** The picture scaled into a square of `size`, and where it lies in it; or why it cannot be shown. */
async function fitted(
  path: string | undefined,
  size: number,
): Promise<{ input: Buffer; left: number; top: number } | string> {
  if (path === undefined) return "the problem has none";
  try {
    const { data, info } = await sharp(path)
      .resize({ width: size, height: size, fit: "inside" })
      .flatten({ background: "#FFFFFF" })
      .png()
      .toBuffer({ resolveWithObject: true });
    return {
      input: data,
      left: Math.floor((size - info.width) / 2),
      top: Math.floor((size - info.height) / 2),
    };
  } catch (error) {
    return `${shownPath(path)} (${(error as Error).message})`;
  }
}

/** The text in at most three lines of that width; what does not fit ends in an ellipsis. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer, SIZE) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  lines.push(line);
  const kept = lines.slice(0, LINES - 2);
  if (lines.length > kept.length) kept[kept.length - 1] += " …";
  return kept.map((part) => {
    const room = Math.floor((part.length * (width + GAP / 2)) / Math.max(1, widthOf(part, SIZE)));
    return clip(part, Math.max(1, room));
  });
}
