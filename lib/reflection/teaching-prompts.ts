/**
 * What a model is asked as the teacher of Stage I, in the paper's two modes: condense a right attempt, correct a wrong one (section
 * 3.1). The published code has one prompt for both and asks for a reflection alone; here the second solution is asked for too, and
 * of a wrong attempt the passage where it goes wrong, so that the flaw can be looked up in the attempt.
 */
import { contentHash } from "../engine/files";
import type { ReflectionSample } from "../types";
import { readReply, schemaOf, type ReplyForm } from "./json-reply";
import { questionText } from "./prompts";
import { MalformedTeaching, type Lesson, type Rejection, type Teaching } from "./teacher";

export type TeachingMode = ReflectionSample["mode"];

export const teacherSystemPrompt = String.raw`You teach a student, a multimodal model, to examine its own solutions. You are shown a problem with its pictures, the student's first solution, and, for your eyes only, the gold answer. You write what the student could have thought next: a reflection on the first solution and, following from it, a second solution. The student does not know the gold answer and will not when it has to reflect by itself.

Reply with one JSON object of the given fields and with nothing else. Write a backslash inside JSON as \\.`;

const RULES = String.raw`Rules for the reflection:
- Write as the student, about the student's own solution, in two to six sentences.
- Be specific: refer to the numbers, objects and steps of this problem and this solution. Phrases that would fit any problem are worthless.
- Never state the gold answer, and never hint that anybody has told it to you. Words like "the correct answer is" or "ground truth" must not occur. Say what to look at and how to calculate; the second solution then draws the conclusion.
- Do not use the tags <think>, <answer> and <reflection>.

Rules for the second solution: "think" is a complete, correct and brief line of reasoning in the light of the reflection; "answer" is the final answer alone, the capital letter for a multiple-choice question, a number or an expression otherwise.`;

/** The task of each mode. */
export const teachingTasks: Readonly<Record<TeachingMode, string>> = {
  correct: String.raw`The first solution is wrong. Find out where it goes wrong: a misread picture, a wrong assumption, a slip in a calculation, a missing step. "quote" copies, word for word, the passage of the first solution that is wrong. "flaw" says in one sentence what is wrong with it. "reflection" names this flaw and says how to repair it.

${RULES}`,
  condense: String.raw`The first solution is right. "reflection" checks what it rests on, says which parts are needed and which are repetition or detour, and how it can be said more briefly or more soundly. It must not claim an error where there is none.

${RULES}`,
};

const solution = {
  think: { type: "string", description: "the second solution's reasoning" },
  answer: { type: "string", description: "the second solution's answer, alone" },
} as const satisfies ReplyForm;

/** The fields of a reply. */
export const teachingForms = {
  correct: {
    quote: { type: "string", description: "a wrong passage, copied from the first solution" },
    flaw: { type: "string", description: "what is wrong with that passage" },
    reflection: { type: "string", description: "the student's reflection" },
    ...solution,
  },
  condense: {
    reflection: { type: "string", description: "the student's reflection" },
    ...solution,
  },
} as const satisfies Record<TeachingMode, ReplyForm>;

/** Changes with every word of the prompts and forms. */
export const teachingPromptsVersion = contentHash(
  JSON.stringify([teacherSystemPrompt, teachingTasks, teachingForms]),
  8,
);

export const modeOf = ({ verdict }: Pick<Lesson, "verdict">): TeachingMode =>
  verdict.correct ? "condense" : "correct";

/** The lesson as text; the pictures are shown before it. */
export function teachingQuestion(lesson: Lesson): string {
  const { problem, attempt } = lesson;
  return [
    teachingTasks[modeOf(lesson)],
    `Problem:\n${questionText(problem)}`,
    `First solution, reasoning:\n${attempt.think}`,
    `First solution, answer:\n${attempt.answer}`,
    `Gold answer (for your eyes only):\n${problem.answer}`,
    `Fields of the JSON object: ${Object.keys(teachingForms[modeOf(lesson)]).join(", ")}.`,
  ].join("\n\n");
}

/** What the teacher is told after a reply that was not taken. */
export function rejectionText({ reason }: Rejection): string {
  return `This was not accepted: ${reason}. Write the whole JSON object again, without this fault.`;
}

export const teachingSchema = (mode: TeachingMode): Record<string, unknown> =>
  schemaOf(teachingForms[mode]);

/** @throws MalformedTeaching when the reply has not the form */
export function readTeaching(reply: string, lesson: Lesson): Teaching {
  const refuse = (reason: string): never => {
    throw new MalformedTeaching(reply, reason);
  };
  if (lesson.verdict.correct) {
    const read = readReply(reply, teachingForms.condense);
    if ("fault" in read) return refuse(read.fault);
    const { reflection, think, answer } = read.value;
    return { reflection, second: { think, answer }, reply };
  }
  const read = readReply(reply, teachingForms.correct);
  if ("fault" in read) return refuse(read.fault);
  const { reflection, think, answer, quote, flaw } = read.value;
  return { reflection, second: { think, answer }, flaw: { quote, fault: flaw }, reply };
}
