/** What a policy is asked, as Hugging Face chat messages. Text lives here, in raw strings, and in no shell script. */
import type { Problem } from "../types";

/**
 * How a policy is asked. `direct` (one solution), `reflect` (two, a reflection between them) and `two-step` (two, and no
 * reflection) are the short prompts of the embedded policy; `paper-direct` and `paper` ask the same of a large
 * instruction-tuned model.
 */
export type PromptStyle = "direct" | "reflect" | "two-step" | "paper-direct" | "paper";

/** The system prompt of SRPO for large models: the content of the paper's appendix B.4, in other words. */
export const paperSystemPrompt = String.raw`Solve the user's problem in two rounds, and look critically at the first round before you start the second.

1. Work the problem out step by step. Put this reasoning between <think> and </think>.
2. State your first answer between <answer> and </answer>, in LaTeX, with the result in \boxed{}.
3. Examine that reasoning and that answer critically: look for mistakes, gaps and anything that could be done better. Put this self-reflection between <reflection> and </reflection>.
4. Reason anew in the light of your reflection, between <think> and </think>. Improve on the first reasoning even when the answer stays the same.
5. State the new answer between <answer> and </answer>, in LaTeX, with the result in \boxed{}.

Write exactly this sequence, leave no part out and add nothing around it:
<think> first reasoning </think> <answer> first answer </answer> <reflection> self-reflection </reflection> <think> second reasoning </think> <answer> second answer </answer>

Example, for the problem "What is $1+1$?":
<think> One thing and one more thing are two things, so $1+1=2$. </think> <answer> $\boxed{2}$ </answer> <reflection> The sum is right, but counting things was loose; the definition of the number 2 as the successor of 1 settles it directly. </reflection> <think> The successor of $1$ is $2$ by definition, and adding $1$ gives the successor, so $1+1=2$. </think> <answer> $\boxed{2}$ </answer>`;

/** One solution and no reflection, for plain GRPO and for the first attempts of Stage I. */
export const paperDirectPrompt = String.raw`Solve the user's problem. First reason step by step between <think> and </think>, then state the answer between <answer> and </answer>: the capital letter of a multiple-choice question, a number or an expression otherwise, in LaTeX, with the result in \boxed{} and no explanation.`;

export const SYSTEM_PROMPTS: Readonly<Record<PromptStyle, string>> = {
  direct: "Solve.",
  reflect: "Solve, reflect, solve again.",
  "two-step": "Solve, solve again.",
  "paper-direct": paperDirectPrompt,
  paper: paperSystemPrompt,
};

export type ContentPart = { type: "image" } | { type: "text"; text: string };

/** A message as chat templates take it; pictures are passed beside the messages, in order. */
export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string | ContentPart[];
}

/** System prompt and problem: the pictures first, as Qwen2.5-VL was trained to see them, then the question. */
export function buildMessages(
  problem: Pick<Problem, "question" | "images" | "choices">,
  style: PromptStyle,
): ChatMessage[] {
  return [
    { role: "system", content: SYSTEM_PROMPTS[style] },
    {
      role: "user",
      content: [
        ...problem.images.map(() => ({ type: "image" as const })),
        { type: "text", text: questionText(problem) },
      ],
    },
  ];
}

/** The question, with its choices below it unless the source has written them into the question. */
export function questionText({ question, choices }: Pick<Problem, "question" | "choices">): string {
  if (choices === undefined || choices.length === 0 || /\(A\)|^A[.:)]/m.test(question)) {
    return question;
  }
  const lines = choices.map((choice, index) => `(${String.fromCharCode(65 + index)}) ${choice}`);
  return [question, ...lines].join("\n");
}
