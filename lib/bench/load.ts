/**
 * Reads benchmark files: the official repositories' JSON (a list, or a map from identifier to record) and JSON Lines, and
 * VLMEvalKit's TSV with pictures in base64. Pictures become files, as everywhere in the lab.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fault } from "../engine/errors";
import type { Problem } from "../types";
import type { Benchmark, BenchRecord } from "./benchmark";
import { letter } from "./fields";
import { parseLiteral } from "./python-literal";

export interface LoadedProblem {
  record: BenchRecord;
  problem: Problem;
}

/**
 * The problems of a file.
 * @param options.images where relative picture paths begin; the file's own folder unless told otherwise
 * @param options.cache where pictures from inside the file are written, each once, named by its content
 * @throws LabError naming the file, or the record and its field
 */
export function loadBenchmark(
  benchmark: Benchmark,
  file: string,
  { images = path.dirname(file), cache }: { images?: string; cache: string },
): LoadedProblem[] {
  return readRecords(file).map((record) => ({
    record,
    problem: benchmark.problem(record, pictures(record, { images, cache })),
  }));
}

/** The records of a JSON, JSON Lines or TSV file. @throws LabError naming the file when it cannot be read as what its name says */
export function readRecords(file: string): BenchRecord[] {
  if (!existsSync(file)) throw fault("readRecords", `no file at ${file}`);
  const text = readFileSync(file, "utf8").replace(/^\ufeff/, "");
  const type = path.extname(file).toLowerCase();
  if (type === ".tsv") return readTsv(text);
  if (type !== ".json" && type !== ".jsonl") {
    throw fault("readRecords", "unknown kind of file", {
      got: file,
      expected: ".json, .jsonl or .tsv",
    });
  }
  try {
    return type === ".json" ? listOf(JSON.parse(text)) : readLines(text);
  } catch (error) {
    throw fault("readRecords", `${file} is no ${type.slice(1)} (${(error as Error).message})`);
  }
}

function readLines(text: string): BenchRecord[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => JSON.parse(line) as BenchRecord);
}

/** A list of records, or a map whose keys are identifiers. */
function listOf(value: unknown): BenchRecord[] {
  if (Array.isArray(value)) return value as BenchRecord[];
  return Object.entries(value as Record<string, BenchRecord>).map(([id, record]) => ({
    pid: id,
    ...record,
  }));
}

/** Columns `A` to `Z` become `options` where the file has none of its own. */
function readTsv(text: string): BenchRecord[] {
  const [header, ...rows] = splitTsv(text);
  return rows.map((row) => {
    const record = Object.fromEntries(header.map((key, i) => [key, row[i] ?? ""]));
    if ("options" in record || "choices" in record) return record;
    const lettered = Array.from({ length: 26 }, (_, i) => record[letter(i)] ?? "");
    return { ...record, options: lettered.filter((option) => option !== "") };
  });
}

/** Tab-separated values as pandas writes them: a field in double quotes may hold tabs, newlines and doubled quotes. */
function splitTsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '"') {
      let end = at + 1;
      while (end < text.length && !(text[end] === '"' && text[end + 1] !== '"')) {
        end += text[end] === '"' ? 2 : 1;
      }
      row.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
    } else {
      const stop = fieldEnd(text, at);
      row.push(text.slice(at, stop).replace(/\r$/, ""));
      at = stop;
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\t") {
      at++;
      if (at === text.length) row.push("");
      continue;
    }
    at++;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** Where an unquoted field ends. */
function fieldEnd(text: string, from: number): number {
  const sign = /[\t\n]/g;
  sign.lastIndex = from;
  return sign.exec(text)?.index ?? text.length;
}

/** Base64 of a picture's first bytes: PNG, JPEG, WebP, GIF. */
const PICTURE = /^(?:iVBOR|\/9j\/|UklGR|R0lGOD)/;

/** Paths of a record's pictures in order. */
function pictures(record: BenchRecord, folders: { images: string; cache: string }): string[] {
  const numbered = Array.from({ length: 9 }, (_, i) => record[`image_${i + 1}`]);
  const given = numbered.some((image) => typeof image === "string" && image !== "")
    ? numbered
    : [record.image_path ?? record.image ?? record.images];
  return given
    .flatMap(unpack)
    .filter((image) => image !== "")
    .map((image) =>
      PICTURE.test(image) ? keep(image, folders.cache) : locate(image, folders.images),
    );
}

/** One picture, a list, or a Python list as text. */
function unpack(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== "string") return [];
  if (!value.startsWith("[")) return [value];
  const list = parseLiteral(value);
  return Array.isArray(list) ? list.map(String) : [];
}

function locate(image: string, folder: string): string {
  const bare = image.replace(/^file:\/\//, "");
  return path.isAbsolute(bare) ? bare : path.join(folder, bare);
}

function keep(base64: string, folder: string): string {
  const bytes = Buffer.from(base64, "base64");
  const type = { i: "png", "/": "jpg", U: "webp", R: "gif" }[base64[0]] ?? "png";
  const name = createHash("sha256").update(bytes).digest("hex").slice(0, 24);
  const file = path.join(folder, `${name}.${type}`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, bytes);
  }
  return file;
}
