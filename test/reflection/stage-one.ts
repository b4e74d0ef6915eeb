/** Problems and attempts for the tests of Stage I. */
import { generateItems } from "../../datasets/visual-math/problems";
import { judge } from "../../lib/reflection/equality";
import type { Attempt } from "../../lib/reflection/selection";
import type { Problem } from "../../lib/types";

export const sums: Problem = {
  id: "sum-1",
  question: "What is the sum of the bars?",
  images: ["bars.png"],
  answer: "61",
  answerType: "number",
  family: "bars",
  level: 1,
  subject: "statistics",
  source: "visual-math",
  reading: "The bars are 34 and 27.",
  steps: ["4+7=11, 3+2+1=6"],
};

/** Drawn problems of many families, without their pictures. */
export function drawnProblems(count: number): Problem[] {
  return generateItems({ split: "sft", count, seed: "stage-one", allowRepeats: true }).map(
    ({ problem }) => problem,
  );
}

/** An attempt that reads the picture rightly and answers `answer`. */
export function attemptAt(problem: Problem, answer: string): Attempt {
  const text = `<think>${problem.reading} So.</think><answer>${answer}</answer>`;
  return { problem, text, verdict: judge(answer, problem) };
}

export function rightAttempt(problem: Problem): Attempt {
  return attemptAt(problem, problem.answer);
}

export function wrongAttempt(problem: Problem): Attempt {
  return attemptAt(problem, String(Number(problem.answer) + 10));
}
