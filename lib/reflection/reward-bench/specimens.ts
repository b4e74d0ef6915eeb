/**
 * The responses on which a reward is tried, written to length. They are counted in words and tags, one token each, so that a
 * length can be set exactly whatever tokenizer a policy has.
 */
import type { Problem } from "../../types";
import { renderResponse } from "../template";

/** Words and tags, one token each. */
export function countWords(text: string): number {
  return text.match(/<[^<>\s]*>|[^\s<]+|</g)?.length ?? 0;
}

/** Tags of a response with two solutions. */
export const TAG_TOKENS = 10;

const common = {
  images: [],
  family: "bars",
  level: 1,
  subject: "arithmetic",
  source: "reward-bench",
};

/** A problem with its right answer and two wrong ones. */
export interface Question {
  problem: Problem;
  right: string;
  wrong: string;
  otherWrong: string;
}

export const numberQuestion: Question = {
  problem: {
    ...common,
    id: "reward-bench/number",
    question: "The bars show 34 and 27. What is their sum?",
    answer: "61",
    answerType: "number",
  },
  right: "61",
  wrong: "51",
  otherWrong: "52",
};

export const choiceQuestion: Question = {
  problem: {
    ...common,
    id: "reward-bench/choice",
    question: "The bars show 34 and 27. What is their sum? (A) 61 (B) 51 (C) 71 (D) 81",
    answer: "A",
    answerType: "choice",
    choices: ["61", "51", "71", "81"],
  },
  right: "A",
  wrong: "B",
  otherWrong: "C",
};

/** The same question with answers as the paper's prompt wants them, for rewards that read nothing else. */
export function boxed({ problem, ...answers }: Question): Question {
  const box = (answer: string): string => `$\\boxed{${answer}}$`;
  return {
    ...{ problem, right: box(answers.right), wrong: box(answers.wrong) },
    otherWrong: box(answers.otherWrong),
  };
}

const POOL =
  `the left bar ends at the fourth line above thirty and the right one between twenty five and thirty so I read both heights
  add the ones first carry what is over ten then add the tens with the carry and compare the result with the scale of the
  axis once more to see whether it can be so large before I write down what the picture says`.split(
    /\s+/,
  );

/** `count` words of plain reasoning without an answer in it. @param from where in the pool they begin */
export function words(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => POOL[(from + i) % POOL.length]).join(" ");
}

/** A check: it computes before it says anything. */
export function checking(count: number): string {
  const steps = ["4+7=11,", "carry", "1,", "3+2+1=6:"];
  return [...steps, ...words(count, 13).split(" ")].slice(0, count).join(" ");
}

/** An opinion, drawn out. */
export function opinion(count: number): string {
  const phrase = ["Looks", "right.", "All", "is", "fine."];
  return Array.from({ length: count }, (_, i) => phrase[i % phrase.length]).join(" ");
}

/** A response's answers and the tokens of its parts, answers included. */
export interface SpecimenShape {
  first: string;
  second: string;
  firstTokens: number;
  reflectionTokens: number;
  secondTokens: number;
  /** What the reflection says; a check of `reflectionTokens` unless told. */
  reflection?: string;
}

/** A well-formed response of `TAG_TOKENS + firstTokens + reflectionTokens + secondTokens` tokens. */
export function specimen(shape: SpecimenShape): string {
  const think = (tokens: number, answer: string, from: number): string =>
    words(Math.max(1, tokens - countWords(answer)), from);
  return renderResponse({
    first: { think: think(shape.firstTokens, shape.first, 0), answer: shape.first },
    reflection: shape.reflection ?? checking(Math.max(1, shape.reflectionTokens)),
    second: { think: think(shape.secondTokens, shape.second, 29), answer: shape.second },
  });
}
