/**
 * Stage I: the policy's attempts and a teacher become reflection samples. Selection is in `selection.ts`, the filters in
 * `filters.ts`, the forms in which samples are saved in `records.ts`.
 */
import { fault } from "../engine/errors";
import { lazyList, mapInOrder, type List } from "../engine/lists";
import type { ReflectionSample } from "../types";
import { anyLength, modelBounds, rejectionOf, type LengthBounds } from "./filters";
import {
  candidateOf,
  createDropTable,
  selectCandidates,
  SURPLUS,
  type Attempt,
  type Candidate,
  type DropRow,
  type SelectionOptions,
  type SelectionRule,
} from "./selection";
import { createRepeatFilter } from "./stock-phrases";
import {
  MalformedTeaching,
  TeacherStopped,
  type Lesson,
  type Rejection,
  type Teacher,
  type Teaching,
} from "./teacher";
import { parseResponse, renderSolution } from "./template";

export interface ConstructionOptions {
  teacher: Teacher;
  /** The checkpoint that the attempts come from. */
  policy: string;
  seed: number;
  /** How many lessons the teacher works on at a time. */
  concurrency?: number;
  /** How often a lesson is taught until the filters take the result; each time the teacher is told why they did not. */
  tries?: number;
  bounds?: LengthBounds;
  /** How many reflections may be nearly the same; any number unless told otherwise. */
  mostAlike?: number;
  signal?: AbortSignal;
  /** Hears of the attempts that are about to be taught, before the first is: what that costs can be estimated. */
  onSelected?: (attempts: List<Attempt>) => void | Promise<void>;
  /** Called after each lesson. */
  onProgress?: (done: number, total: number) => void;
}

/** What suits a model as the teacher: it may try again, must write sentences, and falls into habits. */
export const modelTeaching = { tries: 3, bounds: modelBounds, mostAlike: 5 } as const;

/** What became of the attempts beside the samples. */
export interface ConstructionReport {
  /** Attempts of which nothing became, by the last reason. */
  dropped: DropRow[];
  /** Teachings that a filter did not take, also those that were repeated with success. */
  rejected: DropRow[];
  /** Why the teacher answered nobody any more before the end; the samples are what it taught until then. */
  stopped?: TeacherStopped;
}

export interface Construction extends ConstructionReport {
  samples: ReflectionSample[];
}

/** Attempts that may stay on disk. */
export interface AttemptSource {
  candidates: readonly Candidate[];
  attemptAt(at: number): Attempt;
}

/** {@link constructInto} with attempts and samples in memory. */
export async function constructSamples({
  attempts,
  ...options
}: ConstructionOptions & Omit<SelectionOptions, "seed">): Promise<Construction> {
  const source = { candidates: attempts.map(candidateOf), attemptAt: (at: number) => attempts[at] };
  const samples: ReflectionSample[] = [];
  const report = await constructInto((sample) => samples.push(sample), source, options);
  return { samples, ...report };
}

/**
 * Selects attempts, has them reflected on and filters the result; the rows of `dropped` account for the rest. Where a lesson fails, the
 * next attempt of its kind takes its place, so that size and share are reached as far as there are attempts.
 * @param keep receives the samples one by one; nothing else holds them
 */
export async function constructInto(
  keep: (sample: ReflectionSample) => void,
  { candidates, attemptAt }: AttemptSource,
  options: ConstructionOptions & Omit<SelectionRule, "seed">,
): Promise<ConstructionReport> {
  const { selected, reserve, dropped: notSelected } = selectCandidates(candidates, options);
  const attemptsOf = (batch: readonly Candidate[]): List<Attempt> =>
    lazyList(batch.length, (i) => attemptAt(batch[i].at));
  await options.onSelected?.(attemptsOf(selected));
  const wanted = { right: selected.filter(({ right }) => right).length, all: selected.length };
  const repeats = createRepeatFilter(options.mostAlike ?? Infinity);
  const [drops, rejections] = [createDropTable(), createDropTable()];
  const kept = { right: 0, all: 0 };
  const count = (sample: ReflectionSample): void => {
    kept.all++;
    if (sample.verdict.correct) kept.right++;
    keep(sample);
  };
  let stopped: TeacherStopped | undefined;
  let earlier = 0;
  for (let batch = selected; batch.length > 0 && stopped === undefined;) {
    const done = earlier;
    const total = done + batch.length;
    const onProgress = (n: number): void => options.onProgress?.(done + n, total);
    const taught = await teachInto(count, attemptsOf(batch), { ...options, onProgress }, repeats);
    earlier = total;
    drops.merge(taught.dropped);
    rejections.merge(taught.rejected);
    stopped = taught.stopped;
    batch = [
      ...reserve.right.splice(0, wanted.right - kept.right),
      ...reserve.wrong.splice(0, wanted.all - wanted.right - (kept.all - kept.right)),
    ];
  }
  const left = { right: reserve.right.length, wrong: reserve.wrong.length };
  const dropped = [
    ...notSelected.map((row) => (row.reason === SURPLUS ? { ...row, ...left } : row)),
    ...drops.rows(),
  ].filter(({ right, wrong }) => right + wrong > 0);
  return { dropped, rejected: rejections.rows(), ...(stopped === undefined ? {} : { stopped }) };
}

/** {@link teachInto} with the samples in memory. @throws as `teachInto` */
export async function teachAttempts(
  attempts: List<Attempt>,
  options: ConstructionOptions,
): Promise<Construction> {
  const samples: ReflectionSample[] = [];
  const report = await teachInto((sample) => samples.push(sample), attempts, options);
  return { samples, ...report };
}

/**
 * Has a teacher reflect on each attempt; samples keep the attempts' order. A lesson that fails is dropped with its reason,
 * so that one bad reply among thousands does not lose the others.
 * @param keep receives the samples one by one; nothing else holds them
 * @param repeats says of each reflection in the attempts' order whether there were enough like it
 * @throws LabError with the first failure when every lesson failed; the signal's reason when aborted
 */
export async function teachInto(
  keep: (sample: ReflectionSample) => void,
  attempts: List<Attempt>,
  options: ConstructionOptions,
  repeats: (reflection: string) => boolean = createRepeatFilter(options.mostAlike ?? Infinity),
): Promise<ConstructionReport> {
  const { teacher, concurrency = 4, signal, onProgress } = options;
  const [drops, rejections] = [createDropTable(), createDropTable()];
  const failed = { count: 0, first: undefined as unknown };
  let stopped: TeacherStopped | undefined;
  let done = 0;
  const lessons = mapInOrder(attempts, concurrency, async (attempt) => {
    signal?.throwIfAborted();
    const right = attempt.verdict.correct;
    if (stopped !== undefined) {
      drops.add("not taught", right);
      return null;
    }
    let sample: ReflectionSample | null = null;
    try {
      const outcome = await teach(attempt, options, (reason) => rejections.add(reason, right));
      if ("sample" in outcome) sample = outcome.sample;
      else drops.add(outcome.reason, right);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TeacherStopped) {
        stopped ??= error;
        drops.add("not taught", right);
        return null;
      }
      if (failed.count++ === 0) failed.first = error;
      drops.add("the teacher failed", right);
    }
    onProgress?.(++done, attempts.length);
    return sample;
  });
  for await (const sample of lessons) {
    if (sample === null) continue;
    // In the attempts' order, and not in that of the replies, so that the same attempts give the same samples.
    if (!repeats(sample.reflection)) keep(sample);
    else drops.add("the reflection is nearly that of several others", sample.verdict.correct);
  }
  if (attempts.length > 0 && failed.count === attempts.length) {
    throw fault("teachAttempts", `teacher ${teacher.name} failed on every attempt`, {
      got: failed.first instanceof Error ? failed.first.message : failed.first,
      try: "the teacher on one attempt",
    });
  }
  return {
    dropped: drops.rows(),
    rejected: rejections.rows(),
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** An attempt as its teacher sees it: tags and spacing as in the template, so that no sample teaches the attempt's faults. */
export function lessonOf({ problem, text, verdict }: Attempt): Lesson {
  const { first } = parseResponse(text);
  return { problem, attempt: { think: first.think ?? "", answer: first.answer ?? "" }, verdict };
}

/** One lesson, repeated with the reason until the filters take what is taught. */
async function teach(
  attempt: Attempt,
  options: ConstructionOptions,
  onRejection: (reason: string) => void,
): Promise<{ sample: ReflectionSample } | { reason: string }> {
  const { teacher, tries = 1, bounds = anyLength } = options;
  const lesson = lessonOf(attempt);
  const rejections: Rejection[] = [];
  for (;;) {
    const outcome = await taught(teacher, lesson, rejections);
    let reason: string | null;
    if ("teaching" in outcome) {
      const sample = sampleOf(attempt, lesson, outcome.teaching, options, rejections.length + 1);
      reason = rejectionOf(sample, bounds);
      if (reason === null) return { sample };
    } else {
      ({ reason } = outcome);
    }
    onRejection(reason);
    rejections.push({ reply: outcome.reply, reason });
    if (rejections.length >= tries) return { reason };
  }
}

async function taught(
  teacher: Teacher,
  lesson: Lesson,
  rejections: readonly Rejection[],
): Promise<({ teaching: Teaching } | { reason: string }) & { reply: string }> {
  try {
    const teaching = await teacher.reflect(lesson, rejections);
    return { teaching, reply: teaching.reply ?? teaching.reflection };
  } catch (error) {
    if (error instanceof MalformedTeaching) return { reason: error.reason, reply: error.reply };
    throw error;
  }
}

function sampleOf(
  { quality }: Attempt,
  { problem, attempt, verdict }: Lesson,
  { reflection, second, flaw }: Teaching,
  { teacher, policy, seed }: ConstructionOptions,
  tries: number,
): ReflectionSample {
  return {
    problem,
    attempt: { text: renderSolution(attempt), ...attempt },
    verdict,
    mode: verdict.correct ? "condense" : "correct",
    reflection,
    second,
    ...(flaw === undefined ? {} : { flaw }),
    provenance: {
      policy,
      teacher: teacher.name,
      seed,
      ...(teacher.settings === undefined ? {} : { settings: teacher.settings, tries }),
      ...(quality === undefined ? {} : { quality }),
    },
  };
}
