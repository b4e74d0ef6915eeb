/** The question by which VLMEvalKit has a model extract an answer: examples of the task, the question, the response. */
import type { JudgeQuestion } from "./judge";

interface Example {
  hint: string;
  question: string;
  response: string;
  answer: string;
}

const INTEGER = "a whole number";
const LETTER = "the letter of the correct option";

/** Written for the lab; they show the same five kinds of answer as the published examples. */
const EXAMPLES: readonly Example[] = [
  {
    hint: INTEGER,
    question: "How many dots are on the missing tile?",
    response: "Each tile has two dots more than the one before, so the missing tile has 12 dots.",
    answer: "12",
  },
  {
    hint: "a number with one decimal place",
    question: "Which share of the bars is higher than 10?",
    response: "Four of the ten bars are higher than 10, a share of 0.4.",
    answer: "0.4",
  },
  {
    hint: "a number with two decimal places",
    question: "How much do a pen and a ruler cost together? (Unit: $)",
    response: "The pen costs $1.20 and the ruler $0.55, together $1.75.",
    answer: "1.75",
  },
  {
    hint: "a Python list",
    question: "Between which two months does the line fall?",
    response: "The line falls between months 4 and 5.",
    answer: "[4, 5]",
  },
  {
    hint: LETTER,
    question: "What part of the square is grey?\nChoices:\n(A) 1/4\n(B) 3/8\n(C) 1/2",
    response: "Three of eight triangles are grey. The correct answer is (B) 3/8.",
    answer: "B",
  },
];

/** VLMEvalKit's five tries, each half a degree hotter. */
export const FIVE_TRIES = [0, 0.5, 1, 1.5, 2] as const;

/**
 * Asks for the answer in a response.
 * @param kind MathVision's examples name no kind of number
 */
export function extractionQuestion(
  kind: "mathvista" | "mathvision",
  question: string,
  response: string,
): JudgeQuestion<string | null> {
  const shown = EXAMPLES.map(({ hint, ...example }) =>
    [
      ...(kind === "mathvista" || hint === LETTER ? [`Hint: The answer is ${hint}.`] : []),
      `Question: ${example.question}`,
      `Model response: ${example.response}`,
      `Extracted answer: ${example.answer}`,
    ].join("\n"),
  );
  const task =
    "Read the examples. Then extract the answer from the model's response and write it at the end, without explanation.";
  const last = `${question}\n\nModel response: ${response}\nExtracted answer:`;
  return {
    prompt: [task, ...shown, last].join("\n\n"),
    temperatures: FIVE_TRIES,
    read: (reply) => (reply.trim() === "" ? null : reply.trim()),
    otherwise: "",
  };
}
