/** Scores attempts with a judge model; the scores go where selection finds them. */
import { mapInOrder } from "../engine/lists";
import { lessonOf } from "../reflection/construction";
import type { ReasoningJudge } from "../reflection/reasoning-judge";
import { unusable, type Attempt } from "../reflection/selection";
import { TeacherStopped } from "../reflection/teacher";
import type { AttemptedProblem } from "./attempts";

export interface JudgingOptions {
  /** Problems whose attempts are judged at a time. */
  concurrency?: number;
  signal?: AbortSignal;
  /** Hears of how many attempts were judged. */
  onProgress?: (done: number) => void;
}

export interface JudgingReport {
  judged: number;
  /** Attempts that were shown to the judge and got no score. */
  unjudged: number;
}

/**
 * Hands each row on with a `quality` at every attempt that the judge has scored, in the rows' order. Attempts that no selection would
 * take are not shown to it, nor those that have a score. What was asked is in the client's cache, so that a second call asks for
 * the rest only.
 * @throws TeacherStopped when the judge answers nobody any more; the signal's reason when aborted
 */
export async function judgeInto(
  keep: (row: AttemptedProblem) => void,
  judge: ReasoningJudge,
  rows: Iterable<AttemptedProblem>,
  { concurrency = 8, signal, onProgress }: JudgingOptions = {},
): Promise<JudgingReport> {
  const report: JudgingReport = { judged: 0, unjudged: 0 };
  let stopped: TeacherStopped | undefined;
  const score = async (attempt: Attempt): Promise<Attempt["quality"]> => {
    signal?.throwIfAborted();
    if (stopped !== undefined) throw stopped;
    const quality = await judge.score(lessonOf(attempt)).catch((error: unknown) => {
      if (error instanceof TeacherStopped) stopped ??= error;
      throw error;
    });
    report[quality === null ? "unjudged" : "judged"]++;
    onProgress?.(report.judged + report.unjudged);
    return quality ?? undefined;
  };
  const judged = mapInOrder(rows, concurrency, async (row) => {
    const attempts: AttemptedProblem["attempts"] = [];
    for (const attempt of row.attempts) {
      const quality = isOpen(attempt) ? await score({ problem: row.problem, ...attempt }) : null;
      attempts.push(quality ? { ...attempt, quality } : attempt);
    }
    return { ...row, attempts };
  });
  for await (const row of judged) keep(row);
  return report;
}

/** {@link judgeInto} for as many rows as fit in memory. @throws as `judgeInto` */
export async function judgeAttempts(
  judge: ReasoningJudge,
  rows: Iterable<AttemptedProblem>,
  options: JudgingOptions = {},
): Promise<JudgingReport & { rows: AttemptedProblem[] }> {
  const judged: AttemptedProblem[] = [];
  const report = await judgeInto((row) => judged.push(row), judge, rows, options);
  return { rows: judged, ...report };
}

/** The attempts that are to be judged. */
export function* openAttempts(rows: Iterable<AttemptedProblem>): Generator<Attempt> {
  for (const { problem, attempts } of rows) {
    for (const attempt of attempts) if (isOpen(attempt)) yield { problem, ...attempt };
  }
}

const isOpen = (attempt: Omit<Attempt, "problem">): boolean =>
  attempt.quality === undefined && unusable(attempt) === null;
