/** A part of a benchmark that stands for the whole: stratified, seeded, and contained in every larger one of the same seed. */
import { allocate, hash48 } from "../../datasets/sources/sampling";
import type { LoadedProblem } from "./load";

/**
 * At most `limit` problems in their own order. Subject, family and level are strata, each with its share; within one, those with
 * the smallest hash of seed and identifier are taken, wherever they stand in the file.
 */
export function selectProblems(
  problems: readonly LoadedProblem[],
  { limit = problems.length, seed }: { limit?: number; seed: string | number },
): LoadedProblem[] {
  if (limit >= problems.length) return [...problems];
  const strata = new Map<string, number[]>();
  problems.forEach(({ problem: { subject, family, level } }, at) => {
    const name = `${subject}\n${family}\n${level}`;
    strata.set(name, [...(strata.get(name) ?? []), at]);
  });
  const keys = problems.map(({ problem }) => hash48(`${seed}/${problem.id}`));
  const members = [...strata.values()];
  const shares = allocate(
    members.map(({ length }) => length),
    limit,
    "proportional",
  );
  const taken = members.flatMap((stratum, i) =>
    [...stratum].sort((a, b) => keys[a] - keys[b]).slice(0, shares[i]),
  );
  return taken.sort((a, b) => a - b).map((at) => problems[at]);
}
