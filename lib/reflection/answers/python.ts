/**
 * The parts of Python that the official scorers lean on. A score is only the authors' own when `round(2.675, 2)`,
 * `float(" 1_000 ")` and `str(1e16)` mean here what they mean in CPython 3.
 */

/** What `str.isspace` says yes to. JavaScript's `\s` differs: it takes U+FEFF and leaves U+001C to U+001F and U+0085. */
const SPACE =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const ONE_SPACE = new RegExp(`[${SPACE}]`);
const SPACES = new RegExp(`[${SPACE}]+`);

/** `text.strip(chars)`; without `chars`, white space. Linear in the length, unlike a regular expression that ends in `$`. */
export function strip(text: string, chars?: string): string {
  return lstrip(rstrip(text, chars), chars);
}

/** `text.lstrip(chars)`. */
export function lstrip(text: string, chars?: string): string {
  let start = 0;
  while (start < text.length && isOneOf(text[start], chars)) start++;
  return text.slice(start);
}

/** `text.rstrip(chars)`. */
export function rstrip(text: string, chars?: string): string {
  let end = text.length;
  while (end > 0 && isOneOf(text[end - 1], chars)) end--;
  return text.slice(0, end);
}

function isOneOf(char: string, chars: string | undefined): boolean {
  return chars === undefined ? ONE_SPACE.test(char) : chars.includes(char);
}

/** `text.split()`: the words between runs of white space. */
export function splitWords(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== "");
}

/** `text.split(separator)[-1]`. */
export function afterLast(text: string, separator: string): string {
  const at = text.lastIndexOf(separator);
  return at < 0 ? text : text.slice(at + separator.length);
}

/** `text.split(separator)[0]`. */
export function beforeFirst(text: string, separator: string): string {
  const at = text.indexOf(separator);
  return at < 0 ? text : text.slice(0, at);
}

/** Decimal digits of every script as ASCII: Python's number parsers read them all. */
function asciiDigits(text: string): string {
  // Digits stand in runs of ten from zero to nine, several runs one after the other in places.
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) as number;
    let start = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(start - 1))) start--;
    return String((code - start) % 10);
  });
}

const FLOAT =
  /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const NAMED_FLOAT = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;

/** What the number parsers strip: white space without U+001C to U+001F, which `str.strip` takes as well. */
const NUMBER_SPACE =
  "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

const bareNumber = (text: string): string => asciiDigits(strip(text, NUMBER_SPACE));

/** `float(text)`, or `null` where Python raises. */
export function parseFloat(text: string): number | null {
  const bare = bareNumber(text);
  if (FLOAT.test(bare)) return Number(bare.replaceAll("_", ""));
  const named = NAMED_FLOAT.exec(bare);
  if (named === null) return null;
  return named[2] === undefined ? NaN : named[1] === "-" ? -Infinity : Infinity;
}

/** `int(text)` of base 10, or `null` where Python raises. CPython refuses more than 4300 digits. */
export function parseInt(text: string): bigint | null {
  const bare = bareNumber(text);
  if (!/^[+-]?\d+(?:_\d+)*$/.test(bare)) return null;
  const digits = bare.replaceAll("_", "").replace("+", "");
  if (digits.replace("-", "").length > 4300) return null;
  return digits.startsWith("-") ? -BigInt(digits.slice(1)) : BigInt(digits);
}

/** `int(value)` of a float: towards zero; `null` where Python raises (infinities and nan). */
export function truncate(value: number): bigint | null {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : null;
}

/** `repr(value)` of a float: always a point or an exponent, exponents from 1e16 and below 1e-4. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    // JavaScript finds the same shortest digits; Python writes at least two digits of the exponent.
    const [mantissa, exponent] = value.toExponential().split("e");
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const shown = String(value);
  return shown.includes(".") ? shown : `${shown}.0`;
}

/**
 * `round(value, digits)` of a float, digits >= 0: to the nearest decimal, a tie (a double that lies exactly between two
 * decimals, such as 0.125) to the even one. `toFixed` takes ties upwards, and `Math.round(x * 100) / 100` rounds twice.
 */
export function round(value: number, digits: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const { mantissa, exponent } = decompose(Math.abs(value));
  // At 2^53 and above there is nothing behind the point.
  if (exponent >= 0) return value;
  const shift = BigInt(-exponent);
  const scaled = mantissa * 10n ** BigInt(digits);
  const floor = scaled >> shift;
  const rest = scaled - (floor << shift);
  const half = 1n << (shift - 1n);
  const up = rest > half || (rest === half && (floor & 1n) === 1n);
  const size = Number(`${up ? floor + 1n : floor}e-${digits}`);
  return value < 0 ? -size : size;
}

/** A positive double as `mantissa * 2^exponent`, both whole. */
function decompose(value: number): { mantissa: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const word = bits.getBigUint64(0);
  const biased = Number(word >> 52n);
  const fraction = word & 0xfffffffffffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: biased - 1075 };
}

/** Levenshtein's distance in code points, as Python counts characters. Time `a * b`, memory `b`. */
export function editDistance(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  let row = Uint32Array.from({ length: right.length + 1 }, (_, j) => j);
  let next = new Uint32Array(right.length + 1);
  for (let i = 0; i < left.length; i++) {
    next[0] = i + 1;
    for (let j = 0; j < right.length; j++) {
      const change = row[j] + (left[i] === right[j] ? 0 : 1);
      next[j + 1] = Math.min(change, row[j + 1] + 1, next[j] + 1);
    }
    [row, next] = [next, row];
  }
  return row[right.length];
}
