/** The files of a benchmark run, read and named by their content. */
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import type { Benchmark } from "../bench/benchmark";
import { benchmarkFiles, loadBenchmark, type LoadedProblem } from "../bench/load";
import { readResponses, type SavedResponse } from "../bench/responses";
import type { BenchResults } from "../bench/results";
import { fault } from "../engine/errors";

export interface FileOptions {
  benchmark: Benchmark;
  /** File, folder or files of the benchmark; saved responses that bring the records' fields along need none. */
  from?: string | readonly string[];
  /** Where relative picture paths begin. */
  images?: string;
}

/** What the files of a benchmark run hold. */
export interface LoadedFiles {
  problems: LoadedProblem[];
  files: BenchResults["files"];
  responses?: Map<string, SavedResponse[]>;
  /** Content of the responses' file. */
  responsesHash?: string;
}

/**
 * Reads problems, and responses where there are saved ones.
 * @param saved file of responses; it may bring the records' fields along, and stand for the benchmark's file
 * @throws LabError naming the file, the record and its field, or an identifier that two problems have
 */
export async function loadFiles(
  { benchmark, from, images }: FileOptions,
  saved: string | undefined,
): Promise<LoadedFiles> {
  if (saved === undefined) {
    if (from === undefined) throw fault("runBenchmark", "no file of the benchmark is named");
    const problems = await loadBenchmark(benchmark, from, { images });
    return { problems: distinct(problems), files: await describeFiles(benchmarkFiles(from)) };
  }
  const [{ sha256 }] = await describeFiles([saved]);
  const responses = await readResponses(benchmark, saved);
  const source = from ?? saved;
  const problems = await loadBenchmark(benchmark, source, { pictures: false });
  // A file of responses has a row a sample.
  const first = [
    ...new Map([...problems].reverse().map((each) => [each.problem.id, each])).values(),
  ];
  return {
    problems: from === undefined ? first.reverse() : distinct(problems),
    files: await describeFiles(benchmarkFiles(source)),
    ...{ responses, responsesHash: sha256 },
  };
}

function distinct(problems: readonly LoadedProblem[]): LoadedProblem[] {
  const seen = new Set<string>();
  for (const { problem } of problems) {
    if (seen.has(problem.id)) {
      throw fault("runBenchmark", `two problems have the identifier ${problem.id}`, {
        try: "one set at a time; MMMU-Pro's settings hold the same problems",
      });
    }
    seen.add(problem.id);
  }
  return [...problems];
}

async function describeFiles(files: readonly string[]): Promise<BenchResults["files"]> {
  return Promise.all(
    files.map(async (file) => {
      const hash = createHash("sha256");
      for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer);
      return { name: basename(file), bytes: statSync(file).size, sha256: hash.digest("hex") };
    }),
  );
}
