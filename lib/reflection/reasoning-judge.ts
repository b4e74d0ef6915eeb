/**
 * A model's judgement of an attempt's reasoning. (The paper has DeepSeek-V3 score the attempts and does not say how; the published
 * code has nothing of it.) The judge is not told the gold answer: whether the answer is right the equality rules say, and what is
 * asked here is whether there is a reasoning that a reflection can take hold of.
 */
import { contentHash } from "../engine/files";
import type { Quality } from "../types";
import { readReply, schemaOf, type ReplyForm } from "./json-reply";
import { questionText } from "./prompts";
import type { Lesson } from "./teacher";

export interface ReasoningJudge {
  name: string;
  settings?: Readonly<Record<string, string | number>>;
  /** @returns `null` where the judge gave no score. @throws TeacherStopped when it answers nobody any more */
  score(lesson: Lesson): Promise<Quality | null>;
}

export const judgeSystemPrompt = String.raw`You grade solutions that a student has written to problems with pictures. You grade the reasoning, not the result: a wrong answer at the end of a clear line of thought is worth more than a right one that comes from nowhere.

Reply with one JSON object of the given fields and with nothing else. Write a backslash inside JSON as \\.`;

const SCALE = String.raw`Grade the reasoning of the solution from 1 to 5:
1: no reasoning, or text that has nothing to do with the problem
2: fragments; most steps are missing or contradict each other
3: can be followed, with gaps or claims that nothing supports
4: clear and complete up to a small gap, or up to one mistake that can be pointed at
5: sound, complete and well grounded in the picture

"comment" says in one sentence what decided; "score" is the grade.`;

export const judgeForm = {
  comment: { type: "string", description: "one sentence" },
  score: { type: "integer", description: "the grade", minimum: 1, maximum: 5 },
} as const satisfies ReplyForm;

export const judgeSchema = (): Record<string, unknown> => schemaOf(judgeForm);

/** Changes with every word of the prompt and form. */
export const judgePromptVersion = contentHash(
  JSON.stringify([judgeSystemPrompt, SCALE, judgeForm]),
  8,
);

/** The question as text; the pictures are shown before it. */
export function judgeQuestion({ problem, attempt }: Lesson): string {
  return [
    SCALE,
    `Problem:\n${questionText(problem)}`,
    `Solution, reasoning:\n${attempt.think}`,
    `Solution, answer:\n${attempt.answer}`,
    `Fields of the JSON object: ${Object.keys(judgeForm).join(", ")}.`,
  ].join("\n\n");
}

/** A reply's grade, or what is wrong with the reply. */
export function readGrade(reply: string, judge: string): { value: Quality } | { fault: string } {
  const read = readReply(reply, judgeForm);
  return "fault" in read ? read : { value: { ...read.value, judge } };
}
