/** How a benchmark's question is put to a model: in its authors' words, in SRPO's two solutions, or as the embedded policies know it. */
import { fault } from "../engine/errors";
import { contentHash, canonicalJson } from "../engine/files";
import {
  buildMessages,
  SYSTEM_PROMPTS,
  type ChatMessage,
  type PromptStyle,
} from "../reflection/prompts";
import type { Problem } from "../types";
import type { Benchmark, PromptPart, RuleFamily } from "./benchmark";
import type { LoadedProblem } from "./load";
import { openQuestion } from "./open-question";

/**
 * `cot` and `direct`: the benchmark's own prompt, with reasoning and without. `srpo`: the same question under SRPO's system prompt,
 * for two solutions; `srpo-direct`: for one in the same tags. `lab`, `lab-reflect` and `lab-two-step`: the bare question under
 * the embedded policies' own system prompts.
 */
export const ASK_KINDS = [
  "cot",
  "direct",
  "srpo",
  "srpo-direct",
  "lab",
  "lab-reflect",
  "lab-two-step",
] as const;
export type AskKind = (typeof ASK_KINDS)[number];

/** A question as it is sent. */
export interface AskedProblem {
  /** With its images in the prompt's order. */
  problem: Problem;
  messages: ChatMessage[];
  /** Options that the question was asked without; a response that names one by its text is given its letter. */
  options: readonly string[];
}

const STYLES: Readonly<Record<Exclude<AskKind, "cot" | "direct">, PromptStyle>> = {
  srpo: "paper",
  "srpo-direct": "paper-direct",
  lab: "direct",
  "lab-reflect": "reflect",
  "lab-two-step": "two-step",
};

/** @throws LabError when the prompt names a picture that the record does not have */
export function askProblem(
  benchmark: Benchmark,
  { record, problem }: LoadedProblem,
  kind: AskKind,
  rules: RuleFamily,
): AskedProblem {
  if (kind === "lab" || kind === "lab-reflect" || kind === "lab-two-step") {
    const open = openQuestion(problem);
    return { ...open, messages: buildMessages(open.problem, STYLES[kind]) };
  }
  const parts = benchmark.prompt(record, kind === "direct" ? "direct" : "cot", rules);
  const images = parts.flatMap((part) => (part.type === "image" ? [pictureOf(problem, part)] : []));
  const content = parts.map((part) => (part.type === "image" ? { type: part.type } : part));
  const system =
    kind === "cot" || kind === "direct"
      ? []
      : [{ role: "system" as const, content: SYSTEM_PROMPTS[STYLES[kind]] }];
  return {
    problem: { ...problem, images },
    messages: [...system, { role: "user", content }],
    options: [],
  };
}

function pictureOf(problem: Problem, { image }: Extract<PromptPart, { type: "image" }>): string {
  const path = problem.images[image];
  if (path !== undefined) return path;
  throw fault("askProblem", `problem ${problem.id} is asked with picture ${image + 1}`, {
    expected: `at most ${problem.images.length}, as many as its record has`,
    try: "a file with pictures, or --images",
  });
}

/** Names a problem by what is sent for it. @param pictures hashes of its images, in order */
export function askedKey({ problem, messages }: AskedProblem, pictures: readonly string[]): string {
  return contentHash(canonicalJson({ id: problem.id, messages, pictures }), 24);
}
