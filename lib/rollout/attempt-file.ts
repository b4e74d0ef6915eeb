/** Attempts that stay on disk: a selection looks at some hundred bytes of each, and reads those that it takes. */
import { jsonlEntries, rowAt, type JsonlPlace } from "../engine/files";
import type { AttemptSource } from "../reflection/construction";
import { candidateOf, type Attempt, type Candidate } from "../reflection/selection";

/**
 * @param path rows of one attempt or of several, JSON Lines
 * @param attemptsIn a row's attempts, always in the same order
 * @throws LabError naming a line that is no JSON, and whatever `attemptsIn` throws, with the whole file looked at
 */
export function openAttempts<Row>(
  path: string,
  attemptsIn: (row: Row, line: number) => readonly Attempt[],
): AttemptSource {
  const candidates: Candidate[] = [];
  const places: (JsonlPlace & { line: number; member: number })[] = [];
  for (const { row, ...place } of jsonlEntries<Row>(path)) {
    attemptsIn(row, place.line).forEach((attempt, member) => {
      candidates.push(candidateOf(attempt, candidates.length));
      places.push({ ...place, member });
    });
  }
  return {
    candidates,
    attemptAt: (at) => {
      const place = places[at];
      return attemptsIn(rowAt<Row>(path, place), place.line)[place.member];
    },
  };
}
