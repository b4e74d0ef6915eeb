/**
 * Reads benchmark files: the hub's parquet, the official repositories' JSON (a list, or a map from identifier to record) and JSON
 * Lines, and VLMEvalKit's TSV. Pictures become files, as everywhere in the lab.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { readJsonRecords } from "../../datasets/sources/json-records";
import { readParquet } from "../../datasets/sources/parquet";
import { fault } from "../engine/errors";
import { benchmarkPictures } from "../paths";
import type { Problem } from "../types";
import type { Benchmark, BenchRecord } from "./benchmark";
import { letter } from "./fields";
import { createPictureReader } from "./pictures";
import { readTsv } from "./tsv";

export interface LoadedProblem {
  record: BenchRecord;
  problem: Problem;
}

export interface LoadOptions {
  /** Where relative picture paths begin; each file's own folder unless told otherwise. */
  images?: string;
  /** Where pictures from inside the file are written, each once, named by its content. */
  cache?: string;
  /** `false` for responses that are only to be scored: no picture is looked for. */
  pictures?: boolean;
}

/**
 * The problems of a benchmark.
 * @param from a file, a folder whose files are the parts of one set, or a list of files
 * @throws LabError naming the file, the record and its field, or the picture that is not there
 */
export async function loadBenchmark(
  benchmark: Benchmark,
  from: string | readonly string[],
  { images, cache = benchmarkPictures, pictures = true }: LoadOptions = {},
): Promise<LoadedProblem[]> {
  const loaded: LoadedProblem[] = [];
  for (const file of benchmarkFiles(from)) {
    const read = createPictureReader({ images: images ?? path.dirname(file), cache });
    let number = 0;
    for await (const raw of readRecords(file)) {
      number++;
      try {
        const named = benchmark.completed?.(raw, file) ?? raw;
        const pictured = pictures ? await read(named) : { record: named, images: [] };
        const problem = benchmark.problem(pictured.record, pictured.images);
        loaded.push({ record: pictured.record, problem });
      } catch (error) {
        throw fault(
          "loadBenchmark",
          `record ${number} of ${path.basename(file)}: ${(error as Error).message}`,
        );
      }
    }
  }
  if (loaded.length === 0) throw fault("loadBenchmark", "no records", { got: from });
  return loaded;
}

const EXTENSIONS = [".parquet", ".json", ".jsonl", ".tsv"];

/** The files that a set is made of, in order. @throws LabError when a folder holds none, or of several kinds */
export function benchmarkFiles(from: string | readonly string[]): string[] {
  if (typeof from !== "string") return [...from];
  if (!existsSync(from) || !statSync(from).isDirectory()) return [from];
  const files = readdirSync(from).filter((name) => EXTENSIONS.includes(path.extname(name)));
  const kinds = new Set(files.map((name) => path.extname(name)));
  if (kinds.size !== 1) {
    throw fault("loadBenchmark", `${from} is no set of a benchmark`, {
      got: files.slice(0, 8),
      expected: `files of one kind (${EXTENSIONS.join(", ")})`,
      try: "the file itself",
    });
  }
  return files.sort().map((name) => path.join(from, name));
}

/** The records of a file, one at a time. @throws LabError naming the file when it cannot be read as what its name says */
export async function* readRecords(file: string): AsyncGenerator<BenchRecord> {
  if (!existsSync(file)) throw fault("readRecords", `no file at ${file}`);
  const type = path.extname(file).toLowerCase();
  if (type === ".tsv") {
    for await (const row of readTsv(file)) yield withOptions(row);
    return;
  }
  if (!EXTENSIONS.includes(type)) {
    throw fault("readRecords", "unknown kind of file", {
      ...{ got: file, expected: EXTENSIONS.join(", ") },
    });
  }
  for await (const result of type === ".parquet" ? readParquet(file) : readJsonRecords(file)) {
    if (!("row" in result)) throw fault("readRecords", `${file} cannot be read (${result.error})`);
    yield result.row;
  }
}

/** Columns `A` to `Z` become `options` where the file has none of its own. */
function withOptions(record: Record<string, string>): BenchRecord {
  if ("options" in record || "choices" in record) return record;
  const lettered = Array.from({ length: 26 }, (_, i) => record[letter(i)] ?? "");
  return { ...record, options: lettered.filter((option) => option !== "") };
}
