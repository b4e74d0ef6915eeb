/** The embedded problem sets of a spec, drawn to disk on first use, and what determines a set of problems. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import {
  generateItems,
  generateOod,
  materialize,
  type VisualMathItem,
} from "../../datasets/visual-math/problems";
import type { Spec } from "../config";
import { canonicalJson } from "../engine/files";
import type { List } from "../engine/lists";
import { pictureCache } from "../paths";
import type { Problem } from "../types";

export type SetName = "sft" | "rl" | "test" | "ood";

/**
 * Problems of one set, with their pictures. Which set a problem belongs to follows from a hash of its content, so no
 * problem is in two of them. The SFT and RL sets may show a problem twice in different pictures; the test sets do not.
 */
export async function loadProblems(
  { problems }: Pick<Spec, "problems">,
  set: SetName,
): Promise<Problem[]> {
  const { seed } = problems;
  const count = problems[set];
  const items: VisualMathItem[] =
    set === "ood"
      ? generateOod({ count, seed })
      : generateItems({ split: set, count, seed, allowRepeats: set !== "test" });
  const drawn = await materialize(items, pictureCache);
  origins.set(drawn, setIdentity({ problems }, set));
  return drawn;
}

/** Where the lists come from that were given out. */
const origins = new WeakMap<List<Problem>, Record<string, unknown>>();

/**
 * What determines a list of problems, for a run's inputs: what it was drawn from, or its content where it is a list of the
 * user's own. Where the pictures lie does not count.
 */
export function problemsIdentity(problems: List<Problem>): Record<string, unknown> {
  const known = origins.get(problems);
  if (known !== undefined) return known;
  // The hash of them all as one JSON array, which would be too long for a string.
  const sha = createHash("sha256");
  let between = "[";
  for (const problem of problems) {
    const images = problem.images.map((path) => basename(path));
    sha.update(between + canonicalJson({ ...problem, images }));
    between = ",";
  }
  sha.update(between === "[" ? "[]" : "]");
  return { problems: sha.digest("hex").slice(0, 12), count: problems.length };
}

/** What determines an embedded set's problems, for a run's inputs; other sets' sizes do not count. */
export function setIdentity(
  { problems }: Pick<Spec, "problems">,
  set: SetName,
): { set: SetName; count: number; problemSeed: number } {
  return { set, count: problems[set], problemSeed: problems.seed };
}
