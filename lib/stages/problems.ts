/** The embedded problem sets of a spec, drawn to disk on first use. */
import {
  generateItems,
  generateOod,
  materialize,
  type VisualMathItem,
} from "../../datasets/visual-math/problems";
import type { Spec } from "../config";
import { pictureCache } from "../paths";
import type { Problem } from "../types";

export type SetName = "sft" | "rl" | "test" | "ood";

/**
 * Problems of one set, with their pictures. Which set a problem belongs to follows from a hash of its content, so no
 * problem is in two of them. The SFT and RL sets may show a problem twice in different pictures; the test sets do not.
 */
export function loadProblems(
  { problems }: Pick<Spec, "problems">,
  set: SetName,
): Promise<Problem[]> {
  const { seed } = problems;
  const count = problems[set];
  const items: VisualMathItem[] =
    set === "ood"
      ? generateOod({ count, seed })
      : generateItems({ split: set, count, seed, allowRepeats: set !== "test" });
  return materialize(items, pictureCache);
}

/** What determines a set's problems, for a run's inputs; other sets' sizes do not count. */
export function setIdentity(
  { problems }: Pick<Spec, "problems">,
  set: SetName,
): { set: SetName; count: number; problemSeed: number } {
  return { set, count: problems[set], problemSeed: problems.seed };
}
