/**
 * OlympiadBench's judge (arXiv 2402.14008, eval/auto_scoring_judge.py): lists, intervals, numbers with the item's
 * tolerance, expressions and equations. Where it has sympy simplify a difference or a quotient, the two are compared at
 * fixed points instead: the same verdict, and no expression can take long.
 */
import { parseExpression, type Node } from "./expression";
import { compare, constantValue, evaluate, sameText } from "./expression-value";
import { afterLast, parseFloat, strip } from "./python";

/** The tolerance of an item that has none. */
export const DEFAULT_PRECISION = 1e-8;
/** sympy's slack around a tolerance, for decimals that are no binary fractions. */
const SLACK = 1.01;
/** A difference of two formulas below this is none, if it is a constant. */
const CONSTANT_SLACK = 1e-3;
/** A power with a larger exponent is not computed, and equals only itself. */
const MAX_EXPONENT = 1000;
/** An answer of more characters equals only itself. */
const MAX_LENGTH = 4000;

/**
 * Whether two answers are the same.
 * @param reference the side whose value is also tried as a percentage, ×100 and ÷100, and whose items the tolerances follow
 * @param precision one tolerance, or one for each answer
 */
export function olympiadBench(
  reference: string,
  other: string,
  precision: number | readonly number[] = DEFAULT_PRECISION,
): boolean {
  const [boxA, boxB] = [finalPart(reference), finalPart(other)];
  if (boxA === null || boxB === null) return false;
  if (Math.max(boxA.length, boxB.length) > MAX_LENGTH) return boxA === boxB;
  const [textA, textB] = [plainSymbols(boxA), plainSymbols(boxB)];
  if (textA === textB) return true;
  const [itemsA, itemsB] = [itemsOf(textA), itemsOf(textB)];
  if (itemsA.length !== itemsB.length) return false;
  const given = typeof precision === "number" ? [precision] : [...precision];
  const tolerances = given.length === 1 ? itemsA.map(() => given[0]) : given;
  return pairUp(itemsA, itemsB, tolerances);
}

/** All boxes joined by commas, else the formulas of the last line, else the whole; `null` where a box never closes. */
function finalPart(text: string): string | null {
  let boxes = "";
  let closed = 0;
  for (let at = text.indexOf("\\boxed{"); at >= 0; at = text.indexOf("\\boxed{", at + 1)) {
    const content = braced(text, at + "\\boxed{".length);
    // Boxes in boxes count once more, as in the original; more than a few are no answer.
    if (content === null || ++closed > 50) return null;
    boxes += `${content},`;
  }
  if (boxes !== "") return boxes;
  const formulas = afterLast(strip(text), "\n").match(/\$[^$\n]*\$/g);
  return formulas === null ? text : formulas.map((found) => `${found.slice(1, -1)},`).join("");
}

function braced(text: string, start: number): string | null {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return text.slice(start, at);
  }
  return null;
}

/** In this order; a relation "about" is read as an equation. */
const SYMBOLS: readonly (readonly [string, string])[] = [
  ["\\left", ""],
  ["\\right", ""],
  ["∶", ":"],
  ["，", ","],
  ["$", ""],
  ["\\approx", "="],
  ["\\simeq", "="],
  ["\\sim", "="],
  ["^\\prime", "'"],
  ["^{\\prime}", "'"],
  ["^\\circ", ""],
  ["%", ""],
];

function plainSymbols(text: string): string {
  const value = text.includes("\\in ") ? text.split("\\in ")[1] : text;
  const plain = SYMBOLS.reduce((out, [from, to]) => out.replaceAll(from, to), value);
  const bare = strip(plain, "\n$,.:;^_=+`!@#%&*~，。");
  return bare.replace(/\\(?:mathrm|mathbf)\{~?([^}]*)\}/g, "$1");
}

/** Parts between the commas outside of brackets; one with ± is two. */
function itemsOf(text: string): string[] {
  const items: string[] = [];
  const bare = text.replace(/[\u4e00-\u9fff]+/g, "");
  let depth = 0;
  let start = 0;
  for (let at = 0; at < bare.length; at++) {
    if ("([".includes(bare[at])) depth++;
    else if (")]".includes(bare[at])) depth--;
    else if (bare[at] === "," && depth === 0) {
      items.push(strip(bare.slice(start, at)));
      start = at + 1;
    }
  }
  if (start < bare.length) items.push(strip(bare.slice(start)));
  return items.flatMap((item) =>
    item.includes("\\pm") ? [item.replaceAll("\\pm", "+"), item.replaceAll("\\pm", "-")] : [item],
  );
}

/** Pairs the items greedily in any order; a tolerance goes with the item at its place and is used up with it. */
function pairUp(
  a: readonly string[],
  b: readonly string[],
  tolerances: readonly number[],
): boolean {
  const [left, right, rest] = [[...a], [...b], [...tolerances]];
  for (let at = 0; left.length > 0; at = (at + 1) % Math.max(1, left.length)) {
    const tolerance = rest[at];
    if (tolerance === undefined) return false;
    const found = right.findIndex((item) => itemsEqual(left[at], item, tolerance));
    if (found < 0) return false;
    left.splice(left.indexOf(left[at]), 1);
    right.splice(found, 1);
    rest.splice(rest.indexOf(tolerance), 1);
  }
  return true;
}

function itemsEqual(a: string, b: string, precision: number): boolean {
  if (a === b && a !== "") return true;
  if (isInterval(a) && isInterval(b)) {
    const verdict = intervalsEqual(a, b, precision);
    // What cannot be read as an interval is wrong; what differs as an interval may still be equal as an expression.
    if (verdict !== false) return verdict === true;
  }
  return (
    numbersEqual(a, b, precision) ||
    (!(a.includes("=") && b.includes("=")) && expressionsEqual(a, b, precision) === true) ||
    equationsEqual(a, b)
  );
}

function isInterval(text: string): boolean {
  return /^[([]/.test(text) && /[)\]]$/.test(text);
}

/** `null` where an end cannot be read. */
function intervalsEqual(a: string, b: string, precision: number): boolean | null {
  const [left, right] = [a.split("\\cup"), b.split("\\cup")];
  if (left.length !== right.length) return false;
  for (const [i, part] of left.entries()) {
    const other = right[i];
    if (part === "" || other === "") return null;
    if (part[0] !== other[0] || part[part.length - 1] !== other[other.length - 1]) return false;
    const [ends, others] = [part, other].map((text) => strip(text, "[]()").split(","));
    for (let end = 0; end < Math.min(ends.length, others.length); end++) {
      const verdict = expressionsEqual(ends[end], others[end], precision);
      if (verdict !== true) return verdict;
    }
  }
  return true;
}

function numbersEqual(a: string, b: string, precision: number): boolean {
  const [reference, value] = [parseFloat(a), parseFloat(b)];
  if (reference === null || value === null) return false;
  return [reference / 100, reference, reference * 100].some(
    (candidate) => Math.abs(candidate - value) <= precision * SLACK,
  );
}

/** Compares the right sides of `=`, or the whole; `null` where one cannot be read. */
function expressionsEqual(a: string, b: string, precision: number): boolean | null {
  const side = (text: string) => strip(text.includes("=") ? text.split("=")[1] : text);
  const [x, y] = [a, b].map((text) => parseExpression(side(text), "sympy"));
  if (x === null || y === null) return null;
  if (sameText(x, y)) return true;
  if (isRelation(x) || isRelation(y)) return false;
  const [p, q] = [constantValue(x), constantValue(y)];
  if ((p === null) !== (q === null)) return false;
  if (p === null || q === null) {
    const { difference } = compare(x, y);
    return difference !== null && Math.abs(difference) < CONSTANT_SLACK;
  }
  if (!isComputable(x) || !isComputable(y)) return false;
  // Exact arithmetic would leave no difference where doubles leave the last bit.
  const lastBit = 4 * Number.EPSILON * Math.max(Math.abs(p), Math.abs(q));
  return Math.abs(p - q) <= precision * SLACK + (Number.isFinite(lastBit) ? lastBit : 0);
}

function isRelation({ op }: Node): boolean {
  return /^(?:less|greater|equal|unequal)/.test(op);
}

function isComputable(node: Node): boolean {
  if (node.op !== "power") return true;
  return Math.abs(evaluate(node.args[1], () => Math.PI)) <= MAX_EXPONENT;
}

/** Equations whose two sides differ by the same, up to a whole factor. */
function equationsEqual(a: string, b: string): boolean {
  const [x, y] = [a, b].map(balance);
  if (x === null || y === null) return false;
  const { ratio } = compare(x, y);
  if (ratio === null) return false;
  // A quotient that sympy computes from decimals is a float, and no whole number to it unless it is one by cancelling.
  if (hasDecimals(x) || hasDecimals(y)) return Math.abs(Math.abs(ratio) - 1) <= 1e-9;
  return isWhole(ratio) || isWhole(1 / ratio);
}

function hasDecimals(node: Node): boolean {
  if (node.op === "number") return !node.integer && Number.isFinite(node.value);
  return "args" in node && node.args.some(hasDecimals);
}

/** Left side minus right side; `null` unless there are two sides with something unknown in them. */
function balance(equation: string): Node | null {
  const sides = equation.split("=");
  if (sides.length !== 2) return null;
  const [left, right] = sides.map((side) => parseExpression(side, "sympy"));
  if (left === null || right === null || sameText(left, right)) return null;
  if (constantValue(left) !== null && constantValue(right) !== null) return null;
  return { op: "add", args: [left, { op: "negate", args: [right] }] };
}

function isWhole(value: number): boolean {
  const nearest = Math.round(value);
  return nearest !== 0 && Math.abs(value - nearest) <= 1e-7 * Math.abs(value);
}
