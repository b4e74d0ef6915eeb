/** How a gold answer is to be compared, where a record does not say it in the lab's own words. */
import type { AnswerType } from "../types";
import { unwrap, type Gold } from "./equality";
import { readQuantity } from "./quantity";

/** What data sets call a question with choices (`multi_choice`, `multiple-choice`, `mcq`) and one without. */
const WITH_CHOICES = /choice|mcq/;
const WITHOUT_CHOICES = /free|open|blank|number|numeric|text/;

/** A letter alone, as in `B` or `(B)`: judged as a choice it equals the same letters that it equals as text, and `B.` too. */
const LONE_LETTER = /^\(?[A-Z]\)?$/;

/**
 * The gold answer of a record as the judge wants it.
 * @param questionType as MathVista (`multi_choice`, `free_form`), MathVerse (`multi-choice`) and others spell it; `number`,
 * `text` and `choice` are the lab's own. Without it, or where it says nothing about choices, a list of choices or a lone
 * letter makes a choice.
 */
export function goldOf(answer: string, questionType?: string, choices?: readonly string[]): Gold {
  const given = { answer, ...(choices === undefined ? {} : { choices: [...choices] }) };
  return { ...given, answerType: answerTypeOf(answer, questionType, choices) };
}

function answerTypeOf(
  answer: string,
  questionType: string | undefined,
  choices: readonly string[] | undefined,
): AnswerType {
  const type = questionType?.trim().toLowerCase() ?? "";
  if (type === "number" || type === "text") return type;
  if (WITH_CHOICES.test(type)) return "choice";
  const bare = unwrap(answer);
  const looksLikeChoice = (choices ?? []).length > 0 || LONE_LETTER.test(bare);
  if (looksLikeChoice && !WITHOUT_CHOICES.test(type)) return "choice";
  return isMathematics(bare) ? "number" : "text";
}

/** Numbers, formulas and LaTeX, but no words: as products of letters, words would equal their anagrams. */
function isMathematics(text: string): boolean {
  if (readQuantity(text) !== null) return true;
  const withoutCommands = text.replace(/\\[a-z]+/gi, " ");
  return !/[a-z]{3}/i.test(withoutCommands) && /[\\^_=<>±√π≤≥≠∞∅∪∩+*/\d-]/.test(text);
}
