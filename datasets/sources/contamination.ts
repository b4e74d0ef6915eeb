/**
 * Does a problem stand in a benchmark that will be reported on? Compared are normalised questions and pictures.
 *
 * A picture that a benchmark has is enough. A question is not always: "What is the value of the largest bar?" belongs to
 * thousands of charts. So a question counts when it is long enough to be a problem by itself, or when nobody can say that the
 * benchmark's picture is another one.
 */
import { basename, dirname } from "node:path";
import { fault } from "../../lib/engine/errors";
import { textOf, picturesOf } from "./fields";
import { locatePicture, miniature, sameMiniature } from "./images";
import { readJsonRecords } from "./json-records";
import { readParquet } from "./parquet";
import { questionOf } from "./records";
import { hash48 } from "./sampling";
import type { PictureRef, Row } from "./source";
import { normalizeQuestion } from "./text";

/** Characters of a normalised question that make it a problem by itself. */
const SELF_CONTAINED = 100;
/** Characters below which a question alone says nothing ("find x"). */
const TELLING = 30;

export interface BenchmarkSize {
  name: string;
  items: number;
  /** Items whose picture was found beside the file; of the others only the question is compared. */
  pictures: number;
}

export interface Contamination {
  sizes: BenchmarkSize[];
  /** The benchmark item that has this picture, e.g. `testmini.json 17`. */
  byPicture(picture: Uint8Array): string | null;
  /** The item that asks this question. @param question the {@link hash48} of the normalised question */
  byQuestion(question: number): string | null;
}

interface Item {
  label: string;
  length: number;
  picture: Uint8Array | null;
}

/**
 * @param files benchmark files as their authors publish them (JSON, JSON Lines, parquet); pictures are looked for from each
 * file's folder
 * @throws LabError naming a file that holds no item with a question
 */
export async function readBenchmarks(files: readonly string[]): Promise<Contamination> {
  const byQuestion = new Map<number, Item[]>();
  const pictured: { picture: Uint8Array; label: string }[] = [];
  const sizes: BenchmarkSize[] = [];
  for (const file of files) {
    const size = { name: basename(file), items: 0, pictures: 0 };
    for await (const result of file.endsWith(".parquet")
      ? readParquet(file)
      : readJsonRecords(file)) {
      if (!("row" in result)) continue;
      const question = questionIn(result.row);
      const [ref] = picturesOf(result.row);
      const picture = ref === undefined ? null : await miniatureOf(dirname(file), ref);
      if (question === null && picture === null) continue;
      size.items++;
      const id =
        textOf(result.row, "id", "pid", "qid", "sample_index", "index") ?? `item ${size.items}`;
      const label = `${size.name} ${id}`;
      if (picture !== null) {
        size.pictures++;
        pictured.push({ picture, label });
      }
      if (question === null) continue;
      const key = hash48(question);
      const item: Item = { label, length: question.length, picture };
      byQuestion.set(key, [...(byQuestion.get(key) ?? []), item]);
    }
    if (size.items === 0) {
      throw fault("readBenchmarks", `${file} holds no items`, {
        expected: "records with a question or a picture",
      });
    }
    sizes.push(size);
  }
  return {
    sizes,
    byPicture: (picture) =>
      pictured.find((item) => sameMiniature(item.picture, picture))?.label ?? null,
    byQuestion: (key) =>
      byQuestion
        .get(key)
        ?.find(
          ({ length, picture }) =>
            length >= SELF_CONTAINED || (length >= TELLING && picture === null),
        )?.label ?? null,
  };
}

/** `null` for an item whose question stands in its picture. */
function questionIn(row: Row): string | null {
  try {
    return normalizeQuestion(questionOf(row)) || null;
  } catch {
    return null;
  }
}

async function miniatureOf(root: string, ref: PictureRef): Promise<Uint8Array | null> {
  const found = typeof ref === "string" ? locatePicture(root, ref) : null;
  if (found !== null && !("path" in found)) return null;
  try {
    return await miniature(found?.path ?? (ref as Uint8Array));
  } catch {
    return null;
  }
}
