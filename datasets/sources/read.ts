/**
 * Problems from the user's own copies of data sets: streamed, cleaned, sampled.
 *
 * The files are read twice. The first time every record is looked at and only what the choice needs is kept of it, some fifty
 * bytes; the second time the chosen records become problems. So the memory that is needed does not depend on how long the
 * records are.
 */
import { existsSync, statSync } from "node:fs";
import { fault } from "../../lib/engine/errors";
import type { Problem } from "../../lib/types";
import { choose } from "./choose";
import { readBenchmarks, type BenchmarkSize } from "./contamination";
import type { PictureFault } from "./images";
import { sourceByName } from "./index";
import type { Balance } from "./sampling";
import { survey, type OpenInput, type Survey } from "./survey";

/** Drops that the report itself lists; all of them go to `onDrop`. */
const LISTED = 1000;

export interface SourceInput {
  /** A name from the sources' index. */
  source: string;
  path: string;
  /** Folder under which the pictures are; pictures that come inside the records are written below it. */
  images: string;
}

export interface ReadOptions {
  inputs: readonly SourceInput[];
  /** Problems to take at most; all when left out. */
  limit?: number;
  seed: string | number;
  /** How a limit is spread over the strata, which are sources, their subsets and subjects. */
  balance?: Balance;
  /** Benchmark files whose problems must not be in the sample. */
  benchmarks?: readonly string[];
  onDrop?: (drop: Drop) => void;
  /** Hears of records read and, afterwards, of pictures checked. */
  onProgress?: (what: "records" | "pictures", done: number) => void;
  signal?: AbortSignal;
}

export type DropReason = "unreadable" | PictureFault | "duplicate" | "contaminated";

/** A record that is not used, and why. */
export interface Drop {
  source: string;
  /** From 1, in the file's order. */
  record: number;
  reason: DropReason;
  detail: string;
}

export interface SourceReport {
  sources: {
    name: string;
    title: string;
    licence: string;
    records: number;
    kept: number;
    dropped: Partial<Record<DropReason, number>>;
  }[];
  /** `available` are the usable records; pictures are decoded only of those that are chosen. */
  strata: { source: string; family: string; subject: string; available: number; kept: number }[];
  benchmarks: BenchmarkSize[];
  /** The first thousand. */
  drops: Drop[];
}

export interface SourceSample {
  report: SourceReport;
  /** The chosen problems in their files' order, read anew at every call. */
  problems(): AsyncGenerator<Problem>;
}

/** Tells of a record that is not used. */
export type Dropper = (input: number, record: number, reason: DropReason, detail: string) => void;

/**
 * Reads the sources and chooses. Records that cannot be used, and pictures that are missing, lead out of their root or do not
 * decode, are counted and listed and cost nothing else.
 * @throws LabError when a file or a root is not there; Interrupted when the signal aborts
 */
export async function readSources(options: ReadOptions): Promise<SourceSample> {
  const { inputs, limit = Infinity, balance = "proportional" } = options;
  const opened = inputs.map((input) => ({ ...input, reader: sourceByName(input.source) }));
  for (const { images } of opened) checkRoot(images);
  const check = await readBenchmarks(options.benchmarks ?? []);
  const report: SourceReport = {
    sources: opened.map(({ reader: { name, title, licence } }) => ({
      ...{ name, title, licence },
      ...{ records: 0, kept: 0, dropped: {} },
    })),
    strata: [],
    benchmarks: check.sizes,
    drops: [],
  };
  const drop: Dropper = (input, record, reason, detail) => {
    const { name, dropped } = report.sources[input];
    const row: Drop = { source: name, record, reason, detail };
    dropped[reason] = (dropped[reason] ?? 0) + 1;
    if (report.drops.length < LISTED) report.drops.push(row);
    options.onDrop?.(row);
  };

  const surveyed = await survey(opened, options, drop);
  const chosen = await choose(surveyed, { limit, balance, check, options, drop });

  opened.forEach((_input, n) => (report.sources[n].records = surveyed.counts[n]));
  for (const row of chosen) report.sources[surveyed.input[row]].kept++;
  const kept = new Map<number, number>();
  for (const row of chosen) {
    kept.set(surveyed.stratum[row], (kept.get(surveyed.stratum[row]) ?? 0) + 1);
  }
  report.strata = surveyed.strata.map((stratum, i) => ({ ...stratum, kept: kept.get(i) ?? 0 }));
  return { report, problems: () => chosenProblems(opened, surveyed, chosen) };
}

function checkRoot(images: string): void {
  if (existsSync(images) && statSync(images).isDirectory()) return;
  throw fault("readSources", "the pictures' root is no folder", {
    got: images,
    expected: "the folder that the records' image paths start from",
  });
}

/** The second reading. */
async function* chosenProblems(
  inputs: readonly OpenInput[],
  { input, record, pictures, pictureLists }: Survey,
  chosen: readonly number[],
): AsyncGenerator<Problem> {
  const ids = new Set<string>();
  let next = 0;
  for (const [n, { reader, path }] of inputs.entries()) {
    let at = 0;
    if (input[chosen[next]] !== n) continue;
    for await (const result of reader.rows(path)) {
      const row = chosen[next];
      if (++at !== record[row] || !("row" in result)) continue;
      const draft = reader.draftOf(result.row);
      const own = `${reader.name}/${draft.id ?? `#${at}`}`;
      // Some files use an id twice.
      const id = ids.has(own) ? `${own}#${at}` : own;
      ids.add(id);
      yield { ...draft, id, images: pictureLists[pictures[row]], source: reader.name };
      if (input[chosen[++next]] !== n) break;
    }
  }
}
