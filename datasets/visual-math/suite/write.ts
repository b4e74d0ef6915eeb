/** Writes the embedded suite to disk, once. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../../lib/engine/files";
import { generateItems } from "../problems";
import { containers, type SuiteContainer } from "./containers";
import { suiteFormats } from "./index";

export interface SuiteOptions {
  folder: string;
  /** Problems a benchmark; MathVerse shows each in five versions, MMMU-Pro in three configurations. */
  count: number;
  seed: string | number;
  /** `repository` (the authors' JSON and a folder of pictures) unless told otherwise. */
  container?: SuiteContainer;
}

/** One benchmark on disk. */
export interface SuiteBenchmark {
  benchmark: string;
  /** Records of all files together. */
  records: number;
  files: string[];
}

/** Raise with changes of the formats, so that an older suite on disk is written anew. */
const VERSION = 1;

/**
 * Writes every format, each with problems of its own, as `folder/<benchmark>/<file>`. A suite of the same options that is
 * there already stays. The problems are of the test split: no policy of the lab was trained on them.
 * @throws LabError when the folder cannot be written
 */
export async function writeSuite(options: SuiteOptions): Promise<SuiteBenchmark[]> {
  const { folder, count, seed, container = "repository" } = options;
  const made = JSON.stringify({ version: VERSION, count, seed, container });
  const stamp = join(folder, "suite.json");
  const whole = (benchmarks: readonly SuiteBenchmark[]): SuiteBenchmark[] =>
    benchmarks.map((each) => ({ ...each, files: each.files.map((file) => join(folder, file)) }));
  if (existsSync(stamp)) {
    const found = JSON.parse(readFileSync(stamp, "utf8")) as Stamp;
    if (found.made === made) return whole(found.benchmarks);
  }
  const items = generateItems({ split: "test", count: count * suiteFormats.length, seed });
  const benchmarks: SuiteBenchmark[] = [];
  for (const [i, format] of suiteFormats.entries()) {
    const { benchmark } = format;
    const records = format.records(items.slice(i * count, (i + 1) * count));
    const files = await containers[container](format, records, join(folder, benchmark));
    const named = files.map((file) => `${benchmark}/${file}`);
    benchmarks.push({ benchmark, records: records.length, files: named });
  }
  const stamped: Stamp = { made, benchmarks };
  writeFileAtomic(stamp, JSON.stringify(stamped, null, 1) + "\n");
  return whole(benchmarks);
}

/** What `suite.json` holds: the options that made the suite, and its files from the folder on. */
interface Stamp {
  made: string;
  benchmarks: SuiteBenchmark[];
}
