/** The rows that the parts of `srpo data` hand to each other: problems, attempts, samples. */
import type { Row } from "../engine/rows";
import type { Attempt, DropRow } from "../reflection/selection";
import { attemptsOf, type AttemptedProblem } from "../rollout/attempts";
import type { Problem, ReflectionSample } from "../types";
import { readLines, say, UsageError } from "./io";

/** @throws UsageError naming the line that is no problem */
export const readProblems = (path: string): Promise<Problem[]> =>
  readRows(path, "problem", (row) => (isProblem(row) ? row : null));

/** Problems with their attempts, as `srpo data attempt` and `srpo data judge` write them. @throws UsageError naming the line */
export const readAttempted = (path: string): Promise<AttemptedProblem[]> =>
  readRows(path, "problem with attempts", (row) =>
    isProblem(row.problem) && Array.isArray(row.attempts)
      ? (row as unknown as AttemptedProblem)
      : null,
  );

/** Attempts one by one, from rows of a problem's attempts or of single ones (`srpo data select`). @throws UsageError naming the line */
export async function readAttempts(
  path: string,
): Promise<{ attempts: Attempt[]; policy: string | undefined }> {
  let policy: string | undefined;
  const rows = await readRows(path, "attempt", (row) => {
    policy ??= typeof row.policy === "string" ? row.policy : undefined;
    if (!isProblem(row.problem)) return null;
    if (Array.isArray(row.attempts)) return attemptsOf([row as unknown as AttemptedProblem]);
    const single = typeof row.text === "string" && typeof row.verdict === "object";
    return single ? [row as unknown as Attempt] : null;
  });
  return { attempts: rows.flat(), policy };
}

/** @throws UsageError naming the line that is no sample */
export const readSamples = (path: string): Promise<ReflectionSample[]> =>
  readRows(path, "sample", (row) =>
    isProblem(row.problem) && typeof row.reflection === "string" && typeof row.second === "object"
      ? (row as unknown as ReflectionSample)
      : null,
  );

async function readRows<T>(path: string, what: string, read: (row: Row) => T | null): Promise<T[]> {
  const rows: T[] = [];
  let number = 0;
  for await (const line of readLines(path)) {
    number++;
    if (line.trim() === "") continue;
    const row = parsed(line);
    const value = row === null ? null : read(row);
    if (value === null) throw new UsageError(`line ${number} of ${path} is no ${what}`);
    rows.push(value);
  }
  return rows;
}

function parsed(line: string): Row | null {
  try {
    const row: unknown = JSON.parse(line);
    return typeof row === "object" && row !== null ? (row as Row) : null;
  } catch {
    return null;
  }
}

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
