/**
 * The data that flows through the lab. Plain objects only: everything here can be written to JSONL and read back.
 *
 * Words of the method (arXiv 2506.01713): a *first solution*, a *reflection* on it, a *second solution*; a *transition*
 * says whether the two answers are right (R) or wrong (W), first letter first.
 */

/** How a gold answer is compared: as a number or expression, as a choice letter, or as a piece of text. */
export type AnswerType = "number" | "choice" | "text";

/** One question with its pictures and its gold answer. */
export interface Problem {
  /** Stable identifier, unique within its source. */
  id: string;
  question: string;
  /** Paths of image files (PNG, JPEG, WebP), in the order in which the question shows them. */
  images: string[];
  /** The gold answer, as the source writes it. */
  answer: string;
  answerType: AnswerType;
  /** The choices of a multiple-choice question, in order; the gold answer is then a letter. */
  choices?: string[];
  /** The kind of problem within the source, e.g. `bars`. */
  family: string;
  /** Difficulty within the family, from 1. */
  level: number;
  subject: string;
  source: string;
  /** What has to be read off the picture, as a sentence, where the source knows it. */
  reading?: string;
  /** Exact reasoning steps that lead from the reading to the answer, where the source knows them. */
  steps?: string[];
}

/** A half-open range of characters `[start, end)` in a response's text. */
export interface Span {
  start: number;
  end: number;
}

/** One attempt at a problem: the reasoning and the answer; absent parts are `null`. */
export interface Solution {
  think: string | null;
  answer: string | null;
}

/** Why a response is not well formed. A response without faults has none of these. */
export type Fault =
  | "no-think"
  | "no-answer"
  | "no-reflection"
  | "no-second-think"
  | "no-second-answer"
  | "empty-think"
  | "empty-answer"
  | "empty-reflection"
  | "wrong-order"
  | "repeated-tag"
  | "unclosed-tag"
  | "text-before"
  | "text-between"
  | "text-after"
  | "truncated";

/** A response taken apart by the parser in `reflection/template`. */
export interface Response {
  text: string;
  first: Solution;
  reflection: string | null;
  second: Solution;
  /** Where each part's inner text lies in `text`; a part that is absent has no entry. */
  spans: Partial<
    Record<"firstThink" | "firstAnswer" | "reflection" | "secondThink" | "secondAnswer", Span>
  >;
  faults: Fault[];
}

/** Right or wrong, first answer then second; `null` where a response has only one answer. */
export type Transition = "RR" | "RW" | "WR" | "WW";

/** What a judge says of one answer. */
export interface Verdict {
  /** The text that was taken to be the answer, before normalisation; `null` when there is none. */
  extraction: string | null;
  /** The normalised prediction that was compared. */
  prediction: string | null;
  correct: boolean;
  /** The rule that decided, e.g. `number`, `choice-letter`, `latex`. */
  rule: string;
}

/** One record of Stage I: the policy's own attempt, the teacher's reflection and the second solution. */
export interface ReflectionSample {
  problem: Problem;
  /** The policy's attempt, as text with tags, and its parts. */
  attempt: { text: string; think: string; answer: string };
  verdict: Verdict;
  /** `condense` a right attempt or `correct` a wrong one (paper, section 3.1). */
  mode: "condense" | "correct";
  reflection: string;
  second: { think: string; answer: string };
  /** Who wrote what, from which checkpoint, with which seed. */
  provenance: { policy: string; teacher: string; seed: number };
}

/** A sampled completion before it is judged. Engines return these; token arrays have equal lengths. */
export interface Completion {
  /**
   * Completion tokens, the end-of-turn token included when it was produced. Empty, as `logprobs` is, where a server hands
   * out text only; then `tokenCount` says how many there were.
   */
  ids: number[];
  /** Log-probability of each token in `ids` under the sampling distribution's temperature-1 policy. */
  logprobs: number[];
  /** Entropy of that policy at each token, in nats, where the engine knows it. */
  entropies?: number[];
  text: string;
  /** True when the token limit ended it, not the policy. */
  truncated: boolean;
  /** Completion tokens as a server counted them. */
  tokenCount?: number;
  /** Prompt tokens as a server counted them. */
  promptTokens?: number;
}
