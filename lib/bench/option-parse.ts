/**
 * How MMMU and MMMU-Pro find the chosen option in a response. Where nothing is found, their code draws an option at
 * random; here there is none, so that a score can be repeated and the gap be counted.
 */
import { splitWords } from "../reflection/answers/python";

/** Where the parsers differ. */
export interface OptionRule {
  /** MMMU-Pro first looks behind the last "Answer:". */
  answerLine: boolean;
  /** MMMU-Pro takes `X ` and `X.` anywhere, in `DNA ` too; MMMU wants blanks on both sides. */
  loose: boolean;
}

export interface OptionFound {
  /** The letter, `null` where the authors' code would draw one. */
  letter: string | null;
  rule: string;
}

const TRIMMED = [",", ".", "!", "?", ";", ":", "'"];

/** @param options the options' texts, A first */
export function parseOption(
  response: string,
  options: readonly string[],
  { answerLine, loose }: OptionRule,
): OptionFound {
  const letters = options.map((_, i) => String.fromCharCode(65 + i));
  const line = response.lastIndexOf("Answer:");
  if (answerLine && line >= 0) {
    const tail = response.slice(line + "Answer:".length);
    const named = letters.filter((letter) => tail.includes(letter));
    if (named.length === 1) return { letter: named[0], rule: "answer-line" };
  }

  const words = ` ${TRIMMED.reduce(trim, response)} `;
  const forms: { rule: string; form: (letter: string) => string }[] = [
    { rule: "in-parentheses", form: (letter) => `(${letter})` },
    { rule: "letter", form: (letter) => (loose ? `${letter} ` : ` ${letter} `) },
    ...(loose ? [{ rule: "letter-point", form: (letter: string) => `${letter}.` }] : []),
  ];
  for (const { rule, form } of forms) {
    const found = letters.filter((letter) => words.includes(form(letter)));
    // The position is looked up between blanks even where `X ` or `X.` was found, and −1 for all picks the first.
    const place = rule === "in-parentheses" ? form : (letter: string) => ` ${letter} `;
    if (found.length > 0)
      return { letter: lastOf(found, (l) => words.lastIndexOf(place(l))), rule };
  }

  if (splitWords(words).length > 5) {
    const lower = words.toLowerCase();
    const text = (letter: string) => options[letter.charCodeAt(0) - 65].toLowerCase();
    const found = letters.filter((letter) => lower.includes(text(letter)));
    if (found.length > 0) {
      return { letter: lastOf(found, (l) => lower.lastIndexOf(text(l))), rule: "option-text" };
    }
  }
  return { letter: null, rule: "no-option" };
}

/** Strips one kind of character from both ends. */
function trim(text: string, char: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text[start] === char) start++;
  while (end > start && text[end - 1] === char) end--;
  return text.slice(start, end);
}

/** The candidate that stands last; of equals the first. */
function lastOf(letters: readonly string[], position: (letter: string) => number): string {
  return letters.reduce((best, letter) => (position(letter) > position(best) ? letter : best));
}
