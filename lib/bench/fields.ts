/** Fields of records, whose types nobody has checked. */
import { fault } from "../engine/errors";
import type { BenchRecord, PromptPart, Tables, Tally, ScoredRecord } from "./benchmark";
import { parseLiteral, type Literal } from "./python-literal";

/** A field as text; numbers are taken as their text. @throws LabError naming the field */
export function text(record: BenchRecord, key: string): string {
  const value = optionalText(record, key);
  if (value !== null) return value;
  throw fault("record", `no ${key}`, { expected: `a text as "${key}"` });
}

/** A record's identifier: the first of several fields that has one. @throws LabError naming them */
export function identity(record: BenchRecord, keys: readonly string[]): string {
  const found = firstText(record, keys);
  if (found !== null) return found;
  throw fault("record", "no identifier", { expected: `a text as "${keys.join('" or "')}"` });
}

/** As {@link text}, `null` where the field is absent, null or no text. */
export function optionalText(record: BenchRecord, key: string): string | null {
  const value = record[key];
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** The first of several fields that holds a text. */
export function firstText(record: BenchRecord, keys: readonly string[]): string | null {
  for (const key of keys) {
    const value = optionalText(record, key);
    if (value !== null) return value;
  }
  return null;
}

/**
 * A field as a list of texts: a JSON list, or a Python list as text, as the hub stores them; empty where it is absent.
 * @throws LabError naming the field when it is neither
 */
export function texts(record: BenchRecord, key: string): string[] {
  const value = record[key];
  if (value === undefined || value === null || value === "") return [];
  let list: unknown = value;
  if (typeof value === "string") {
    try {
      list = parseLiteral(value);
    } catch {
      list = null;
    }
  }
  if (Array.isArray(list)) return list.map(String);
  throw fault("record", `${key} is no list`, {
    got: value,
    expected: "a list, or a Python list as text",
  });
}

/** A field as a record: a JSON object, or a Python dict as text; empty where it is absent or neither. */
export function nested(record: BenchRecord, key: string): BenchRecord {
  let value: unknown = record[key];
  if (typeof value === "string") {
    try {
      value = parseLiteral(value) satisfies Literal;
    } catch {
      return {};
    }
  }
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as BenchRecord)
    : {};
}

/** `A`, `B`, … */
export function letter(index: number): string {
  return String.fromCharCode(65 + index);
}

/** Pictures first, then the text, as most harnesses send them. */
export function imagesThenText(count: number, words: string): PromptPart[] {
  const images = Array.from({ length: count }, (_, image) => ({ type: "image" as const, image }));
  return [...images, { type: "text", text: words }];
}

/** Text in which `<image 1>` or `<image1>` stand for pictures, taken apart; pictures that nothing names come first. */
export function interleaved(words: string, count: number): PromptPart[] {
  const parts: PromptPart[] = [];
  const named = new Set<number>();
  for (const [index, piece] of words.split(/<image[ _]?(\d+)>/).entries()) {
    if (index % 2 === 0) {
      if (piece !== "") parts.push({ type: "text", text: piece });
      continue;
    }
    const image = Number(piece) - 1;
    if (image >= count) continue;
    named.add(image);
    parts.push({ type: "image", image });
  }
  const rest = imagesThenText(count, "").filter(
    (part) => part.type === "image" && !named.has(part.image),
  );
  return [...rest, ...parts];
}

/** Where the hub's copies keep several pictures. */
export const NUMBERED_IMAGES = Array.from({ length: 9 }, (_, i) => `image_${i + 1}`);

/** How many pictures a record brings along: `image`, `decoded_image`, or `image_1` to `image_7`. */
export function imageCount(record: BenchRecord): number {
  const numbered = NUMBERED_IMAGES.map((field) => record[field]);
  const many = numbered.filter((image) => image !== undefined && image !== null && image !== "");
  if (many.length > 0) return many.length;
  const images = record.images ?? record.image ?? record.decoded_image ?? record.image_path;
  if (Array.isArray(images)) return images.length;
  return images === undefined || images === null || images === "" ? 0 : 1;
}

/** Counts by one category or several of each record. */
export function tally(
  rows: readonly ScoredRecord[],
  categories: (record: BenchRecord) => readonly string[],
): Record<string, Tally> {
  const counts = new Map<string, Tally>();
  for (const { record, correct } of rows) {
    for (const category of categories(record)) {
      const count = counts.get(category) ?? { correct: 0, total: 0 };
      count.total++;
      if (correct) count.correct++;
      counts.set(category, count);
    }
  }
  return Object.fromEntries(counts);
}

/** The tally of all rows under the name that a benchmark gives it. */
export function overall(rows: readonly ScoredRecord[], name = "average"): Tables[string] {
  return {
    [name]: { correct: rows.filter(({ correct }) => correct).length, total: rows.length },
  };
}

/** Categories by falling accuracy, equal ones as they came. */
export function byAccuracy(tallies: Readonly<Record<string, Tally>>): Record<string, Tally> {
  const share = ({ correct, total }: Tally) => correct / total;
  return Object.fromEntries(Object.entries(tallies).sort(([, a], [, b]) => share(b) - share(a)));
}

/** The gold answer; empty where the record has none, as in the test splits whose answers are kept back. */
export function goldText(record: BenchRecord): string {
  return optionalText(record, "answer") ?? "";
}

/** Whether there is an answer to compare with. */
export function hasGold(record: BenchRecord): boolean {
  return ["answer", "final_answer", "gold", "ground_truth"].some((key) => {
    const value = record[key];
    return value !== undefined && value !== null && value !== "";
  });
}
