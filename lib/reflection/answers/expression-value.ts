/** Values of expressions: of one without letters a number, of two with letters whether they are the same function. */
import { hasSymbols, print, type Node } from "./expression";
import { round } from "./python";

/** A number with what Python would call it: `7/2*2` is the float 7.0 and prints as such. */
export interface PythonNumber {
  value: number;
  integer: boolean;
}

/**
 * What `eval(str(latex2sympy(text)))` makes of an expression, where the names of Python's `math` are in reach: sympy's own
 * (`E`, `Abs`, `ceiling`, `sec`, `Eq`, any letter) are not, nor are complex numbers. `null` where Python raises.
 * An assignment such as `x = 3` is its right side.
 */
export function pythonValue(node: Node): PythonNumber | null {
  const body = assigned(node);
  if (body === null || !body.every(isPythonName)) return null;
  const value = evaluate(body.node, noSymbols);
  return Number.isFinite(value) ? { value, integer: isWhole(body.node) } : null;
}

/** What `float(latex2sympy(text).evalf())` gives, `null` where it raises: real numbers and infinities only. */
export function sympyValue(node: Node): number | null {
  const body = assigned(node);
  if (body === null || body.node.op in COMPARISONS) return null;
  const value = evaluate(body.node, noSymbols);
  return Number.isNaN(value) ? null : value;
}

/** `round(value, 2)` of {@link pythonValue}. */
export function twoDecimals({ value, integer }: PythonNumber): number {
  return integer ? value : round(value, 2);
}

/** The right side of an assignment to a letter, else the whole; `null` for equations, which have no value. */
function assigned(
  node: Node,
): { node: Node; every: (holds: (part: Node) => boolean) => boolean } | null {
  const body = node.op === "equal" && node.args[0].op === "symbol" ? node.args[1] : node;
  if (body.op === "equal" || body.op === "unequal") return null;
  return { node: body, every: (holds) => everyPart(body, holds) };
}

function everyPart(node: Node, holds: (part: Node) => boolean): boolean {
  return holds(node) && (!("args" in node) || node.args.every((arg) => everyPart(arg, holds)));
}

const ONLY_SYMPY = new Set(["symbol", "apply", "abs", "ceil", "csc", "sec", "cot"]);

function isPythonName(node: Node): boolean {
  if (node.op === "number") return Number.isFinite(node.value);
  if (node.op === "log") return !(node.args[1].op === "number" && node.args[1].value === Math.E);
  if (node.op === "exp") return !(node.args[0].op === "number" && node.args[0].value === 1);
  return !ONLY_SYMPY.has(node.op);
}

/** Whether Python computes it with `int` alone. */
function isWhole(node: Node): boolean {
  if (node.op === "number") return node.integer;
  if (!("args" in node)) return false;
  switch (node.op) {
    case "add":
    case "multiply":
    case "negate":
      return node.args.every(isWhole);
    case "power":
      return node.args.every(isWhole) && evaluate(node.args[1], noSymbols) >= 0;
    case "less":
    case "lessEqual":
    case "greater":
    case "greaterEqual":
    case "factorial":
    case "binomial":
    case "floor":
      return true;
    default:
      return false;
  }
}

type Environment = (name: string, args: readonly number[]) => number;
const noSymbols: Environment = () => NaN;

/** The real value of an expression; NaN where there is none. Numbers only, so that no power can take long. */
export function evaluate(node: Node, symbol: Environment): number {
  if (node.op === "number") return node.value;
  if (node.op === "symbol") return symbol(node.name, []);
  const args = node.args.map((arg) => evaluate(arg, symbol));
  if (node.op === "apply") return symbol(node.name, args);
  const compare = COMPARISONS[node.op];
  if (compare !== undefined)
    return args.some(Number.isNaN) ? NaN : Number(compare(args[0], args[1]));
  return OPERATIONS[node.op](args[0], args[1]);
}

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
  equal: (a, b) => a === b,
  unequal: (a, b) => a !== b,
};

/** A function of one argument reads no second one; `root` without an index is the square root. */
const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  divide: (a, b) => (b === 0 ? NaN : a / b),
  negate: (a) => -a,
  power,
  factorial: (a) => factorial(a),
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  binomial,
  root: (a, b = 2) => power(a, 1 / b),
  log: (a, b) => logarithm(a, b),
  exp: Math.exp,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  csc: (a) => 1 / Math.sin(a),
  sec: (a) => 1 / Math.cos(a),
  cot: (a) => 1 / Math.tan(a),
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  acsc: (a) => Math.asin(1 / a),
  asec: (a) => Math.acos(1 / a),
  acot: (a) => Math.atan(1 / a),
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
};

/** The principal value where it is real: a root of a negative number is complex, in Python as in sympy. */
function power(base: number, exponent: number): number {
  return base === 0 && exponent < 0 ? NaN : base ** exponent;
}

function logarithm(value: number, base: number): number {
  if (value <= 0) return NaN;
  if (base === Math.E) return Math.log(value);
  if (base === 10) return Math.log10(value);
  return Math.log(value) / Math.log(base);
}

function factorial(n: number): number {
  if (!Number.isInteger(n) || n < 0) return NaN;
  if (n > 170) return Infinity;
  let product = 1;
  for (let i = 2; i <= n; i++) product *= i;
  return product;
}

function binomial(n: number, k: number): number {
  if (!Number.isInteger(n) || !Number.isInteger(k)) return NaN;
  if (k < 0 || (n >= 0 && k > n)) return 0;
  const steps = n >= 0 ? Math.min(k, n - k) : k;
  if (steps > 1000) return NaN;
  let value = 1;
  for (let i = 1; i <= steps; i++) value = (value * (n - steps + i)) / i;
  return Math.round(value);
}

/** How two functions of the same letters compare, as far as numbers tell. */
export interface Comparison {
  /** The difference a − b where it is the same everywhere, else `null`. */
  difference: number | null;
  /** The ratio a / b where it is the same everywhere, else `null`. */
  ratio: number | null;
}

/** Half of the points have positive letters only, so that roots and logarithms have values there. */
const POINTS = 16;
const TOLERANCE = 1e-9;

/**
 * Compares two expressions at fixed points: what is equal at arbitrary points is equal (Schwartz–Zippel, with reals for the
 * field), and no expression takes long. Where only one of the two has a real value they differ, as √(x²y) and x√y do for
 * negative x; fewer than three points at which both have one decide nothing.
 */
export function compare(a: Node, b: Node): Comparison {
  const pairs: [number, number][] = [];
  for (let point = 0; point < POINTS; point++) {
    const symbol = sample(point);
    const [x, y] = [evaluate(a, symbol), evaluate(b, symbol)];
    if (Number.isFinite(x) !== Number.isFinite(y)) return { difference: null, ratio: null };
    if (Number.isFinite(x)) pairs.push([x, y]);
  }
  if (pairs.length < 3) return { difference: null, ratio: null };
  const scale = (at: number) => Math.max(Math.abs(pairs[at][0]), Math.abs(pairs[at][1]));
  const differences = pairs.map(([x, y], at) => {
    const difference = x - y;
    return Math.abs(difference) <= TOLERANCE * scale(at) ? 0 : difference;
  });
  const steady = differences.every(
    (difference, at) =>
      (difference === 0) === (differences[0] === 0) &&
      Math.abs(difference - differences[0]) <= TOLERANCE * Math.max(scale(at), scale(0)),
  );
  const ratios = pairs.filter(([, y]) => y !== 0).map(([x, y]) => x / y);
  const even =
    ratios.length === pairs.length &&
    ratios.every((ratio) => Math.abs(ratio - ratios[0]) <= TOLERANCE * Math.abs(ratios[0]));
  return { difference: steady ? differences[0] : null, ratio: even ? ratios[0] : null };
}

/** An environment that gives every name its own value of size 0.3 to 2.3, another one at each point. */
function sample(point: number): Environment {
  return (name, args) => {
    if (name === "pi" && args.length === 0) return Math.PI;
    let hash = 2166136261 ^ (point * 7919);
    for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 16777619);
    hash ^= hash >>> 15;
    const start = (hash >>> 0) / 2 ** 32;
    const phase = args.reduce((sum, arg, i) => sum + arg * (1.7 + i), start);
    const size = 0.3 + 2 * (args.length === 0 ? start : 0.5 + 0.5 * Math.sin(7 * phase));
    return point >= POINTS / 2 && (hash & 64) !== 0 ? -size : size;
  };
}

/** Whether both are written alike, and so equal whatever they mean (10^{10^{10}} and infinities have no other way). */
export function sameText(a: Node, b: Node): boolean {
  return print(a) === print(b);
}

/** The value of an expression without letters other than π; `null` when it holds some. NaN where there is no value. */
export function constantValue(node: Node): number | null {
  return everyPart(node, (part) => part.op !== "apply") && !hasOtherSymbols(node)
    ? evaluate(node, (name) => (name === "pi" ? Math.PI : NaN))
    : null;
}

function hasOtherSymbols(node: Node): boolean {
  if (node.op === "symbol") return node.name !== "pi";
  return "args" in node && hasSymbols(node) && node.args.some(hasOtherSymbols);
}
