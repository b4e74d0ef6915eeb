/** Scores attempts with a judge model; the scores go where selection finds them. */
import { mapBounded } from "../engine/lists";
import { lessonOf } from "../reflection/construction";
import type { ReasoningJudge } from "../reflection/reasoning-judge";
import { unusable } from "../reflection/selection";
import { TeacherStopped } from "../reflection/teacher";
import type { AttemptedProblem } from "./attempts";

export interface JudgingOptions {
  /** Attempts that are judged at a time. */
  concurrency?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * The rows with a `quality` at every attempt that the judge has scored. Attempts that no selection would take are not shown to it, nor
 * those that have a score. What was asked is in the client's cache, so that a second call asks for the rest only.
 * @throws TeacherStopped when the judge answers nobody any more; the signal's reason when aborted
 */
export async function judgeAttempts(
  judge: ReasoningJudge,
  rows: readonly AttemptedProblem[],
  { concurrency = 8, signal, onProgress }: JudgingOptions = {},
): Promise<{ rows: AttemptedProblem[]; judged: number; unjudged: number }> {
  const judgedRows = rows.map((row) => ({ ...row, attempts: [...row.attempts] }));
  const open = openAttempts(judgedRows);
  let [done, judged] = [0, 0];
  let stopped: TeacherStopped | undefined;
  await mapBounded(open, concurrency, async ({ row, member }) => {
    signal?.throwIfAborted();
    if (stopped !== undefined) return;
    try {
      const attempt = row.attempts[member];
      const quality = await judge.score(lessonOf({ problem: row.problem, ...attempt }));
      if (quality !== null) {
        row.attempts[member] = { ...attempt, quality };
        judged++;
      }
      onProgress?.(++done, open.length);
    } catch (error) {
      if (!(error instanceof TeacherStopped)) throw error;
      stopped = error;
    }
  });
  if (stopped !== undefined) throw stopped;
  return { rows: judgedRows, judged, unjudged: open.length - judged };
}

/** The attempts that are to be judged. */
export function openAttempts(
  rows: readonly AttemptedProblem[],
): { row: AttemptedProblem; member: number }[] {
  return rows.flatMap((row) =>
    row.attempts.flatMap((attempt, member) =>
      attempt.quality === undefined && unusable(attempt) === null ? [{ row, member }] : [],
    ),
  );
}
