/** Who writes the reflections of Stage I. The embedded teacher works offline, from a problem's exact reading and steps. */
import { fault, LabError } from "../engine/errors";
import type { Problem, ReflectionSample, Verdict } from "../types";
import { checkReflection, readsWhole, secondThink } from "./dialect";

/** What a teacher sees: the problem with its gold answer, the policy's attempt and the verdict on it. */
export interface Lesson {
  problem: Problem;
  attempt: { think: string; answer: string };
  verdict: Verdict;
}

/** What a teacher writes: a reflection on the attempt, and the solution that follows from it. */
export interface Teaching extends Pick<ReflectionSample, "reflection" | "second" | "flaw"> {
  /** The reply as it came, where the parts were taken out of one. */
  reply?: string;
}

/** A teaching that was not taken: what was written, and why, in words that the teacher is told. */
export interface Rejection {
  reply: string;
  reason: string;
}

export interface Teacher {
  /** Goes into each sample's provenance. */
  name: string;
  /** What determines its words beside its name (prompts, temperature …); goes into the run's name and each sample's provenance. */
  settings?: Readonly<Record<string, string | number>>;
  /**
   * @param rejections what it wrote in this lesson before; a teacher that always writes the same may ignore them
   * @throws MalformedTeaching when the reply cannot be read, TeacherStopped when no lesson can be taught any more; anything else
   * costs this lesson
   */
  reflect(lesson: Lesson, rejections?: readonly Rejection[]): Promise<Teaching>;
}

/** A reply that has not the form asked for. It may be asked for again. */
export class MalformedTeaching extends Error {
  override name = "MalformedTeaching";
  constructor(
    readonly reply: string,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** The teacher answers nobody any more: its budget is used up, or its server refuses everything. */
export class TeacherStopped extends LabError {
  override name = "TeacherStopped";
}

/**
 * The embedded teacher: it does the steps again and says its verdict after them; where the attempt misread the picture, it
 * first says what the picture shows.
 *
 * `reflect` rejects with a LabError on a problem without reading or steps.
 */
export function createRuleTeacher(): Teacher {
  return {
    name: "rule",
    reflect: async ({ problem, attempt, verdict }) => {
      const { reading, steps, answer } = problem;
      if (reading === undefined || steps === undefined || steps.length === 0) {
        throw fault("createRuleTeacher", `problem ${problem.id} has no reading or no steps`, {
          expected: "a problem of visual-math",
          try: "another teacher for problems of other sources",
        });
      }
      const misread = !readsWhole(attempt.think, reading);
      return {
        reflection: checkReflection({
          ...(misread ? { reading } : {}),
          steps,
          right: verdict.correct,
        }),
        second: { think: secondThink(answer), answer },
      };
    },
  };
}
