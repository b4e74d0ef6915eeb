/**
 * Compares two pieces of LaTeX as mathematics. Compute Engine's parser reads them (loaded when first needed: 0.1 s); what
 * it read is compared here by structure (lists, tuples, sets, intervals, relations) and, at the leaves, by value at a few
 * points. Its own symbolic equality is left alone: it works with exact integers and can be kept busy for minutes by
 * `9^{9^{9^9}}`, whereas floating point cannot.
 */

/** MathJSON as the parser gives it. */
type Json = string | number | { num: string } | { str: string } | { fn: Json[] } | Json[];

interface Parser {
  parse(latex: string): Json;
}

/** Past these a text is not looked at: the parser backtracks, and its time doubles with each open bracket or bar. */
const LIMITS = { length: 256, depth: 8, squareDepth: 3, bars: 6 };

/** Relative difference below which two values are equal: rounding of double arithmetic, not of the writer. */
const PRECISION = 1e-9;
/** A decimal is a rounded number: against it six digits are enough, as math-verify compares. */
const DECIMAL_PRECISION = 2e-6;

let parser: Parser | undefined;

/**
 * True or false where both sides could be read as mathematics and compared, `null` otherwise. Never throws.
 *
 * A name before the value says nothing (`x=3` equals `3`); a list without brackets is unordered, as solutions of an
 * equation are; a tuple, an interval, a matrix is ordered; two equations or inequalities are equal when one is a
 * multiple of the other.
 */
export function latexEqual(gold: string, prediction: string): boolean | null {
  const [left, right] = [read(gold), read(prediction)];
  if (left === null || right === null) return null;
  const [bareLeft, bareRight] = withoutName(left, right);
  return sameExpression(bareLeft, bareRight);
}

function read(latex: string): Json | null {
  const text = latex.trim();
  // LaTeX knows no spaces: `6 1` would be read as 61.
  if (text === "" || /\d\s+\d/.test(text) || !withinLimits(text)) return null;
  const reader = loadParser();
  try {
    const tree = simplify(reader.parse(text));
    return holds(tree, "Error") ? null : tree;
  } catch {
    // A third-party parser on text from a policy: whatever it throws means that the text was not readable.
    return null;
  }
}

/** Loaded at the first call and not above: most answers are plain numbers and never need it. */
function loadParser(): Parser {
  if (parser === undefined) {
    const { LatexSyntax } = require("@cortex-js/compute-engine/latex-syntax") as {
      LatexSyntax: new () => Parser;
    };
    parser = new LatexSyntax();
  }
  return parser;
}

function withinLimits(text: string): boolean {
  if (text.length > LIMITS.length) return false;
  let [depth, square, bars] = [0, 0, 0];
  for (const char of text) {
    if (char === "|") bars++;
    if (char === "[") square++;
    if (char === "]") square--;
    if ("([{".includes(char)) depth++;
    if (")]}".includes(char)) depth--;
    if (depth > LIMITS.depth || square > LIMITS.squareDepth || bars > LIMITS.bars) return false;
  }
  return true;
}

/** Unwraps plain parentheses and turns the parser's several notations of a list into `Tuple` and `Several`. */
function simplify(tree: Json): Json {
  if (typeof tree === "object" && "num" in tree) return number(tree.num);
  if (typeof tree === "object" && "fn" in tree) return simplify(tree.fn);
  if (!Array.isArray(tree)) return tree;
  const [head, ...rest] = tree;
  if (head === "Delimiter") {
    const [inner, fence] = rest;
    const bracketed = JSON.stringify(fence ?? "").includes("(");
    if (Array.isArray(inner) && inner[0] === "Sequence") {
      return [bracketed ? "Tuple" : "Several", ...inner.slice(1).map(simplify)];
    }
    return inner === undefined ? "Nothing" : simplify(inner);
  }
  const parts = rest.map(simplify);
  if (head === "And" || head === "Or" || head === "Set") return ["Several", ...parts];
  if (head === "Greater") return ["Less", ...parts.reverse()];
  if (head === "GreaterEqual") return ["LessEqual", ...parts.reverse()];
  // `x ∈ [0, 1]` states the interval.
  if (head === "Element" && parts.length === 2) return parts[1];
  return [head, ...parts];
}

/** The parser's decimal text: `28e-2`, and `0.(3)` with its repeating digits. */
function number(text: string): number {
  const repeating = /^(-?\d*\.\d*)\((\d+)\)$/.exec(text);
  if (repeating === null) return Number(text);
  return Number(repeating[1] + repeating[2].repeat(Math.ceil(20 / repeating[2].length)));
}

function holds(tree: Json, head: string): boolean {
  if (!Array.isArray(tree)) return false;
  return tree[0] === head || tree.some((part) => holds(part, head));
}

function headOf(tree: Json): string | null {
  return Array.isArray(tree) && typeof tree[0] === "string" ? tree[0] : null;
}

function argsOf(tree: Json): Json[] {
  return Array.isArray(tree) ? tree.slice(1) : [];
}

/** Drops `x =` where only one side has it, or where both name the same. */
function withoutName(left: Json, right: Json): [Json, Json] {
  const [nameLeft, nameRight] = [nameOf(left), nameOf(right)];
  if (nameLeft !== null && nameRight !== null && nameLeft !== nameRight) return [left, right];
  return [nameLeft === null ? left : lastSide(left), nameRight === null ? right : lastSide(right)];
}

const NAME_PARTS = new Set(["InvisibleOperator", "Tuple", "Abs", "Colon"]);

/** What stands left of an equation when it is a name (`x`, `a_n`, `AB`, `|AB|`, `(p, q)`) and not an expression. */
function nameOf(tree: Json): string | null {
  if (headOf(tree) !== "Equal") return null;
  const name = argsOf(tree)[0];
  return isName(name) ? JSON.stringify(name) : null;
}

function isName(tree: Json): boolean {
  if (typeof tree === "string") return true;
  return NAME_PARTS.has(headOf(tree) ?? "") && argsOf(tree).every(isName);
}

function lastSide(tree: Json): Json {
  const last = argsOf(tree).at(-1) ?? tree;
  return headOf(last) === "Equal" ? lastSide(last) : last;
}

const ORDERED = new Set(["Tuple", "List", "Matrix", "Interval", "Open", "Measurement", "Colon"]);
const UNORDERED = new Set(["Several", "Union"]);
const RELATIONS = new Set(["Equal", "Less", "LessEqual", "NotEqual"]);

function sameExpression(left: Json, right: Json): boolean | null {
  const [head, other] = [headOf(left) ?? "", headOf(right) ?? ""];
  const isStructure = (name: string): boolean =>
    ORDERED.has(name) || UNORDERED.has(name) || RELATIONS.has(name);
  if (!isStructure(head) && !isStructure(other)) return sameValue(left, right);
  if (head !== other) return false;
  const [a, b] = [argsOf(left), argsOf(right)];
  if (UNORDERED.has(head)) return every([contains(a, b), contains(b, a)]);
  if (a.length !== b.length) return false;
  if (RELATIONS.has(head) && a.length === 2) return sameRelation(head, a, b);
  return every(a.map((part, index) => sameExpression(part, b[index])));
}

/** Each of `parts` equals one of `others`; a solution given twice is still one solution. */
function contains(others: readonly Json[], parts: readonly Json[]): boolean {
  return parts.every((part) =>
    others.some((other) => sameExpression(...withoutName(other, part)) === true),
  );
}

/** False beats undecided beats true: one unequal part settles it. */
function every(results: readonly (boolean | null)[]): boolean | null {
  if (results.includes(false)) return false;
  return results.includes(null) ? null : true;
}

/** `a = b` and `c = d` (or `<`) say the same when `a - b` is a multiple of `c - d`, a positive one for `<`. */
function sameRelation(head: string, left: Json[], right: Json[]): boolean | null {
  const ratios = POINTS.map((point) => {
    const [a, b] = [left, right].map(
      ([small, large]) => evaluate(small, point) - evaluate(large, point),
    );
    return a / b;
  }).filter(Number.isFinite);
  if (ratios.length < 3) return null;
  const constant = ratios.every((ratio) => near(ratio, ratios[0], PRECISION)) && ratios[0] !== 0;
  return constant && (head === "Equal" || head === "NotEqual" || ratios[0] > 0);
}

function sameValue(left: Json, right: Json): boolean | null {
  // Alone, the sign of degrees is a unit: an answer of 90° is the same as one of 90. Inside `\sin` it is a factor.
  if (headOf(left) === "Degrees") return sameValue(argsOf(left)[0], right);
  if (headOf(right) === "Degrees") return sameValue(left, argsOf(right)[0]);
  if (JSON.stringify(left) === JSON.stringify(right)) return true;
  const precision = hasDecimal(left) || hasDecimal(right) ? DECIMAL_PRECISION : PRECISION;
  const pairs = POINTS.map((point) => [evaluate(left, point), evaluate(right, point)]).filter(
    ([a, b]) => !Number.isNaN(a) && !Number.isNaN(b),
  );
  // Two points may be outside a function's domain; fewer than three prove nothing.
  if (pairs.length < 3) return null;
  return pairs.every(([a, b]) => near(a, b, precision));
}

function hasDecimal(tree: Json): boolean {
  if (typeof tree === "number") return !Number.isInteger(tree);
  return Array.isArray(tree) && tree.some(hasDecimal);
}

function near(a: number, b: number, precision: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= precision * Math.max(Math.abs(a), Math.abs(b));
}

/** Where expressions with letters are compared. Letters get values from their own names, so a point fits any letters. */
const POINTS = [0.61, 1.37, 2.19, 3.31, 4.73];

/** The value of an expression in double arithmetic, NaN where it has none (unknown operation, outside a domain). */
function evaluate(tree: Json, point: number): number {
  if (typeof tree === "number") return tree;
  if (typeof tree === "string") return CONSTANTS[tree] ?? letterValue(tree, point);
  if (!Array.isArray(tree)) return NaN;
  const head = headOf(tree);
  if (head === "__unit__") return 1;
  const values = argsOf(tree).map((part) => evaluate(part, point));
  if (head === "InvisibleOperator") return product(argsOf(tree), values);
  const operation = head === null ? undefined : OPERATIONS[head];
  return operation === undefined ? NaN : operation(...values);
}

/** Things side by side are multiplied, but `1\frac12` is one and a half. */
function product(parts: readonly Json[], values: readonly number[]): number {
  const mixed =
    parts.length === 2 &&
    Number.isInteger(parts[0]) &&
    headOf(parts[1]) === "Divide" &&
    argsOf(parts[1]).every(Number.isInteger);
  return mixed ? values[0] + values[1] : values.reduce((a, b) => a * b, 1);
}

function letterValue(name: string, point: number): number {
  // Quoted text and words of the parser ("Nothing", "RealNumbers") have no value.
  if (!/^[a-z](_.+)?$/i.test(name) && !GREEK.test(name)) return NaN;
  let hash = 7;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) % 997;
  return point * (0.5 + hash / 997);
}

const GREEK =
  /^(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega)(_.+)?$/i;

const CONSTANTS: Readonly<Record<string, number>> = {
  Pi: Math.PI,
  ExponentialE: Math.E,
  e: Math.E,
  PositiveInfinity: Infinity,
  NegativeInfinity: -Infinity,
};

const OPERATIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  Add: (...values) => values.reduce((a, b) => a + b, 0),
  Subtract: (a, b) => a - b,
  Negate: (a) => -a,
  Multiply: (...values) => values.reduce((a, b) => a * b, 1),
  Divide: (a, b) => a / b,
  Rational: (a, b) => a / b,
  Power: (a, b) => a ** b,
  Sqrt: (a) => Math.sqrt(a),
  Root: (a, b) => (b % 2 === 1 && a < 0 ? -((-a) ** (1 / b)) : a ** (1 / b)),
  Abs: (a) => Math.abs(a),
  Exp: (a) => Math.exp(a),
  Ln: (a) => Math.log(a),
  Lb: (a) => Math.log2(a),
  Log: (a, base = 10) => Math.log(a) / Math.log(base),
  Sin: (a) => Math.sin(a),
  Cos: (a) => Math.cos(a),
  Tan: (a) => Math.tan(a),
  Sec: (a) => 1 / Math.cos(a),
  Csc: (a) => 1 / Math.sin(a),
  Cot: (a) => 1 / Math.tan(a),
  Arcsin: (a) => Math.asin(a),
  Arccos: (a) => Math.acos(a),
  Arctan: (a) => Math.atan(a),
  Floor: (a) => Math.floor(a),
  Ceil: (a) => Math.ceil(a),
  Factorial: (a) => factorial(a),
  Degrees: (a) => (a * Math.PI) / 180,
  BaseForm: (a) => a,
};

function factorial(n: number): number {
  if (!Number.isInteger(n) || n < 0 || n > 170) return NaN;
  let out = 1;
  for (let i = 2; i <= n; i++) out *= i;
  return out;
}
