/**
 * The comparison that the graders of the MATH harnesses share (Qwen2.5-Math, SkyThought and others): the same text, else
 * numbers within a relative tolerance and also as a hundredth or a hundredfold, else lists and matrices item by item,
 * equations by their sides, and formulas by value.
 */
import { constantRatioOf, differenceOfSides, sameFormula } from "./formula-equality";
import { splitCommas } from "./lists";
import { MAX_FORMULA } from "./notation";

export interface HarnessRules {
  /** Relative difference below which numbers are equal. */
  tolerance: number;
  /** The spelling in which texts are compared. */
  normalise(text: string): string;
}

/** Lists within lists, and the items of one. */
const [MAX_DEPTH, MAX_ITEMS] = [4, 100];

/** Never throws. */
export function harnessEqual(
  gold: string,
  prediction: string,
  rules: HarnessRules,
  depth = 0,
): boolean {
  if (gold.length > MAX_FORMULA || prediction.length > MAX_FORMULA || depth > MAX_DEPTH) {
    return false;
  }
  const [wanted, given] = [rules.normalise(gold), rules.normalise(prediction)];
  if (wanted === "" || given === "") return false;
  if (wanted.toLowerCase() === given.toLowerCase()) return true;
  const [x, y] = [plainNumber(wanted), plainNumber(given)];
  if (x !== null && y !== null) {
    return [x / 100, x, x * 100].some((value) => within(value, y, rules.tolerance));
  }
  const same = (a: string, b: string): boolean => harnessEqual(a, b, rules, depth + 1);
  const [left, right] = [itemsOf(wanted), itemsOf(given)];
  if (left !== null && right !== null) {
    return left.length === right.length && left.every((item, i) => same(item, right[i]));
  }
  const [a, b] = [wanted, given].map(differenceOfSides);
  if (a !== null && b !== null) return Math.abs(constantRatioOf(a, b) ?? 0) === 1;
  const [value, other] = [wanted, given].map(namedValue);
  if (value !== wanted || other !== given) return same(value, other);
  return sameFormula(wanted, given, (p, q) => within(p, q, rules.tolerance));
}

/** The items of `[1, 2]`, of `(1, 2)` and of a matrix, row by row; `null` for another text. */
function itemsOf(text: string): string[] | null {
  const matrix = /^\\begin\{[pb]?(?:matrix|array)\}(.*)\\end\{[pb]?(?:matrix|array)\}$/s.exec(text);
  const list = /^[([{](.*)[)\]}]$/s.exec(text.replace(/\\([{}])/g, "$1"));
  const items =
    matrix !== null
      ? matrix[1].split(/\\\\|&/).map((entry) => entry.trim())
      : list !== null
        ? splitCommas(list[1])
        : null;
  // One item in brackets is an expression.
  return items === null || items.length < 2 || items.length > MAX_ITEMS ? null : items;
}

/** `3` of `x = 3`: a name of at most two characters says nothing. */
function namedValue(text: string): string {
  const sides = text.split("=");
  return sides.length === 2 && sides[0].trim().length <= 2 ? sides[1].trim() : text;
}

function plainNumber(text: string): number | null {
  const digits = text.replace(/,(?=\d{3})/g, "");
  const percent = /\\?%$/.exec(digits);
  const bare = percent === null ? digits : digits.slice(0, percent.index);
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(bare.trim())) return null;
  const value = Number(bare);
  if (!Number.isFinite(value)) return null;
  return percent === null ? value : value / 100;
}

/** Never for what is not finite: a share of infinity is infinite, and everything is within that. */
function within(a: number, b: number, tolerance: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}
