/** The questions that scorers put to a model: the answer in a response, the option that it means, whether it is right. */
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

/** VLMEvalKit's three tries at matching a response with the options, and at a short answer. */
export const THREE_TRIES = [0, 0, 0] as const;

/** Asks which option a response means. A reply that is no letter is asked again; after the third, no option. */
export function optionQuestion(
  question: string,
  options: readonly string[],
  response: string,
): JudgeQuestion<string | null> {
  const letters = options.map((_, i) => String.fromCharCode(65 + i));
  const listed = options.map((option, i) => `${letters[i]}. ${option}`).join("\n");
  return {
    prompt: [
      "Match a response with the options of a multiple-choice question: reply with the letter of the option that means the same as the response, and with Z if none does. Reply with one letter.",
      "Question: What is the largest object in the picture?\nOptions:\nA. bear\nB. lamp\nC. tree\nResponse: a big brown bear\nReply: A",
      "Question: What is the largest object in the picture?\nOptions:\nA. bear\nB. lamp\nC. tree\nResponse: a spider\nReply: Z",
      `Question: ${question}\nOptions:\n${listed}\nResponse: ${response}\nReply:`,
    ].join("\n\n"),
    temperatures: THREE_TRIES,
    read: (reply) => {
      const letter = reply.trim().replace(/[.()]/g, "");
      return letter === "Z" || letters.includes(letter) ? letter : null;
    },
    otherwise: null,
  };
}

/** Asks whether an answer is right, yes or no; what cannot be read counts as no. */
export function correctnessQuestion(options: {
  question: string;
  gold: string;
  response: string;
  /** Of each try; asked again when a reply cannot be read. */
  temperatures: readonly number[];
}): JudgeQuestion<boolean> {
  const { question, gold, response, temperatures } = options;
  return {
    prompt: [
      "Compare the final answer of a response with the correct answer of the question. Different spellings, notations and units of the same value are the same answer; the way to the answer does not count. Reply with Yes if the response's final answer is correct, else with No.",
      `Question: ${question}\nCorrect answer: ${gold}\nResponse: ${response}\nReply:`,
    ].join("\n\n"),
    temperatures,
    read: (reply) => {
      const word = /^\W*(yes|no|correct|incorrect|[01])\b/i.exec(reply)?.[1].toLowerCase();
      return word === undefined ? null : ["yes", "correct", "1"].includes(word);
    },
    otherwise: false,
  };
}

/** MathVerse asks until a reply can be read; somebody has to stop. */
const TEN_TRIES = Array.from({ length: 10 }, () => 0);

/** MathVerse's first question: the short answer in a response, without explanation; "null" where there is none. */
export function shortAnswerQuestion(response: string): JudgeQuestion<string | null> {
  return {
    prompt: [
      "From a model's response to a mathematics problem, copy the final answer and nothing else. If the response holds no answer, write null.",
      "Model response: 'Rounded to one decimal place, the perimeter is 14.2 cm.'\nExtracted Answer: 14.2 cm",
      "Model response: 'Therefore the statement about the two lines is\n\nC. They meet at one point.'\nExtracted Answer: C",
      "Model response: 'The domain is \\((-1, 4]\\) and the range \\([0, 2)\\).'\nExtracted Answer: Domain: \\((-1, 4]\\), Range: \\([0, 2)\\)",
      "Model response: 'Without the figure the angle cannot be found.'\nExtracted Answer: null",
      `Model response: '${response}'\nExtracted Answer: `,
    ].join("\n\n"),
    temperatures: FIVE_TRIES,
    read: (reply) => (reply.trim() === "" ? null : reply.trim()),
    otherwise: null,
  };
}

/** MathVerse's second question: whether an extracted answer agrees with the standard one, 1 or 0. */
export function scoreQuestion(options: {
  question: string;
  gold: string;
  answer: string;
}): JudgeQuestion<boolean> {
  const { question, gold, answer } = options;
  return {
    prompt: [
      "Two answers to a mathematics question are given. Judge whether the model's answer agrees completely with the standard answer; for questions without options the same meaning in other words agrees (0.5 m and 50 cm). Reply with 1 if they agree, else with 0.",
      "[Question]: Write the interval shown on the number line.\n[Standard Answer]: (-1,3]\n[Model Answer]: (-1, 3)\nJudgement: 0",
      "[Question]: How long is AB? Choices: A:2 B:4 C:6 D:8\n[Standard Answer]: C\n[Model Answer]: B:4\nJudgement: 0",
      "[Question]: How long is AB? Choices: A:2 B:4 C:6 D:8\n[Standard Answer]: C\n[Model Answer]: null\nJudgement: 0",
      "[Question]: Which equation has the circle? A. x^2+y^2=4 B. Cannot be told.\n[Standard Answer]: A\n[Model Answer]: x^2+y^2=4\nJudgement: 1",
      `[Question]: ${question}\n[Standard Answer]: ${gold}\n[Model Answer]: ${answer}\nJudgement: `,
    ].join("\n\n"),
    temperatures: TEN_TRIES,
    read: (reply) => (/^[01]$/.test(reply.trim()) ? reply.trim() === "1" : null),
    otherwise: false,
  };
}
