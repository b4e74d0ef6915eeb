/**
 * Stage I: the policy's attempts and a teacher become reflection samples. Selection is in `selection.ts`, the filters in
 * `filters.ts`, the forms in which samples are saved in `records.ts`.
 */
import { fault } from "../engine/errors";
import { mapBounded } from "../engine/lists";
import type { ReflectionSample } from "../types";
import { inconsistencyOf, leakOf } from "./filters";
import {
  createDropTable,
  selectAttempts,
  type Attempt,
  type DropRow,
  type SelectionOptions,
} from "./selection";
import type { Teacher } from "./teacher";
import { parseResponse, renderSolution } from "./template";

export interface ConstructionOptions {
  teacher: Teacher;
  /** The checkpoint that the attempts come from. */
  policy: string;
  seed: number;
  /** How many lessons the teacher works on at a time. */
  concurrency?: number;
  signal?: AbortSignal;
  /** Called after each lesson. */
  onProgress?: (done: number, total: number) => void;
}

export interface Construction {
  samples: ReflectionSample[];
  dropped: DropRow[];
}

/** Selects attempts, has them reflected on and filters the result; the rows of `dropped` account for the rest. */
export async function constructSamples(
  options: ConstructionOptions & Omit<SelectionOptions, "seed">,
): Promise<Construction> {
  const { selected, dropped } = selectAttempts(options);
  const taught = await teachAttempts(selected, options);
  return { samples: taught.samples, dropped: [...dropped, ...taught.dropped] };
}

/**
 * Has a teacher reflect on each attempt; samples keep the attempts' order. A lesson that fails is dropped with its reason,
 * so that one bad reply among thousands does not lose the others.
 * @throws LabError with the first failure when every lesson failed; the signal's reason when aborted
 */
export async function teachAttempts(
  attempts: readonly Attempt[],
  options: ConstructionOptions,
): Promise<Construction> {
  const { teacher, concurrency = 4, signal, onProgress } = options;
  const drops = createDropTable();
  const failures: unknown[] = [];
  let done = 0;
  const samples = await mapBounded(attempts, concurrency, async (attempt) => {
    signal?.throwIfAborted();
    const right = attempt.verdict.correct;
    let sample: ReflectionSample | null = null;
    try {
      sample = await teach(attempt, options);
      const reason = leakReason(sample) ?? inconsistencyOf(sample);
      if (reason !== null) {
        drops.add(reason, right);
        sample = null;
      }
    } catch (error) {
      failures.push(error);
      drops.add("the teacher failed", right);
    }
    onProgress?.(++done, attempts.length);
    return sample;
  });
  if (attempts.length > 0 && failures.length === attempts.length) {
    throw fault("teachAttempts", `teacher ${teacher.name} failed on every attempt`, {
      got: failures[0] instanceof Error ? failures[0].message : failures[0],
      try: "the teacher on one attempt",
    });
  }
  return { samples: samples.flatMap((sample) => sample ?? []), dropped: drops.rows() };
}

async function teach(
  { problem, text, verdict }: Attempt,
  { teacher, policy, seed }: ConstructionOptions,
): Promise<ReflectionSample> {
  const { first } = parseResponse(text);
  // Tags and spacing as in the template, so that no sample teaches the attempt's faults.
  const attempt = { think: first.think ?? "", answer: first.answer ?? "" };
  const teaching = await teacher.reflect({ problem, attempt, verdict });
  return {
    problem,
    attempt: { text: renderSolution(attempt), ...attempt },
    verdict,
    mode: verdict.correct ? "condense" : "correct",
    reflection: teaching.reflection,
    second: teaching.second,
    provenance: { policy, teacher: teacher.name, seed },
  };
}

function leakReason({ reflection, problem }: ReflectionSample): string | null {
  const leak = leakOf(reflection, problem);
  return leak === null ? null : `the reflection ${leak}`;
}
