/** The value of a formula in double arithmetic, with numbers in the place of its letters. */
import * as c from "./complex";
import { complex, type Complex } from "./complex";
import { isMixedNumber } from "./exact";
import { argsOf, digitsOf, headOf, type MathJson } from "./mathjson";

/** How letters are read, and at which of the points the formula is evaluated. */
export interface Reading {
  /** Index of the point; every letter has another value at another point. */
  point: number;
  /** `A` and `a` are one letter. */
  foldCase: boolean;
  /** `i` is the imaginary unit, else a letter as any other. */
  imaginary: boolean;
  /** A sign of degrees inside a formula multiplies by π/180, else it says nothing. */
  degrees: boolean;
  /** Letters are small whole numbers, so that a sum up to `n` can be added up. */
  counting?: boolean;
  /** Values for letters in the place of the random ones. */
  letters?: Readonly<Record<string, number>>;
}

const NOT_A_NUMBER = complex(NaN);
/** Terms of a sum that are added up; a longer one is compared as it stands. */
const MAX_TERMS = 1000;

/**
 * The value at a point, NaN outside the domain. What has no numerical rule here (integrals, limits, unknown functions)
 * is an unknown function of its arguments: equal where these are, and equal to nothing else.
 */
export function evaluate(tree: MathJson, reading: Reading): Complex {
  const digits = digitsOf(tree);
  if (digits !== null) return complex(numberOf(digits));
  if (typeof tree === "string") return letterValue(tree, reading);
  if (!Array.isArray(tree)) return NOT_A_NUMBER;
  const head = headOf(tree);
  if (head === null) return NOT_A_NUMBER;
  if (head === "Subscript") return letterValue(JSON.stringify(tree), reading);
  if (head === "__unit__") return complex(1);
  if (head === "Sum" || head === "Product") return series(head, argsOf(tree), reading);
  const values = argsOf(tree).map((part) => evaluate(part, reading));
  if (isMixedNumber(tree)) {
    return values[0].re < 0 ? c.subtract(values[0], values[1]) : c.add(values[0], values[1]);
  }
  if (head === "Degrees") {
    return reading.degrees ? complex((values[0].re * Math.PI) / 180) : values[0];
  }
  const operation = OPERATIONS[head];
  return operation === undefined ? unknown(head, values) : operation(...values);
}

/** The parser's decimal text: `28e-2`, and `0.(3)` with its repeating digits. */
function numberOf(digits: string): number {
  const repeating = /^(-?\d*\.\d*)\((\d+)\)$/.exec(digits);
  if (repeating === null) return Number(digits);
  return Number(repeating[1] + repeating[2].repeat(Math.ceil(20 / repeating[2].length)));
}

/** A fixed pseudo-random real number for a name at a point: of either sign, not near 0, no nice number. */
function letterValue(name: string, reading: Reading): Complex {
  // A text inside a formula is a name: `\text{e}` is set upright, and e all the same.
  const bare = name.replace(/^'(.*)'$/, "$1");
  if (bare in CONSTANTS) return CONSTANTS[bare];
  const folded = reading.foldCase ? bare.toLowerCase() : bare;
  if (folded === "i" && reading.imaginary) return complex(0, 1);
  if (reading.letters !== undefined && folded in reading.letters) {
    return complex(reading.letters[folded]);
  }
  const share = hash(`${folded}#${reading.point}`);
  if (reading.counting === true) return complex(2 + Math.floor(28 * share));
  const size = 0.3 + 2.1 * ((share * 7919) % 1);
  // At even points letters are positive, as the domain of roots and logarithms wants; at one all are negative, so that
  // no letter passes for its absolute value.
  const negative = reading.point === 1 || (reading.point % 2 === 1 && share < 0.5);
  return complex(negative ? -size : size);
}

/** In [0, 1), the same for the same text. FNV-1a, with a last mix so that like names lie far apart. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32;
}

function unknown(head: string, values: readonly Complex[]): Complex {
  return values.reduce(
    (sum, value, index) => {
      const weight = complex(0.7 + hash(`${head}/${index}/${values.length}`));
      return c.add(sum, c.multiply(weight, c.add(value, c.multiply(value, value))));
    },
    complex(hash(head)),
  );
}

function series(
  head: "Sum" | "Product",
  [body, range = "Nothing"]: readonly MathJson[],
  reading: Reading,
): Complex {
  const [index, low, high] = argsOf(range);
  if (typeof index !== "string" || low === undefined || high === undefined) {
    return unknown(head, [evaluate(body, reading)]);
  }
  const [from, to] = [evaluate(low, reading), evaluate(high, reading)];
  const countable = Number.isInteger(from.re) && Number.isInteger(to.re) && c.isReal(to);
  if (!countable || to.re - from.re > MAX_TERMS || hasSeries(body)) {
    return unknown(head, [evaluate(body, reading), from, to]);
  }
  let out = complex(head === "Sum" ? 0 : 1);
  for (let k = from.re; k <= to.re; k++) {
    const name = reading.foldCase ? index.toLowerCase() : index;
    const value = evaluate(body, { ...reading, letters: { ...reading.letters, [name]: k } });
    out = head === "Sum" ? c.add(out, value) : c.multiply(out, value);
  }
  return out;
}

/** A sum or product of many terms somewhere in the formula; one within another would be MAX_TERMS squared. */
export function hasSeries(tree: MathJson): boolean {
  const head = headOf(tree);
  return head === "Sum" || head === "Product" || argsOf(tree).some(hasSeries);
}

const CONSTANTS: Readonly<Record<string, Complex>> = {
  Pi: complex(Math.PI),
  pi: complex(Math.PI),
  ExponentialE: complex(Math.E),
  e: complex(Math.E),
  ImaginaryUnit: complex(0, 1),
  PositiveInfinity: complex(Infinity),
  NegativeInfinity: complex(-Infinity),
  Nothing: NOT_A_NUMBER,
};

/** A function of real numbers only. */
function real(operation: (...values: number[]) => number): (...values: Complex[]) => Complex {
  return (...values) =>
    values.every(c.isReal)
      ? complex(operation(...values.map(({ re }) => re)))
      : unknown(operation.name, values);
}

const sum = (...values: Complex[]): Complex => values.reduce(c.add, complex(0));
const product = (...values: Complex[]): Complex => values.reduce(c.multiply, complex(1));
const reciprocal = (a: Complex): Complex => c.divide(complex(1), a);

const OPERATIONS: Readonly<Record<string, (...values: Complex[]) => Complex>> = {
  Add: sum,
  Subtract: c.subtract,
  Negate: c.negate,
  Multiply: product,
  InvisibleOperator: product,
  Divide: c.divide,
  Rational: c.divide,
  // `11:21` is a ratio.
  Colon: c.divide,
  Power: c.power,
  Square: (a) => c.multiply(a, a),
  Sqrt: c.sqrt,
  Root: (a, b) => root(a, b),
  Abs: (a) => complex(c.magnitude(a)),
  Norm: (a) => complex(c.magnitude(a)),
  Exp: c.exp,
  Ln: (a, base) => (base === undefined ? c.ln(a) : c.divide(c.ln(a), c.ln(base))),
  Lb: (a) => c.divide(c.ln(a), complex(Math.LN2)),
  Lg: (a) => c.divide(c.ln(a), complex(Math.LN10)),
  Log: (a, base = complex(10)) => c.divide(c.ln(a), c.ln(base)),
  Sin: c.sin,
  Cos: c.cos,
  Tan: (a) => c.divide(c.sin(a), c.cos(a)),
  Sec: (a) => reciprocal(c.cos(a)),
  Csc: (a) => reciprocal(c.sin(a)),
  Cot: (a) => c.divide(c.cos(a), c.sin(a)),
  Arcsin: real(Math.asin),
  Arccos: real(Math.acos),
  Arctan: real(Math.atan),
  Arccot: real((a) => Math.PI / 2 - Math.atan(a)),
  Sinh: real(Math.sinh),
  Cosh: real(Math.cosh),
  Tanh: real(Math.tanh),
  Floor: real(Math.floor),
  Ceil: real(Math.ceil),
  Max: real(Math.max),
  Min: real(Math.min),
  Mod: real((a, b) => a - b * Math.floor(a / b)),
  GCD: real((...values) => values.reduce(gcd)),
  LCM: real((...values) => values.reduce((a, b) => Math.abs(a * b) / gcd(a, b))),
  Factorial: (a) => (c.isReal(a) && isSmallCount(a.re) ? real(factorial)(a) : unknown("!", [a])),
  Binomial: (n, k) => (c.isReal(n) && c.isReal(k) ? real(binomial)(n, k) : unknown("C", [n, k])),
};

/** The real root where there is one: the cube root of -8 is -2. */
function root(a: Complex, b: Complex): Complex {
  const odd = c.isReal(a) && a.re < 0 && c.isReal(b) && Math.abs(b.re % 2) === 1;
  return odd ? complex(-((-a.re) ** (1 / b.re))) : c.power(a, reciprocal(b));
}

const isSmallCount = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= 170;

function factorial(n: number): number {
  let out = 1;
  for (let i = 2; i <= n; i++) out *= i;
  return out;
}

function binomial(n: number, k: number): number {
  if (!isSmallCount(n) || !isSmallCount(k)) return NaN;
  let out = 1;
  for (let i = 1; i <= k; i++) out = (out * (n - k + i)) / i;
  return out;
}

function gcd(a: number, b: number): number {
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return NaN;
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}
