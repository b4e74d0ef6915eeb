/** The rows that the parts of `srpo data` hand to each other: problems, attempts, samples. They are read from disk one at a time. */
import { jsonlEntries } from "../engine/files";
import type { List } from "../engine/lists";
import type { Row } from "../engine/rows";
import type { AttemptSource } from "../reflection/construction";
import type { Attempt, DropRow } from "../reflection/selection";
import { openAttempts } from "../rollout/attempt-file";
import { attemptsOf, type AttemptedProblem } from "../rollout/attempts";
import type { Problem, ReflectionSample } from "../types";
import { say, UsageError } from "./io";

/** @throws UsageError naming the line that is no problem */
export const problemsIn = (path: string): List<Problem> =>
  rowsIn(path, "problem", (row) => (isProblem(row) ? row : null));

/** Problems with their attempts, as `srpo data attempt` and `srpo data judge` write them. @throws UsageError naming the line */
export const attemptedIn = (path: string): List<AttemptedProblem> =>
  rowsIn(path, "problem with attempts", (row) =>
    isProblem(row.problem) && Array.isArray(row.attempts)
      ? (row as unknown as AttemptedProblem)
      : null,
  );

/** @throws UsageError naming the line that is no sample */
export const samplesIn = (path: string): List<ReflectionSample> =>
  rowsIn(path, "sample", (row) =>
    isProblem(row.problem) && typeof row.reflection === "string" && typeof row.second === "object"
      ? (row as unknown as ReflectionSample)
      : null,
  );

/** Attempts one by one, from rows of a problem's attempts or of single ones (`srpo data select`). @throws UsageError naming the line */
export function attemptsIn(path: string): AttemptSource & { policy: string | undefined } {
  let policy: string | undefined;
  const source = openAttempts<Row>(path, (row, line) => {
    const attempts = isRow(row) ? attemptsOfRow(row) : null;
    if (attempts === null) throw notA("attempt", path, line);
    policy ??= typeof row.policy === "string" ? row.policy : undefined;
    return attempts;
  });
  if (source.candidates.length === 0) throw new UsageError(`${path} holds no attempt: it is empty`);
  return { ...source, policy };
}

function attemptsOfRow(row: Row): Attempt[] | null {
  if (!isProblem(row.problem)) return null;
  if (Array.isArray(row.attempts)) return attemptsOf([row as unknown as AttemptedProblem]);
  const single = typeof row.text === "string" && typeof row.verdict === "object";
  return single ? [row as unknown as Attempt] : null;
}

/** The rows of a file, all of which are looked at first, so that a bad line costs nothing but time. */
function rowsIn<T>(path: string, what: string, read: (row: Row) => T | null): List<T> {
  const entries = jsonlEntries<Row>(path);
  function* rows(): Generator<T> {
    for (const { row, line } of entries) {
      const value = isRow(row) ? read(row) : null;
      if (value === null) throw notA(what, path, line);
      yield value;
    }
  }
  let length = 0;
  for (const _row of rows()) length++;
  if (length === 0) throw new UsageError(`${path} holds no ${what}: it is empty`);
  return { length, [Symbol.iterator]: rows };
}

const notA = (what: string, path: string, line: number): UsageError =>
  new UsageError(`line ${line} of ${path} is no ${what}`);

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null;

function isProblem(value: unknown): value is Problem {
  const { id, question, images, answer, answerType } = (value ?? {}) as Partial<Problem>;
  const texts = [id, question, answer, answerType].every((field) => typeof field === "string");
  return texts && Array.isArray(images);
}

/** Says on stderr how many attempts fell away, and why. */
export function tellDrops(title: string, rows: readonly DropRow[]): void {
  if (rows.length === 0) return;
  say(`${title} (right, wrong):`);
  for (const { reason, right, wrong } of rows) say(`  ${right}, ${wrong}: ${reason}`);
}
