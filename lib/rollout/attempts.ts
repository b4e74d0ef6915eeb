/**
 * Attempts: several answers of a policy to each problem, judged, with the pass rate. Through the rollout interface, so that the policy
 * may be the embedded one, a checkpoint, or a model behind a server.
 */
import { existsSync } from "node:fs";
import { appendJsonl, readJsonl, writeJsonl } from "../engine/files";
import { interrupted, interruptedAt } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { judge } from "../reflection/equality";
import type { Attempt } from "../reflection/selection";
import { parseResponse } from "../reflection/template";
import type { Completion, Problem } from "../types";
import type { RolloutEngine, RolloutRequest } from "./engine";
import { RequestFailed } from "./openai/client";

/** A problem with the answers that a policy gave to it. */
export interface AttemptedProblem {
  problem: Problem;
  policy: string;
  attempts: Omit<Attempt, "problem">[];
  /** Share of right answers; a problem that is always or never solved teaches GRPO nothing. */
  passRate: number;
}

/** A problem that could not be asked, e.g. because a server refuses its picture. */
export interface UnaskedProblem {
  problem: string;
  reason: string;
}

export interface AttemptOptions extends Omit<RolloutRequest, "batch" | "onProgress"> {
  /** JSON Lines that are added to; problems which an earlier run has answered are not asked again. */
  file: string;
  /** Problems that are asked at once; their attempts are on disk afterwards. */
  batch?: number;
  /** Hears of how many problems the file has answers to already. */
  onBegin?: (earlier: number, total: number) => void;
  /** Hears of all that is in the file, after each batch. */
  onProgress?: (done: number, total: number, passRate: number) => void;
}

/** The attempts one by one, as selection takes them. */
export function attemptsOf(rows: readonly AttemptedProblem[]): Attempt[] {
  return rows.flatMap(({ problem, attempts }) =>
    attempts.map((attempt) => ({ problem, ...attempt })),
  );
}

/** The mean of the problems' pass rates. */
export function meanPassRate(rows: readonly AttemptedProblem[]): number {
  return rows.reduce((sum, row) => sum + row.passRate, 0) / Math.max(1, rows.length);
}

/**
 * Asks every problem `group` times and appends an {@link AttemptedProblem} for each to the file, in the problems' order within what
 * was open.
 * @returns all of the file's rows for these problems in their order, and the problems that could not be asked
 * @throws Interrupted when the signal aborts, and whatever ends every request; what was answered is in the file
 */
export async function collectAttempts(
  engine: RolloutEngine,
  problems: readonly Problem[],
  { file, batch = 64, onBegin, onProgress, ...request }: AttemptOptions,
): Promise<{ attempted: AttemptedProblem[]; unasked: UnaskedProblem[] }> {
  const earlier = existsSync(file) ? readJsonl<AttemptedProblem>(file) : [];
  // A line that a crash cut short would swallow the one appended to it.
  if (earlier.length > 0) writeJsonl(file, earlier);
  const rows = new Map(earlier.map((row) => [row.problem.id, row]));
  const open = problems.filter(({ id }) => !rows.has(id));
  const asked = (): AttemptedProblem[] => problems.flatMap(({ id }) => rows.get(id) ?? []);
  const unasked: UnaskedProblem[] = [];
  let done = 0;
  onBegin?.(problems.length - open.length, problems.length);
  const keep = (problem: Problem, completions: readonly Completion[]): void => {
    const row = attemptedProblem(problem, completions, engine.name);
    appendJsonl(file, row);
    rows.set(problem.id, row);
  };
  for (const part of chunk(open, batch)) {
    const where = `attempts at problem ${problems.length - open.length + done} of ${problems.length}`;
    if (request.signal?.aborted) throw interrupted(where);
    const answered = await interruptedAt(where, request.signal, () =>
      rolloutOrNull(engine, part, request),
    );
    if (answered !== null) part.forEach((problem, i) => keep(problem, answered[i]));
    // One problem of the batch cannot be asked. The others' answers are in the client's cache.
    else for (const problem of part) await askAlone(engine, problem, request, keep, unasked);
    done += part.length;
    onProgress?.(problems.length - open.length + done, problems.length, meanPassRate(asked()));
  }
  return { attempted: asked(), unasked };
}

async function rolloutOrNull(
  engine: RolloutEngine,
  problems: readonly Problem[],
  request: RolloutRequest,
): Promise<Completion[][] | null> {
  try {
    return await engine.rollout(problems, { ...request, batch: problems.length });
  } catch (error) {
    if (error instanceof RequestFailed) return null;
    throw error;
  }
}

async function askAlone(
  engine: RolloutEngine,
  problem: Problem,
  request: RolloutRequest,
  keep: (problem: Problem, completions: readonly Completion[]) => void,
  unasked: UnaskedProblem[],
): Promise<void> {
  try {
    const [completions] = await engine.rollout([problem], request);
    keep(problem, completions);
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    unasked.push({ problem: problem.id, reason: error.message });
  }
}

function attemptedProblem(
  problem: Problem,
  completions: readonly Completion[],
  policy: string,
): AttemptedProblem {
  const attempts = completions.map(({ text, truncated }) => ({
    ...{ text, truncated },
    verdict: judge(parseResponse(text).first.answer, problem),
  }));
  const right = attempts.filter(({ verdict }) => verdict.correct).length;
  return {
    problem,
    policy,
    attempts,
    passRate: attempts.length === 0 ? 0 : right / attempts.length,
  };
}
