/** Questions, choices and answers as data sets write them, taken apart. */
import { fault } from "../../lib/engine/errors";
import { goldOf } from "../../lib/reflection/answer-type";
import { choiceLetter, unwrap, type Gold } from "../../lib/reflection/equality";

/** A question without the wrapping that a data set has put around it. */
interface PlainQuestion {
  question: string;
  /** The list of choices that ended the question. */
  choices?: string[];
  /** The list stands below "Choices:", so that it is one whatever the answer is. */
  headed?: boolean;
  /** The question with that list. */
  whole: string;
  /** What the wrapping said of the answer's form, e.g. `multi_choice`; `undefined` when it said nothing. */
  questionType?: string;
}

/** Requests for a form of answer, which contradict a prompt that asks for reasoning. */
const FORM_REQUESTS =
  /\s*(?:Answer the question (?:using|with) a single word or phrase|Answer with the option'?s letter from the given choices directly|Please answer directly with only the letter of the correct option and nothing else)\.?/gi;

/** MathVista's hints, which MathV360K has taken over, by what they ask for. */
const HINT = /^\s*Hint:\s*(Please answer the question[^\n]*?at the end\.)\s*/i;

/**
 * Takes off `<image>` tags, a hint and `Question:` before the question, and the choices after it. Numbered tags
 * (`<image1>`) stay: the text refers to them.
 */
function plainQuestion(text: string): PlainQuestion {
  let rest = text
    .replace(/\r\n?/g, "\n")
    .replace(/<\/?image>/gi, "")
    .replace(FORM_REQUESTS, "")
    .trim();
  const hint = HINT.exec(rest);
  if (hint !== null) rest = rest.slice(hint[0].length);
  rest = rest.replace(/^Question:\s*/i, "").trim();
  return {
    ...splitChoices(rest),
    whole: rest,
    questionType: hint === null ? undefined : typeOfHint(hint[1]),
  };
}

function typeOfHint(hint: string): string | undefined {
  if (/option letter/i.test(hint)) return "multi_choice";
  if (/integer|floating-point/i.test(hint)) return "number";
  return /python list/i.test(hint) ? "text" : undefined;
}

/** A choice's label at the start of a line or after a space: `(A)`, `A.`, `A:`, `A)`. */
const LABELS = [/(?:^|\s)\(([A-Z])\)\s*/g, /(?:^|\n)[ \t]*([A-Z])(?:[.)]\s+|:\s*)/g];

/** The question and the list that ends it, where one does; the list starts with A and leaves out no letter. */
function splitChoices(text: string): Pick<PlainQuestion, "question" | "choices" | "headed"> {
  for (const label of LABELS) {
    const found = [...text.matchAll(label)];
    // A question may speak of point "(A)" before its choices: the list is the last run that starts with A.
    const start = found.map((match) => match[1]).lastIndexOf("A");
    const run = start < 0 ? [] : found.slice(start);
    if (run.length < 2 || run.some((match, i) => match[1].charCodeAt(0) !== 65 + i)) continue;
    const choices = run.map((match, i) =>
      text.slice((match.index ?? 0) + match[0].length, run[i + 1]?.index).trim(),
    );
    if (choices.some((choice) => choice === "")) continue;
    const before = text.slice(0, run[0].index);
    const question = before.replace(/\s*(?:Choices|Options):?\s*$/i, "").trim();
    return { question, choices, headed: question !== before.trim() };
  }
  return { question: text };
}

/** What stands before an answer: "The answer is", "### The final answer is:", "Answer:". */
const LEAD =
  /^[#*\s]*(?:(?:so|therefore|thus|hence),?\s+)?(?:the\s+)?(?:(?:final|correct)\s+)?answer(?:\s+is)?\s*:?[*\s]*/i;

/** The fields of a problem that follow from what was asked and what the right answer is. */
export type QuestionAndAnswer = Gold & { question: string };

/**
 * A record's question and gold answer as the judge wants them: a letter where there are choices, whether the record gives the
 * letter, the letter with its text (`C: 123`), or the text alone.
 * @param choices where the record lists them apart; else the list at the end of the question counts
 * @throws LabError when there is no answer, or it is none of the choices
 */
export function questionAndAnswer({
  ask,
  answer: given,
  choices,
  questionType,
}: {
  ask: string;
  answer: string;
  choices?: readonly string[];
  questionType?: string;
}): QuestionAndAnswer {
  const asked = plainQuestion(ask);
  if (asked.question === "") throw fault("draftOf", "the record's question is empty");
  const answer = bareAnswer(given);
  if (answer === "") throw fault("draftOf", "the record has no answer");
  const type = questionType ?? asked.questionType;
  const listed = choices ?? asked.choices;
  if (listed === undefined || listed.length === 0)
    return { question: asked.whole, ...openGold(answer, type) };
  const letter = choiceLetter(answer, listed.length) ?? letterOfText(answer, listed);
  if (letter !== null)
    return { question: asked.question, ...goldOf(letter, "multi_choice", listed) };
  // "Angles (A) and (B) are equal" lists nothing: what merely looked like choices is part of the question.
  const unsure = choices === undefined && !asked.headed && asked.questionType !== "multi_choice";
  if (unsure && !/^[A-Z]\b/.test(answer)) {
    return { question: asked.whole, ...openGold(answer, type) };
  }
  throw fault("draftOf", "the answer is none of the choices", {
    got: answer,
    expected: listed.join(" | "),
  });
}

/** The gold answer where no choices are listed; a letter with a text (`A: 57`) is a letter that a policy can give. */
function openGold(answer: string, questionType: string | undefined): Gold {
  const letter = /^\(?([A-J])(?:\)|[:.)])\s+\S/.exec(answer)?.[1];
  return letter !== undefined && questionType === undefined
    ? goldOf(letter, "multi_choice")
    : goldOf(answer, questionType);
}

function bareAnswer(given: string): string {
  const text = given.trim();
  const lead = LEAD.exec(text)?.[0] ?? "";
  // "Answer" alone before a word is no lead: "Answering machine".
  const leads = /answer(?:\s+is)?\s*:|answer\s+is\s/i.test(lead);
  return unwrap(leads ? text.slice(lead.length) : text);
}

function letterOfText(answer: string, choices: readonly string[]): string | null {
  const plain = (text: string): string => unwrap(text).replace(/\s+/g, " ").toLowerCase();
  const at = choices.findIndex((choice) => plain(choice) === plain(answer));
  return at < 0 ? null : String.fromCharCode(65 + at);
}

/**
 * A question in the form in which questions are compared: without tags, hints, choices, case, punctuation and spacing. LaTeX
 * commands and signs of arithmetic stay, they make the difference between two problems.
 */
export function normalizeQuestion(text: string): string {
  const { question } = plainQuestion(text.replace(/<image\s*\d*>/gi, ""));
  return question
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\p{P}\s$]+/gu, (run) =>
      /[-+*/%<>=^\\]/.test(run) ? run.replace(/[^-+*/%<>=^\\]/g, "") : " ",
    )
    .trim();
}
