/** Who writes the reflections of Stage I. The embedded teacher works offline, from a problem's exact reading and steps. */
import { fault } from "../engine/errors";
import type { Problem, ReflectionSample, Verdict } from "../types";
import { checkReflection, secondThink } from "./dialect";

/** What a teacher sees: the problem with its gold answer, the policy's attempt and the verdict on it. */
export interface Lesson {
  problem: Problem;
  attempt: { think: string; answer: string };
  verdict: Verdict;
}

/** What a teacher writes: a reflection on the attempt, and the solution that follows from it. */
export type Teaching = Pick<ReflectionSample, "reflection" | "second">;

export interface Teacher {
  /** Goes into each sample's provenance. */
  name: string;
  reflect(lesson: Lesson): Promise<Teaching>;
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
      const misread = !attempt.think.trimStart().startsWith(reading);
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
