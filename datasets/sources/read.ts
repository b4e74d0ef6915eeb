/**
 * Problems from the user's own copies of data sets: streamed, cleaned, sampled.
 *
 * The files are read twice. The first time every record is looked at and only what the choice needs is kept of it, a hundred
 * bytes; the second time the chosen records become problems. So the memory that is needed does not depend on how long the
 * records are.
 */
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fault } from "../../lib/engine/errors";
import { contentHash } from "../../lib/engine/files";
import { interrupted, yieldToEvents } from "../../lib/engine/interrupt";
import { mapBounded } from "../../lib/engine/lists";
import type { Problem } from "../../lib/types";
import { readBenchmarks, type BenchmarkSize, type Contamination } from "./contamination";
import { miniature, placePicture, type Located, type PictureFault } from "./images";
import { sourceByName } from "./index";
import { allocate, hash48, type Balance } from "./sampling";
import type { Draft, PictureRef, Source } from "./source";
import { normalizeQuestion } from "./text";

/** Pictures that are decoded at a time. */
const DECODERS = 4;
/** Records between two looks at the signal. */
const STRIDE = 512;
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
  /** `available` are the records that could be taken, as far as their pictures were looked into. */
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

/** What is kept of a record until the choice is made. */
interface Candidate {
  input: number;
  record: number;
  /** Random, from the seed and the id. */
  key: number;
  stratum: string;
  question: number;
  pictures: string[];
  /** Another record of the file has the same id. */
  namesake: boolean;
}

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
  const drop = (input: number, record: number, reason: DropReason, detail: string): void => {
    const { name, dropped } = report.sources[input];
    const row: Drop = { source: name, record, reason, detail };
    dropped[reason] = (dropped[reason] ?? 0) + 1;
    if (report.drops.length < LISTED) report.drops.push(row);
    options.onDrop?.(row);
  };

  const strata = await survey(opened, options, report, drop);
  const chosen = await choose(strata, { limit, balance, check, options, drop });

  for (const [stratum, { all }] of [...strata].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [source, family, subject] = JSON.parse(stratum) as [string, string, string];
    const kept = chosen.filter((candidate) => candidate.stratum === stratum).length;
    report.strata.push({ source, family, subject, available: all, kept });
  }
  for (const { input } of chosen) report.sources[input].kept++;
  return { report, problems: () => chosenProblems(opened, chosen) };
}

type OpenInput = SourceInput & { reader: Source };
type Dropper = (input: number, record: number, reason: DropReason, detail: string) => void;
/** Candidates that are left to take, the smallest key last. */
type Strata = Map<string, { left: Candidate[]; all: number }>;

function checkRoot(images: string): void {
  if (existsSync(images) && statSync(images).isDirectory()) return;
  throw fault("readSources", "the pictures' root is no folder", {
    got: images,
    expected: "the folder that the records' image paths start from",
  });
}

/** The first reading: every usable record once, by stratum. */
async function survey(
  inputs: readonly OpenInput[],
  { seed, signal, onProgress }: ReadOptions,
  report: SourceReport,
  drop: Dropper,
): Promise<Strata> {
  const strata: Strata = new Map();
  const isDuplicate = createDuplicateCheck();
  let done = 0;
  for (const [n, { reader, path, images }] of inputs.entries()) {
    const ids = new Set<number>();
    const place = createPlacer(images);
    let record = 0;
    for await (const result of reader.rows(path)) {
      record++;
      if (++done % STRIDE === 0) {
        onProgress?.("records", done);
        await yieldToEvents();
        if (signal?.aborted) throw interrupted(`reading ${reader.name} at record ${record}`);
      }
      report.sources[n].records = record;
      if (!("row" in result)) {
        drop(n, record, "unreadable", result.error);
        continue;
      }
      let draft: Draft;
      try {
        draft = reader.draftOf(result.row);
      } catch (error) {
        drop(n, record, "unreadable", (error as Error).message);
        continue;
      }
      const placed = await place(draft.images);
      if (!("paths" in placed)) {
        drop(n, record, placed.fault, placed.detail);
        continue;
      }
      const question = hash48(normalizeQuestion(draft.question));
      if (await isDuplicate(question, placed.paths)) {
        drop(n, record, "duplicate", "the same question and pictures as an earlier record");
        continue;
      }
      const name = problemId(reader, draft, record);
      const id = hash48(name);
      const namesake = ids.has(id);
      ids.add(id);
      const stratum = JSON.stringify([reader.name, draft.family, draft.subject]);
      const group = strata.get(stratum) ?? { left: [], all: 0 };
      strata.set(stratum, group);
      group.all++;
      group.left.push({
        ...{ input: n, record, namesake, stratum, question, pictures: placed.paths },
        key: hash48(`${seed}/${n}/${name}${namesake ? `#${record}` : ""}`),
      });
    }
  }
  for (const { left } of strata.values()) left.sort((a, b) => b.key - a.key);
  return strata;
}

/** The id that a record has, or its number; with its number as well where the file uses an id twice. */
function problemId(reader: Source, draft: Draft, record: number, namesake = false): string {
  const own = draft.id === undefined ? `#${record}` : draft.id;
  return `${reader.name}/${own}${namesake ? `#${record}` : ""}`;
}

/** Places a record's pictures; collections ask many questions about one picture, so that paths are remembered. */
function createPlacer(
  root: string,
): (
  refs: readonly PictureRef[],
) => Promise<{ paths: string[] } | Exclude<Located, { path: string }>> {
  const known = new Map<string, Located>();
  return async (refs) => {
    if (refs.length === 0) return { fault: "missing", detail: "the record names no picture" };
    const paths: string[] = [];
    for (const ref of refs) {
      const located =
        (typeof ref === "string" ? known.get(ref) : undefined) ?? (await placePicture(root, ref));
      if (typeof ref === "string") known.set(ref, located);
      if (!("path" in located)) return located;
      paths.push(located.path);
    }
    return { paths };
  };
}

/**
 * Tells whether a question was asked before about the same pictures. Pictures are compared by content, but read only for
 * questions that come again.
 */
function createDuplicateCheck(): (
  question: number,
  pictures: readonly string[],
) => Promise<boolean> {
  const seen = new Map<number, readonly string[] | Set<string>>();
  const hashes = new Map<string, Promise<string>>();
  const hashOf = (path: string): Promise<string> => {
    const known = hashes.get(path) ?? readFile(path).then((bytes) => contentHash(bytes, 16));
    hashes.set(path, known);
    return known;
  };
  const contents = async (paths: readonly string[]): Promise<string> =>
    (await Promise.all(paths.map(hashOf))).join();
  return async (question, pictures) => {
    const before = seen.get(question);
    if (before === undefined) {
      seen.set(question, pictures);
      return false;
    }
    const known = before instanceof Set ? before : new Set([await contents(before)]);
    seen.set(question, known);
    const content = await contents(pictures);
    if (known.has(content)) return true;
    known.add(content);
    return false;
  };
}

/** Takes from every stratum its share, in the order of the keys; what turns out unusable is replaced by the next. */
async function choose(
  strata: Strata,
  {
    limit,
    balance,
    check,
    options: { onProgress, signal },
    drop,
  }: {
    limit: number;
    balance: Balance;
    check: Contamination;
    options: ReadOptions;
    drop: Dropper;
  },
): Promise<Candidate[]> {
  const chosen: Candidate[] = [];
  const inspect = createInspector(check);
  let done = 0;
  const groups = [...strata].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  while (chosen.length < limit && groups.some(({ left }) => left.length > 0)) {
    const shares = allocate(
      groups.map(({ left }) => left.length),
      limit - chosen.length,
      balance,
    );
    const taken = groups.flatMap(({ left }, i) => left.splice(left.length - shares[i]).reverse());
    const faults = await mapBounded(taken, DECODERS, async (candidate) => {
      if (signal?.aborted) throw interrupted(`checking pictures at number ${done}`);
      const fault = await inspect(candidate);
      onProgress?.("pictures", ++done);
      return fault;
    });
    taken.forEach((candidate, i) => {
      const fault = faults[i];
      if (fault === null) chosen.push(candidate);
      else drop(candidate.input, candidate.record, fault.reason, fault.detail);
    });
  }
  return chosen.sort((a, b) => a.input - b.input || a.record - b.record);
}

type Unusable = { reason: "corrupt" | "contaminated"; detail: string };

/** Decodes a candidate's pictures, each file once, and compares them with the benchmarks'. */
function createInspector(check: Contamination): (candidate: Candidate) => Promise<Unusable | null> {
  const known = new Map<string, Promise<Unusable | null>>();
  const look = async (path: string): Promise<Unusable | null> => {
    try {
      const item = check.byPicture(await miniature(path));
      return item === null ? null : { reason: "contaminated", detail: `the picture of ${item}` };
    } catch (error) {
      return { reason: "corrupt", detail: `${path}: ${(error as Error).message}` };
    }
  };
  return async ({ pictures, question }) => {
    for (const path of pictures) {
      const looked = known.get(path) ?? look(path);
      known.set(path, looked);
      const fault = await looked;
      if (fault !== null) return fault;
    }
    const item = check.byQuestion(question);
    return item === null ? null : { reason: "contaminated", detail: `the question of ${item}` };
  };
}

/** The second reading. */
async function* chosenProblems(
  inputs: readonly OpenInput[],
  chosen: readonly Candidate[],
): AsyncGenerator<Problem> {
  for (const [n, { reader, path }] of inputs.entries()) {
    const wanted = new Map(chosen.filter((c) => c.input === n).map((c) => [c.record, c]));
    let record = 0;
    if (wanted.size === 0) continue;
    for await (const result of reader.rows(path)) {
      const candidate = wanted.get(++record);
      if (candidate === undefined || !("row" in result)) continue;
      const draft = reader.draftOf(result.row);
      yield {
        ...draft,
        id: problemId(reader, draft, record, candidate.namesake),
        images: candidate.pictures,
        source: reader.name,
      };
      wanted.delete(record);
      if (wanted.size === 0) break;
    }
  }
}
