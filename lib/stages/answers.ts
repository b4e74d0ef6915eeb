/** Answers of an engine to benchmark questions, on disk the moment they are there: a run that was killed goes on at its next sample. */
import { existsSync } from "node:fs";
import { appendJsonl, mendJsonl, readJsonl } from "../engine/files";
import { interrupted } from "../engine/interrupt";
import { chunk, mapBounded } from "../engine/lists";
import type { AskedProblem } from "../bench/ask";
import type { RolloutEngine, RolloutRequest } from "../rollout/engine";
import { RequestFailed } from "../rollout/openai/client";
import type { Completion, Problem } from "../types";

/** One sample, as `answers.jsonl` has it. */
export interface Answer {
  /** Names what was asked, pictures included. */
  key: string;
  problem: string;
  sample: number;
  text: string;
  truncated: boolean;
  completionTokens: number;
  promptTokens: number | null;
}

export interface KeyedProblem {
  asked: AskedProblem;
  key: string;
}

export interface CollectOptions {
  /** Opens the engine for the time of `work`; not called when the file has every answer. */
  withEngine<T>(work: (engine: RolloutEngine) => Promise<T>): Promise<T>;
  request: Omit<RolloutRequest, "batch" | "messages" | "onProgress" | "signal">;
  /** JSON Lines that are added to. */
  file: string;
  /** Problems that are asked at once. */
  batch: number;
  /** Batches under way at a time. */
  parallel: number;
  signal: AbortSignal;
  /** Hears of each problem's samples, those of an earlier run first. */
  onAnswers(at: number, answers: readonly Answer[]): Promise<void>;
}

/**
 * Asks what the file does not have yet.
 * @returns the problems that a server refused or failed to answer, with the reason; another run asks them again
 * @throws Interrupted when the signal aborts, and whatever ends every request; what was answered is in the file
 */
export async function collectAnswers(
  problems: readonly KeyedProblem[],
  { withEngine, request, file, batch, parallel, signal, onAnswers }: CollectOptions,
): Promise<{ problem: string; reason: string }[]> {
  const known = readAnswers(file);
  const open: number[] = [];
  for (const [at, { key }] of problems.entries()) {
    const samples = Array.from({ length: request.group }, (_, i) => known.get(`${key}/${i}`));
    if (samples.every((answer): answer is Answer => answer !== undefined)) {
      await onAnswers(at, samples);
    } else open.push(at);
  }
  const messages = new Map(problems.map(({ asked }) => [asked.problem, asked.messages]));
  const ask = (engine: RolloutEngine, asked: readonly Problem[]): Promise<Completion[][]> =>
    engine.rollout(asked, {
      ...request,
      ...{ batch: asked.length, signal, messages: (problem) => messages.get(problem) ?? [] },
    });
  const unanswered: { problem: string; reason: string }[] = [];
  let stop: unknown;
  const answerPart = async (engine: RolloutEngine, part: readonly number[]): Promise<void> => {
    if (stop !== undefined) return;
    try {
      const completions = await ask(
        engine,
        part.map((at) => problems[at].asked.problem),
      );
      for (const [i, at] of part.entries()) {
        const answers = completions[i].map((completion, n) =>
          answerOf(problems[at], n, completion),
        );
        for (const answer of answers) appendJsonl(file, answer);
        await onAnswers(at, answers);
      }
    } catch (error) {
      if (!(error instanceof RequestFailed)) stop ??= error;
      else for (const at of part) unanswered.push(failure(problems[at], error));
    }
  };
  if (open.length > 0) {
    await withEngine((engine) =>
      mapBounded(chunk(open, batch), parallel, (part) => answerPart(engine, part)),
    );
  }
  if (signal.aborted)
    throw interrupted(`the benchmark with ${open.length} problems open at its start`);
  if (stop !== undefined) throw stop;
  return unanswered;
}

const failure = (
  { asked }: KeyedProblem,
  { message }: Error,
): { problem: string; reason: string } => ({
  problem: asked.problem.id,
  reason: message,
});

function answerOf({ asked, key }: KeyedProblem, sample: number, completion: Completion): Answer {
  const { text, truncated, ids, tokenCount, promptTokens } = completion;
  return {
    ...{ key, problem: asked.problem.id, sample, text, truncated },
    completionTokens: tokenCount ?? ids.length,
    promptTokens: promptTokens ?? null,
  };
}

/** By key and sample, the later of two of one name. */
function readAnswers(file: string): Map<string, Answer> {
  if (!existsSync(file)) return new Map();
  mendJsonl(file);
  return new Map(readJsonl<Answer>(file).map((row) => [`${row.key}/${row.sample}`, row]));
}
