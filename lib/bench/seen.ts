/** Which problems of a benchmark stand in data that a model was trained on: the contamination check of data construction, turned round. */
import { readBenchmarks } from "../../datasets/sources/contamination";
import { miniature } from "../../datasets/sources/images";
import { hash48 } from "../../datasets/sources/sampling";
import { normalizeQuestion } from "../../datasets/sources/text";
import type { LoadedProblem } from "./load";

export interface Seen {
  /** The training files, with how many records were compared. */
  files: { name: string; items: number; pictures: number }[];
  /** Problems that stand in one of them, and where. */
  problems: { problem: string; item: string }[];
}

/**
 * Compares pictures and normalised questions with training data.
 * @param files JSON, JSON Lines or parquet with questions; pictures are looked for from each file's folder
 * @throws LabError naming a file without questions
 */
export async function findSeen(
  problems: readonly LoadedProblem[],
  files: readonly string[],
): Promise<Seen> {
  const training = await readBenchmarks(files);
  const found: Seen["problems"] = [];
  for (const { problem } of problems) {
    const item =
      training.byQuestion(hash48(normalizeQuestion(problem.question))) ??
      (await byPicture(problem.images[0], training.byPicture));
    if (item !== null) found.push({ problem: problem.id, item });
  }
  return { files: training.sizes, problems: found };
}

async function byPicture(
  path: string | undefined,
  find: (picture: Uint8Array) => string | null,
): Promise<string | null> {
  return path === undefined ? null : find(await miniature(path));
}
