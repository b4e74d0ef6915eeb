/** A page that shows a question in words below the problem's picture, as the "vision only" records have it. */
import { textPath, textWidth } from "../../../lib/lab/glyphs";
import { drawItem, type VisualMathItem } from "../problems";

/** Pixels: twice a picture's width, so that the words are as large as the picture's own. */
const WIDTH = 224;
const SIZE = 15;
const LINE = 20;
const MARGIN = 8;

/** @param words the question; every line of it begins a line on the page @returns SVG text */
export function drawPage(item: VisualMathItem, words: string): string {
  const lines = words.split("\n").flatMap(wrap);
  const { width, height } = item.style;
  // Whole patches of the vision tower: two times 14 pixels.
  const tall = Math.ceil((height + lines.length * LINE + 2 * MARGIN) / 28) * 28;
  const picture = drawItem(item).replace("<svg ", `<svg x="${(WIDTH - width) / 2}" y="0" `);
  const text = lines.map((line, i) =>
    textPath({ text: line, x: MARGIN, y: height + MARGIN + (i + 0.8) * LINE, size: SIZE }),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${tall}" viewBox="0 0 ${WIDTH} ${tall}">` +
    `<rect width="${WIDTH}" height="${tall}" fill="#FFFFFF"/>${picture}${text.join("")}</svg>`
  );
}

function wrap(line: string): string[] {
  const out: string[] = [];
  for (const word of line.split(" ")) {
    const longer = out.length === 0 ? word : `${out[out.length - 1]} ${word}`;
    const fits = textWidth({ text: longer, size: SIZE }) <= WIDTH - 2 * MARGIN;
    if (out.length === 0 || !fits) out.push(word);
    else out[out.length - 1] = longer;
  }
  return out;
}
