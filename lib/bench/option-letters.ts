/** How VLMEvalKit infers the chosen option from free text, which MM-EUREKA's and SRPO's scripts share. */
import { splitWords } from "../reflection/answers/python";

/** Answers of models that would not look. They count as the option Z, which is never right. */
const REFUSALS = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  "Cannot determine the answer",
];
const API_FAILURE = "Failed to obtain answer via API";
/** A letter counts only among the last words of the answer: past this many from the end. */
const FROM_END = 5;
/** What counts wherever it stands, and whatever other letters the answer names. */
const STATED = /answer is \*\*([A-D])\*\*/;

/**
 * The option that a text names, `"Z"` for none of them, `null` where rules cannot tell.
 * @param choices the options' texts, A first
 */
export function inferOption(answer: string, choices: readonly string[]): string | null {
  return inferLetter(answer, choices.length) ?? inferText(answer, choices);
}

function inferLetter(answer: string, count: number): string | null {
  if (answer.includes(API_FAILURE)) return null;
  if (REFUSALS.some((refusal) => answer.includes(refusal))) return "Z";
  const words = splitWords(answer.replace(/[.()[\],:;!*#{}]/g, " "));
  const letters = Array.from({ length: count }, (_, i) => String.fromCharCode(65 + i));
  const present = letters.filter((letter) => words.includes(letter));
  if (present.length === 1 && words.indexOf(present[0]) > words.length - FROM_END) {
    return present[0];
  }
  if (present.length === 0 && words.includes("Z")) return "Z";
  const stated = STATED.exec(answer)?.[1] ?? "";
  return letters.includes(stated) ? stated : null;
}

function inferText(answer: string, choices: readonly string[]): string | null {
  const all = choices.reduce((sum, choice) => sum + choice.length, 0);
  const lower = answer.toLowerCase();
  if (lower.length > 2 * all) return null;
  const found = choices.flatMap((choice, i) => (lower.includes(choice.toLowerCase()) ? [i] : []));
  return found.length === 1 ? String.fromCharCode(65 + found[0]) : null;
}
