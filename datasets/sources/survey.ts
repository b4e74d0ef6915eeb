/** The first reading of sources: which records can be used, each once, in as little memory as that takes. */
import { readFile } from "node:fs/promises";
import { contentHash } from "../../lib/engine/files";
import { interrupted, yieldToEvents } from "../../lib/engine/interrupt";
import { placePicture, type Located } from "./images";
import type { Dropper, ReadOptions, SourceInput } from "./read";
import { hash48 } from "./sampling";
import type { Draft, PictureRef, Source } from "./source";
import { normalizeQuestion } from "./text";

/** Records between two looks at the signal. */
const STRIDE = 512;

export type OpenInput = SourceInput & { reader: Source };

/**
 * The usable records, a column each: numbers in arrays take eight bytes, and a file has hundreds of thousands of records. Entry i of
 * every column belongs to one record.
 */
export interface Survey {
  input: number[];
  /** The record's number in its file, from 1. */
  record: number[];
  /** Random, from the seed and the record's id. */
  key: number[];
  /** {@link hash48} of the normalised question. */
  question: number[];
  /** Index into `pictureLists`. */
  pictures: number[];
  pictureLists: string[][];
  /** Index into `strata`. */
  stratum: number[];
  strata: { source: string; family: string; subject: string; available: number }[];
  /** How many records each input has. */
  counts: number[];
}

/** @throws LabError when a file cannot be read; Interrupted when the signal aborts */
export async function survey(
  inputs: readonly OpenInput[],
  { seed, signal, onProgress }: Pick<ReadOptions, "seed" | "signal" | "onProgress">,
  drop: Dropper,
): Promise<Survey> {
  const found: Survey = {
    ...{ input: [], record: [], key: [], question: [], pictures: [], stratum: [] },
    ...{ pictureLists: [], strata: [], counts: inputs.map(() => 0) },
  };
  const stratumOf = createIndex<Survey["strata"][number]>(found.strata);
  let done = 0;
  for (const [n, { reader, path, images }] of inputs.entries()) {
    const place = createPlacer(images, found.pictureLists);
    let record = 0;
    for await (const result of reader.rows(path)) {
      found.counts[n] = ++record;
      if (++done % STRIDE === 0) {
        onProgress?.("records", done);
        await yieldToEvents();
        if (signal?.aborted) throw interrupted(`reading ${reader.name} at record ${record}`);
      }
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
      if (typeof placed !== "number") {
        drop(n, record, placed.fault, placed.detail);
        continue;
      }
      const { family, subject } = draft;
      found.input.push(n);
      found.record.push(record);
      found.key.push(hash48(`${seed}/${reader.name}/${draft.id ?? `#${record}`}`));
      found.question.push(hash48(normalizeQuestion(draft.question)));
      found.pictures.push(placed);
      found.stratum.push(
        stratumOf(`${reader.name}\n${family}\n${subject}`, () => ({
          ...{ source: reader.name, family, subject, available: 0 },
        })),
      );
    }
  }
  await dropDuplicates(found, drop);
  for (const stratum of found.stratum) found.strata[stratum].available++;
  return found;
}

/** Numbers things by a name, from 0. */
function createIndex<T>(list: T[]): (name: string, make: () => T) => number {
  const known = new Map<string, number>();
  return (name, make) => {
    const index = known.get(name) ?? list.push(make()) - 1;
    known.set(name, index);
    return index;
  };
}

/** Places a record's pictures; collections ask many questions about one picture, so that paths are remembered. */
function createPlacer(
  root: string,
  lists: string[][],
): (refs: readonly PictureRef[]) => Promise<number | Exclude<Located, { path: string }>> {
  const located = new Map<string, Located>();
  const listOf = createIndex<string[]>(lists);
  return async (refs) => {
    if (refs.length === 0) return { fault: "missing", detail: "the record names no picture" };
    const paths: string[] = [];
    for (const ref of refs) {
      const known = typeof ref === "string" ? located.get(ref) : undefined;
      const place = known ?? (await placePicture(root, ref));
      if (typeof ref === "string") located.set(ref, place);
      if (!("path" in place)) return place;
      paths.push(place.path);
    }
    return listOf(paths.join("\n"), () => paths);
  };
}

/**
 * Keeps the first record of each question about the same pictures. Pictures are compared by content, but read only for questions
 * that come again.
 */
async function dropDuplicates(found: Survey, drop: Dropper): Promise<void> {
  const { question, pictures, pictureLists } = found;
  const contents = new Map<number, string>();
  const contentOf = async (list: number): Promise<string> => {
    let content = contents.get(list);
    if (content === undefined) {
      const files = pictureLists[list].map(async (path) => contentHash(await readFile(path), 16));
      content = (await Promise.all(files)).join();
      contents.set(list, content);
    }
    return content;
  };
  const duplicate = new Set<number>();
  const byQuestion = question.map((_hash, row) => row);
  byQuestion.sort((a, b) => question[a] - question[b] || a - b);
  for (let start = 0, end = 0; start < byQuestion.length; start = end) {
    while (end < byQuestion.length && question[byQuestion[end]] === question[byQuestion[start]])
      end++;
    if (end - start === 1) continue;
    const seen = new Set<string>();
    for (const row of byQuestion.slice(start, end)) {
      const content = await contentOf(pictures[row]);
      if (seen.has(content)) duplicate.add(row);
      seen.add(content);
    }
  }
  if (duplicate.size === 0) return;
  for (const row of [...duplicate].sort((a, b) => a - b)) {
    drop(
      found.input[row],
      found.record[row],
      "duplicate",
      "question and pictures of an earlier record",
    );
  }
  for (const column of ["input", "record", "key", "question", "pictures", "stratum"] as const) {
    found[column] = found[column].filter((_value, row) => !duplicate.has(row));
  }
}
