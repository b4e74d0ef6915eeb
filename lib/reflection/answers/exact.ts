/** Exact fractions, where doubles would take 2^100 and 2^100+1 for the same number. */
import { argsOf, digitsOf, headOf, type MathJson } from "./mathjson";

/** `over` is positive; not reduced. */
export interface Fraction {
  readonly above: bigint;
  readonly over: bigint;
}

/** Numbers past this are left to floating point: `9^{9^{9^9}}` has no room anywhere. */
const MAX_BITS = 4000;
const MAX_DIGITS = 1000;

/** The number that arithmetic on whole and decimal numbers gives; `null` for anything else and for what is too large. */
export function exactValue(tree: MathJson): Fraction | null {
  const digits = digitsOf(tree);
  if (digits !== null) return fractionOf(digits);
  const head = headOf(tree);
  if (head === null || !(head in OPERATIONS)) return null;
  const parts: Fraction[] = [];
  for (const arg of argsOf(tree)) {
    const part = exactValue(arg);
    if (part === null) return null;
    parts.push(part);
  }
  const result = isMixedNumber(tree) ? mixed(parts[0], parts[1]) : OPERATIONS[head](parts);
  return result === null || bits(result) > MAX_BITS ? null : result;
}

export const sameFraction = (a: Fraction, b: Fraction): boolean =>
  a.above * b.over === b.above * a.over;

/** `1\frac12` is one and a half, whereas other things side by side are multiplied. */
export function isMixedNumber(tree: MathJson): boolean {
  const parts = argsOf(tree);
  return (
    headOf(tree) === "InvisibleOperator" &&
    parts.length === 2 &&
    /^-?\d+$/.test(digitsOf(parts[0]) ?? "") &&
    headOf(parts[1]) === "Divide" &&
    argsOf(parts[1]).every((part) => Number.isInteger(part) && (part as number) > 0)
  );
}

/** A decimal text such as `-12.50`, `7.8e2` or `0.(3)`, whose bracketed digits repeat; `null` for another or a huge one. */
export function fractionOf(text: string): Fraction | null {
  if (text.length > MAX_DIGITS) return null;
  const found = /^([+-]?)(\d*)(?:\.(\d*)(?:\((\d+)\))?)?(?:e([+-]?\d{1,3}))?$/i.exec(text);
  if (found === null || (found[2] === "" && !found[3] && !found[4])) return null;
  const [, sign, whole, decimals = "", repeating = "", exponent = "0"] = found;
  let over = 10n ** BigInt(decimals.length);
  let above = BigInt(whole + decimals || "0");
  if (repeating !== "") {
    const nines = 10n ** BigInt(repeating.length) - 1n;
    above = above * nines + BigInt(repeating);
    over *= nines;
  }
  const shift = 10n ** BigInt(Math.abs(Number(exponent)));
  if (exponent.startsWith("-")) over *= shift;
  else above *= shift;
  return { above: sign === "-" ? -above : above, over };
}

const OPERATIONS: Readonly<Record<string, (parts: Fraction[]) => Fraction | null>> = {
  Add: (parts) => fold(parts, plus),
  Subtract: ([a, b]) => plus(a, { above: -b.above, over: b.over }),
  Negate: ([a]) => ({ above: -a.above, over: a.over }),
  Multiply: (parts) => fold(parts, times),
  InvisibleOperator: (parts) => fold(parts, times),
  Divide: ([a, b]) => inverse(b, (flipped) => times(a, flipped)),
  Rational: ([a, b]) => inverse(b, (flipped) => times(a, flipped)),
  Power: ([a, b]) => raise(a, b),
};

/** One by one, stopping as soon as the number grows too large to go on. */
function fold(
  parts: readonly Fraction[],
  operation: (a: Fraction, b: Fraction) => Fraction,
): Fraction | null {
  let out = parts[0];
  for (const part of parts.slice(1)) {
    out = operation(out, part);
    if (bits(out) > MAX_BITS) return null;
  }
  return out ?? null;
}

const plus = (a: Fraction, b: Fraction): Fraction => ({
  above: a.above * b.over + b.above * a.over,
  over: a.over * b.over,
});

/** `-1\frac12` is minus one and a half. */
const mixed = (whole: Fraction, part: Fraction): Fraction =>
  plus(whole, whole.above < 0n ? { above: -part.above, over: part.over } : part);

const times = (a: Fraction, b: Fraction): Fraction => ({
  above: a.above * b.above,
  over: a.over * b.over,
});

function inverse(a: Fraction, then: (flipped: Fraction) => Fraction | null): Fraction | null {
  if (a.above === 0n) return null;
  return then(a.above < 0n ? { above: -a.over, over: -a.above } : { above: a.over, over: a.above });
}

function raise(base: Fraction, exponent: Fraction): Fraction | null {
  if (exponent.above % exponent.over !== 0n) return null;
  const n = exponent.above / exponent.over;
  const size = n < 0n ? -n : n;
  if (size > BigInt(MAX_BITS) || BigInt(bits(base)) * size > BigInt(MAX_BITS)) return null;
  const raised = { above: base.above ** size, over: base.over ** size };
  return n < 0n ? inverse(raised, (flipped) => flipped) : raised;
}

function bits({ above, over }: Fraction): number {
  return 4 * Math.max(above.toString(16).length, over.toString(16).length);
}
