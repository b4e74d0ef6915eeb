/** What targets' columns have in common: questions with marks for pictures, pictures as bytes, and reading both back. */
import { fault } from "../../engine/errors";
import { isRow, type Row } from "../../engine/rows";
import type { ExportImage, ExportRow, ReadRow } from "./target";

/** What a text column holds where a picture belongs. */
const MARK = "<image>";
/** Texts that verl, EasyR1, LLaMA-Factory or OpenRLHF would take for a picture, a film or a sound. */
const MARKS = /<(?:image|video|audio)>/;

/** The question with a mark for each picture before it. @throws LabError when the question holds a mark itself */
export function markedQuestion({ question, images, problem }: ExportRow): string {
  if (!MARKS.test(question)) return MARK.repeat(images.length) + question;
  const { id } = JSON.parse(problem) as { id: string };
  throw fault("export", `the question of ${id} holds a mark for a picture`, {
    got: MARKS.exec(question)?.[0],
    try: "write it otherwise, or leave the problem out",
  });
}

/** The inverse of {@link markedQuestion}. @throws LabError when marks and pictures differ in number */
export function unmarked(text: string, images: number): string {
  const marks = MARK.repeat(images);
  if (text.startsWith(marks) && !text.slice(marks.length).includes(MARK)) {
    return text.slice(marks.length);
  }
  throw fault("readExport", "pictures and their marks differ in number", {
    got: text.slice(0, 60),
    expected: `${images} of ${MARK}`,
  });
}

export const imageCells = (images: readonly ExportImage[]): { bytes: Uint8Array; path: string }[] =>
  images.map(({ bytes, name }) => ({ bytes, path: name }));

/** @throws LabError when the cell is no list of pictures */
export function imagesOf(cell: unknown): ExportImage[] {
  const list = cell ?? [];
  if (Array.isArray(list) && list.every(isRow)) {
    return list.map(({ bytes, path }) => ({ bytes: bytes as Uint8Array, name: path as string }));
  }
  throw fault("readExport", "images is no list of pictures", { got: cell });
}

/** The chat of a row: system prompt and question. */
export const chat = (system: string, content: string): { role: string; content: string }[] => [
  { role: "system", content: system },
  { role: "user", content },
];

/** The contents of a chat of two messages. @throws LabError when it is none */
export function chatOf(cell: unknown): [system: string, user: string] {
  const [system, user, ...more] = (Array.isArray(cell) ? cell : []) as Row[];
  if (system?.role === "system" && user?.role === "user" && more.length === 0) {
    return [system.content as string, user.content as string];
  }
  throw fault("readExport", "the prompt is not a system prompt and a question", { got: cell });
}

/** Puts a row together that was read. */
export function readRow(
  parts: Omit<ReadRow, "index" | "problem">,
  index: unknown,
  problem: unknown,
): ReadRow {
  return { ...parts, index: Number(index), problem: String(problem) };
}

export async function* mapRows<A, B>(
  rows: AsyncIterable<A>,
  map: (row: A) => B,
): AsyncGenerator<B> {
  for await (const row of rows) yield map(row);
}
