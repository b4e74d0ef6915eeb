/** SFT records as LLaMA-Factory reads them: sharegpt with `messages` and `images`, one JSON object a line. */
import type { ReflectionSample, Solution } from "../types";
import { carefulThink } from "./dialect";
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
