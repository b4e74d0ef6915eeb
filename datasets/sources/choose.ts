/** The choice among surveyed records: stratified, and only of what decodes and stands in no benchmark. */
import { interrupted } from "../../lib/engine/interrupt";
import { mapBounded } from "../../lib/engine/lists";
import type { Contamination } from "./contamination";
import { miniature } from "./images";
import type { Dropper, ReadOptions } from "./read";
import { allocate, type Balance } from "./sampling";
import type { Survey } from "./survey";

/** Pictures that are decoded at a time. */
const DECODERS = 4;

/**
 * Takes from every stratum its share, those with the smallest keys; what turns out unusable is replaced by the next.
 * @returns rows of the survey, in its order
 * @throws Interrupted when the signal aborts
 */
export async function choose(
  survey: Survey,
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
    options: Pick<ReadOptions, "onProgress" | "signal">;
    drop: Dropper;
  },
): Promise<number[]> {
  const { key, stratum, input, record } = survey;
  // The smallest key last, so that taking is shortening.
  const left: number[][] = survey.strata.map(() => []);
  stratum.forEach((group, row) => left[group].push(row));
  for (const group of left) group.sort((a, b) => key[b] - key[a] || b - a);

  const chosen: number[] = [];
  const inspect = createInspector(survey, check);
  let done = 0;
  while (chosen.length < limit && left.some((group) => group.length > 0)) {
    const shares = allocate(
      left.map((group) => group.length),
      limit - chosen.length,
      balance,
    );
    const taken = left.flatMap((group, i) => group.splice(group.length - shares[i]).reverse());
    const faults = await mapBounded(taken, DECODERS, async (row) => {
      if (signal?.aborted) throw interrupted(`checking pictures at number ${done}`);
      const fault = await inspect(row);
      onProgress?.("pictures", ++done);
      return fault;
    });
    taken.forEach((row, i) => {
      const fault = faults[i];
      if (fault === null) chosen.push(row);
      else drop(input[row], record[row], fault.reason, fault.detail);
    });
  }
  return chosen.sort((a, b) => a - b);
}

type Unusable = { reason: "corrupt" | "contaminated"; detail: string };

/** Decodes a record's pictures, each file once, and compares them and the question with the benchmarks'. */
function createInspector(
  { pictures, pictureLists, question }: Survey,
  check: Contamination,
): (row: number) => Promise<Unusable | null> {
  const known = new Map<string, Promise<Unusable | null>>();
  const look = async (path: string): Promise<Unusable | null> => {
    try {
      const item = check.byPicture(await miniature(path));
      return item === null ? null : { reason: "contaminated", detail: `the picture of ${item}` };
    } catch (error) {
      return { reason: "corrupt", detail: `${path}: ${(error as Error).message}` };
    }
  };
  return async (row) => {
    for (const path of pictureLists[pictures[row]]) {
      const looked = known.get(path) ?? look(path);
      known.set(path, looked);
      const fault = await looked;
      if (fault !== null) return fault;
    }
    const item = check.byQuestion(question[row]);
    return item === null ? null : { reason: "contaminated", detail: `the question of ${item}` };
  };
}
