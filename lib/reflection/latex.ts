/**
 * Compares two answers as mathematics, by the lab's own rule: strict about what is stated, lenient about how it is written.
 * The rule families of other graders stand in `answers/`.
 */
import {
  closeWithin,
  PRECISION,
  sameAnswer,
  sameAtPoints,
  type Comparison,
} from "./answers/compare";
import { exactValue, sameFraction } from "./answers/exact";
import { digitsOf, type MathJson } from "./answers/mathjson";
import { MAX_FORMULA, splitUnit, spellUnicode, tidyLatex } from "./answers/notation";
import { readAnswer, type Answer, type Value } from "./answers/structure";
import { sameUnit } from "./quantity";

/** A decimal is a rounded number: against it six digits are enough, as math-verify compares. */
const DECIMAL_PRECISION = 2e-6;

const READING = { foldCase: false, imaginary: true, degrees: true };
const LAB: Comparison = {
  reading: READING,
  relationForSet: true,
  anyName: false,
  anyEquation: false,
  bracesCount: true,
  sameValue,
};

/**
 * True or false where both sides could be read as mathematics and compared, `null` otherwise. Never throws.
 *
 * A name before the value says nothing (`x=3` equals `3`); a list without brackets is unordered, as solutions of an
 * equation are; a tuple, an interval, a matrix is ordered; an interval may be given as an inequality; two equations or
 * inequalities are equal when one is a multiple of the other. Units must agree where both sides have one.
 */
export function latexEqual(gold: string, prediction: string): boolean | null {
  const [left, right] = [read(gold), read(prediction)];
  if (left === null || right === null) return null;
  if (left.unit !== null && right.unit !== null && !sameUnit(left.unit, right.unit)) return false;
  return sameAnswer(left.answer, right.answer, LAB);
}

interface Read {
  answer: Answer;
  unit: string | null;
}

/** Texts that were read last: both answers of a response, and all responses of a group, are held against one gold answer. */
const lately = new Map<string, Read | null>();
const MOST_READ = 256;

function read(latex: string): Read | null {
  if (latex.length > MAX_FORMULA) return null;
  let known = lately.get(latex);
  if (known === undefined) {
    known = readAfresh(latex);
    const [oldest] = lately.keys();
    if (lately.size >= MOST_READ) lately.delete(oldest);
    lately.set(latex, known);
  }
  return known;
}

function readAfresh(latex: string): Read | null {
  const { body, unit } = splitUnit(tidyLatex(spellUnicode(latex)));
  const answer = readAnswer(withoutDegrees(body));
  return answer === null ? null : { answer, unit };
}

/** Alone, the sign of degrees is a unit: an answer of 90° is the same as one of 90. Inside `\sin` it is a factor. */
const withoutDegrees = (latex: string): string => latex.replace(/\s*\^\s*\{?\s*\\circ\s*\}?$/, "");

function sameValue(gold: Value, prediction: Value): boolean | null {
  const same = sameTree(gold.tree, prediction.tree);
  if (same === true || gold.percent === prediction.percent) return same;
  // With one percent sign, either the sign was left out or the share was written as a fraction.
  return sameTree(hundredth(gold), hundredth(prediction));
}

const hundredth = ({ tree, percent }: Value): MathJson => (percent ? ["Divide", tree, 100] : tree);

function sameTree(gold: MathJson, prediction: MathJson): boolean | null {
  if (JSON.stringify(gold) === JSON.stringify(prediction)) return true;
  const [a, b] = [exactValue(gold), exactValue(prediction)];
  if (a !== null && b !== null && sameFraction(a, b)) return true;
  // A whole gold number is exact, whatever the prediction was calculated from.
  const rounded = !isWhole(gold) && (hasDecimal(gold) || hasDecimal(prediction));
  if (a !== null && b !== null && !rounded) return false;
  const precision = rounded ? DECIMAL_PRECISION : PRECISION;
  return sameAtPoints(gold, prediction, READING, (x, y) => closeWithin(x, y, precision));
}

const isWhole = (tree: MathJson): boolean => /^-?\d+$/.test(digitsOf(tree) ?? "");

function hasDecimal(tree: MathJson): boolean {
  const digits = digitsOf(tree);
  if (digits !== null) return digits.includes(".");
  return Array.isArray(tree) && tree.some(hasDecimal);
}
