/** SFT records as LLaMA-Factory reads them: sharegpt with `messages` and `images`, one JSON object a line. */
import { fault } from "../engine/errors";
import type { ReflectionSample, Solution } from "../types";
import { carefulThink, checkedSteps, checkReflection, secondThink } from "./dialect";
import { questionText, SYSTEM_PROMPTS, type PromptStyle } from "./prompts";
import { renderResponse, renderSolution } from "./template";

export interface SharegptRecord {
  messages: { role: "system" | "user" | "assistant"; content: string }[];
  /** Paths of the pictures, one for each `<image>` in the user's message. */
  images: string[];
}

/**
 * A sample in the template of the RL stage, second think included. (The published SFT template has none, so that its
 * cold start teaches a format which the RL reward then calls wrong.)
 */
export function toSharegpt(
  sample: ReflectionSample,
  { style = "reflect" }: { style?: PromptStyle } = {},
): SharegptRecord {
  const { attempt, reflection, second } = sample;
  return record(sample, style, renderResponse({ first: attempt, reflection, second }));
}

/**
 * The control for {@link toSharegpt}: the same problem and the same teacher's steps, in one solution without reflection.
 * Where a problem has no exact steps, the teacher's second solution takes their place.
 */
export function toPlainCot(
  sample: ReflectionSample,
  { style = "direct" }: { style?: PromptStyle } = {},
): SharegptRecord {
  const { reading, steps, answer } = sample.problem;
  const solution: Solution =
    reading === undefined || steps === undefined
      ? sample.second
      : { think: carefulThink({ reading, steps }), answer };
  return record(sample, style, renderSolution(solution));
}

/**
 * The control that is as long as {@link toSharegpt}: the problem's exact steps, the same steps once more as a check, and the
 * conclusion, all in one think. What it never shows is a wrong attempt.
 * @throws LabError on a problem without exact steps
 */
export function toCheckedCot(
  sample: ReflectionSample,
  { style = "direct" }: { style?: PromptStyle } = {},
): SharegptRecord {
  const { id, reading, steps, answer } = sample.problem;
  if (reading === undefined || steps === undefined) {
    throw fault("toCheckedCot", `problem ${id} has no reading or no steps`, {
      expected: "a problem of visual-math",
    });
  }
  const check = checkReflection({ steps, right: true });
  const think = [carefulThink({ reading, steps }), check, secondThink(answer)].join(" ");
  return record(sample, style, renderSolution({ think, answer }));
}

/**
 * The control that separates reflection from more careful work: everything that the reflection and the second solution
 * compute, as one solution, with no attempt before it, no verdict and no tag.
 */
export function toStepsCot(
  sample: ReflectionSample,
  { style = "direct" }: { style?: PromptStyle } = {},
): SharegptRecord {
  return record(sample, style, renderSolution(stepsSolution(sample)));
}

/** The control of two-step thinking: the attempt, then the same steps as a second solution, and no reflection. */
export function toTwoStep(
  sample: ReflectionSample,
  { style = "two-step" }: { style?: PromptStyle } = {},
): SharegptRecord {
  const { attempt } = sample;
  const reply = renderResponse({
    first: attempt,
    reflection: null,
    second: stepsSolution(sample),
  });
  return record(sample, style, reply);
}

function stepsSolution({ problem, reflection, second }: ReflectionSample): Solution {
  const { reading = "" } = problem;
  const work = checkedSteps(reflection);
  const think = [work.startsWith(reading) ? "" : reading, work, second.think];
  return { think: think.filter((part) => part !== "").join(" "), answer: second.answer };
}

function record({ problem }: ReflectionSample, style: PromptStyle, reply: string): SharegptRecord {
  const pictures = problem.images.map(() => "<image>").join("");
  return {
    messages: [
      { role: "system", content: SYSTEM_PROMPTS[style] },
      { role: "user", content: pictures + questionText(problem) },
      { role: "assistant", content: reply },
    ],
    images: problem.images,
  };
}
