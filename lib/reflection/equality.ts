/**
 * One equality for answers: is this prediction the gold answer? Plain rules decide what they can (choice letters, numbers,
 * text); what is left is compared as mathematics in `latex.ts`.
 *
 * A gold answer that cannot be read as mathematics is compared as text: it is never right for everybody, as in the
 * published reward function, nor wrong for everybody.
 */
import type { Problem, Verdict } from "../types";
import { lastBoxed } from "./answers/boxed";
import { latexEqual } from "./latex";
import { readQuantity, sameQuantity } from "./quantity";

/** What a judge has to know of a problem. */
export type Gold = Pick<Problem, "answer" | "answerType" | "choices">;

/** A prediction longer than this is no answer, whatever it says somewhere. */
const MAX_ANSWER = 1000;

/**
 * Compares the text of an `<answer>` with the gold answer. Never throws.
 *
 * `rule` says what decided: `no-answer`, `empty`, `too-long`, `choice-letter`, `choice-text`, `no-choice`, `number`,
 * `unevaluated`, `latex` or `text`.
 * @param prediction the answer's text, with or without `$…$` and `\boxed{}`; `null` where there is none
 */
export function judge(prediction: string | null, gold: Gold): Verdict {
  if (prediction === null) return verdict(null, null, false, "no-answer");
  const bare = unwrap(prediction);
  if (bare === "") return verdict(prediction, null, false, "empty");
  if (bare.length > MAX_ANSWER) return verdict(prediction, null, false, "too-long");
  return gold.answerType === "choice"
    ? judgeChoice(prediction, bare, gold)
    : judgeValue(prediction, bare, unwrap(gold.answer), gold.answerType);
}

function verdict(
  extraction: string | null,
  prediction: string | null,
  correct: boolean,
  rule: string,
): Verdict {
  return { extraction, prediction, correct, rule };
}

function judgeValue(
  extraction: string,
  bare: string,
  gold: string,
  type: "number" | "text",
): Verdict {
  const text = plainText(bare);
  // Of formulas `X` is not `x`.
  const spelt = type === "number" ? bare.trim() === gold.trim() : text === plainText(gold);
  if (spelt) {
    const stated = type === "number" ? readQuantity(bare) : null;
    return verdict(
      extraction,
      stated ? String(stated.value) : text,
      true,
      stated ? "number" : "text",
    );
  }
  const [given, wanted] = [readQuantity(bare), readQuantity(gold)];
  if (given !== null && wanted !== null) {
    const shown = `${given.value}${given.percent ? "%" : given.unit ? ` ${given.unit}` : ""}`;
    return verdict(extraction, shown, sameQuantity(wanted, given), "number");
  }
  if (wanted !== null && UNEVALUATED.test(bare)) {
    return verdict(extraction, bare, false, "unevaluated");
  }
  // Words would be read as products of letters, and "listen" equal "silent".
  const mathematics = type === "number" || /[\\^=<>±√π≤≥≠∞∅∪∩]|\d\s*[-+*/]/.test(gold);
  const equal = mathematics ? latexEqual(gold, bare) : null;
  return equal === null
    ? verdict(extraction, text, false, "text")
    : verdict(extraction, bare, equal, "latex");
}

/**
 * A sum, difference or product of numbers, or a function that does the work. Against a plain number it is the question said again: where the work is the
 * arithmetic, `34+27` must not be paid as 61. (math-verify does pay it.)
 */
const UNEVALUATED =
  /\d[\s)}]*(?:[-+*×·÷]|\\times|\\cdot|\\div)[\s({]*\d|\\(?:sum|prod|int|max|min|gcd|operatorname)(?![a-z])/;

function judgeChoice(extraction: string, bare: string, gold: Gold): Verdict {
  const choices = gold.choices ?? [];
  const wanted = choiceOf(unwrap(gold.answer), choices);
  const given = choiceOf(bare, choices);
  if (given === null) return verdict(extraction, null, false, "no-choice");
  return verdict(extraction, given.letter, given.letter === wanted?.letter, given.rule);
}

/** The letter that an answer chooses: by the letter itself, else by the text of exactly one choice. */
function choiceOf(
  text: string,
  choices: readonly string[],
): { letter: string; rule: "choice-letter" | "choice-text" } | null {
  const letter = choiceLetter(text, choices.length === 0 ? 26 : choices.length);
  const same = choices.flatMap((choice, index) =>
    sameChoiceText(unwrap(choice), text) ? String.fromCharCode(65 + index) : [],
  );
  // Choices may themselves be letters ("B, A, C"): a letter alone is the label, as the question asks for one.
  if (letter !== null) return { letter, rule: "choice-letter" };
  return same.length === 1 ? { letter: same[0], rule: "choice-text" } : null;
}

/** `A`, `a`, `(A)`, `A.`, `A) 61`, `A: 61`, `Option A`, `The answer is (A)`; `null` for anything else or two letters. */
export function choiceLetter(text: string, count: number): string | null {
  const found =
    /^(?:(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?\s*:?\s*)?(?:\(([a-z])\)|\[([a-z])\]|([a-z]))(?:$|[.:)]?$|[.:)]\s+\S.*$|(?<=[)\]])\s*\S.*$)/is.exec(
      text,
    );
  const letter = (found?.[1] ?? found?.[2] ?? found?.[3])?.toUpperCase();
  if (letter === undefined || letter.charCodeAt(0) - 65 >= count) return null;
  // "(A) or (B)" chooses nothing.
  const others = text.toUpperCase().match(/\(([A-Z])\)/g) ?? [];
  return others.some((other) => other[1] !== letter) ? null : letter;
}

function sameChoiceText(choice: string, text: string): boolean {
  if (plainText(choice) === plainText(text)) return true;
  const [a, b] = [readQuantity(choice), readQuantity(text)];
  return a !== null && b !== null && sameQuantity(a, b);
}

/**
 * What is inside the last `\boxed{}`, the dollar signs and the `\text{}`; in one spelling of signs and digits.
 * Look-alikes of another alphabet stay what they are: a Cyrillic А is no A.
 */
export function unwrap(text: string): string {
  let bare = lastBoxed(text) ?? text;
  bare = bare
    .replace(/[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (raised) => `^{${raised.normalize("NFKC")}}`)
    .replace(/(\d)\s*(?=[¼-¾⅐-⅞])/g, "$1 ")
    .normalize("NFKC")
    .replace(/[\u2212\u2012-\u2014]/g, "-")
    .replace(/\u2044/g, "/")
    .replace(/,\s*\\!\s*/g, ",")
    .replace(/\\!/g, "")
    .replace(/\\\$/g, "$")
    .trim();
  const fences: readonly [string, string][] = [
    ["$$", "$$"],
    ["$", "$"],
    ["\\(", "\\)"],
    ["\\[", "\\]"],
    ["**", "**"],
    ["\\text{", "}"],
    ["\\mathrm{", "}"],
    ["\\textbf{", "}"],
    ["\\mathbf{", "}"],
  ];
  for (let again = true; again;) {
    again = false;
    bare = bare.replace(/(?<=[^.])\.$/, "").trim();
    for (const [open, close] of fences) {
      const inner = bare.slice(open.length, bare.length - close.length);
      const fits = bare.length > open.length + close.length;
      if (!fits || !bare.startsWith(open) || !bare.endsWith(close)) continue;
      // `\text{a} + \text{b}` and `$1$ or $2$` are not one fenced whole.
      if (inner.includes(close) || inner.includes(open)) continue;
      bare = inner.trim();
      again = true;
    }
  }
  return bare;
}

/** Text as it is compared: without case, quotes, LaTeX text commands, outer punctuation and extra spaces. */
function plainText(text: string): string {
  return text
    .replace(/\\(?:text|mathrm|textbf|mathbf|textit)\s*\{([^{}]*)\}/g, "$1")
    .replace(/["'`“”‘’]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[.!;,]$/, "")
    .toLowerCase();
}
