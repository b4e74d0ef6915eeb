/**
 * Attempts: several answers of a policy to each problem, judged, with the pass rate. Through the rollout interface, so that the policy
 * may be the embedded one, a checkpoint, or a model behind a server.
 */
import { existsSync } from "node:fs";
import { appendJsonl, jsonlRows, mendJsonl } from "../engine/files";
import { interrupted, interruptedAt } from "../engine/interrupt";
import { chunks, type List } from "../engine/lists";
import { judge } from "../reflection/equality";
import type { Attempt } from "../reflection/selection";
import { parseResponse } from "../reflection/template";
import type { Completion, Problem } from "../types";
import type { RolloutEngine, RolloutRequest } from "./engine";
import { SamplesFailed } from "./openai/engine";

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

/** What came of asking a list of problems. */
export interface AnswerReport {
  /** Problems that the file has answers to. */
  answered: number;
  /** The mean of their pass rates. */
  passRate: number;
  unasked: UnaskedProblem[];
}

/**
 * Asks every problem `group` times and appends an {@link AttemptedProblem} for each to the file, in the problems' order within what
 * was open. Neither problems nor answers are kept in memory.
 * @throws Interrupted when the signal aborts, and whatever ends every request; what was answered is in the file
 */
export async function answerProblems(
  engine: RolloutEngine,
  problems: List<Problem>,
  { file, batch = 64, onBegin, onProgress, ...request }: AttemptOptions,
): Promise<AnswerReport> {
  const earlier = passRatesIn(file);
  const total = problems.length;
  let [answered, sum] = [0, 0];
  for (const { id } of problems) {
    const rate = earlier.get(id);
    if (rate === undefined) continue;
    answered++;
    sum += rate;
  }
  onBegin?.(answered, total);
  const unasked: UnaskedProblem[] = [];
  const keep = (problem: Problem, completions: readonly Completion[]): void => {
    const row = attemptedProblem(problem, completions, engine.name);
    appendJsonl(file, row);
    answered++;
    sum += row.passRate;
  };
  const mean = (): number => sum / Math.max(1, answered);
  let done = answered;
  for (const part of chunks(without(problems, earlier), batch)) {
    const where = `attempts at problem ${done} of ${total}`;
    if (request.signal?.aborted) throw interrupted(where);
    const asked = await interruptedAt(where, request.signal, () =>
      answersOf(engine, part, request),
    );
    part.forEach((problem, i) => {
      const answer = asked[i];
      if (typeof answer === "string") unasked.push({ problem: problem.id, reason: answer });
      else keep(problem, answer);
    });
    done += part.length;
    onProgress?.(done, total, mean());
  }
  return { answered, passRate: mean(), unasked };
}

/** The pass rates of a file's problems, by their id. */
function passRatesIn(file: string): Map<string, number> {
  if (!existsSync(file)) return new Map();
  mendJsonl(file);
  const rates = new Map<string, number>();
  for (const { problem, passRate } of jsonlRows<AttemptedProblem>(file))
    rates.set(problem.id, passRate);
  return rates;
}

function* without(problems: Iterable<Problem>, known: ReadonlyMap<string, unknown>) {
  for (const problem of problems) if (!known.has(problem.id)) yield problem;
}

/**
 * {@link answerProblems} for as many problems as fit in memory.
 * @returns all of the file's rows for these problems in their order, and the problems that could not be asked
 * @throws as `answerProblems`
 */
export async function collectAttempts(
  engine: RolloutEngine,
  problems: readonly Problem[],
  options: AttemptOptions,
): Promise<{ attempted: AttemptedProblem[]; unasked: UnaskedProblem[] }> {
  const { unasked } = await answerProblems(engine, problems, options);
  const rows = new Map<string, AttemptedProblem>();
  if (existsSync(options.file)) {
    for (const row of jsonlRows<AttemptedProblem>(options.file)) rows.set(row.problem.id, row);
  }
  return { attempted: problems.flatMap(({ id }) => rows.get(id) ?? []), unasked };
}

/** Each problem's completions, or why it cannot be asked. */
async function answersOf(
  engine: RolloutEngine,
  problems: readonly Problem[],
  request: RolloutRequest,
): Promise<(Completion[] | string)[]> {
  try {
    return await engine.rollout(problems, { ...request, batch: problems.length });
  } catch (error) {
    if (!(error instanceof SamplesFailed)) throw error;
    // What failed has been asked as often as it may; the others' answers are in the client's cache.
    const { reasons } = error;
    const others = problems.filter((_problem, i) => !reasons.has(i));
    const answered = others.length === 0 ? [] : await answersOf(engine, others, request);
    return problems.map((_problem, i) => reasons.get(i) ?? (answered.shift() as Completion[]));
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
