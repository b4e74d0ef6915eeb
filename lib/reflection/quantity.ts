/** Reads a plain number with what people write around it: signs, thousands, fractions, percent, currency, a unit. */

export interface Quantity {
  value: number;
  percent: boolean;
  /** The unit as written, in one spelling; `null` where there is none. */
  unit: string | null;
  /** A whole number's digits with its sign, for doubles do not tell large ones apart; `null` for others. */
  digits: string | null;
}

const UNSIGNED = String.raw`(?:\d{1,3}(?:[, ]\d{3})+(?:\.\d*)?|\d+,\d+|\d+\.?\d*|\.\d+)`;
const NUMBER = new RegExp(`^${UNSIGNED}$`);
/** sign, currency, sign, then the number and what follows it. */
const QUANTITY = new RegExp(
  String.raw`^([+-]?)\s*([$€£¥]?)\s*([+-]?)\s*` +
    String.raw`(?:(\d+)\s+(\d+)\s*/\s*(\d+)` +
    String.raw`|\\[dt]?frac\s*\{\s*([+-]?${UNSIGNED})\s*\}\s*\{\s*(${UNSIGNED})\s*\}` +
    String.raw`|(${UNSIGNED})\s*/\s*([+-]?${UNSIGNED})` +
    String.raw`|(${UNSIGNED})(?:\s*(?:[x*×·]|\\times|\\cdot)\s*10\s*\^\s*\{?\s*([+-]?\d+)\s*\}?|[eE]([+-]?\d+))?)` +
    String.raw`\s*(.*)$`,
  "s",
);

/** The number that the whole of `text` states, `null` where it states something else or more than one. */
export function readQuantity(text: string): Quantity | null {
  // A text of this length is no number, and long runs of digits cost the pattern time.
  if (text.length > 100) return null;
  const found = QUANTITY.exec(text);
  if (found === null) return null;
  const [, sign, , innerSign, whole, above, below, over, under, left, right, plain, power, exp] =
    found;
  const size =
    whole !== undefined
      ? Number(whole) + Number(above) / Number(below)
      : over !== undefined
        ? decimal(over) / decimal(under)
        : left !== undefined
          ? decimal(left) / decimal(right)
          : decimal(plain) * 10 ** Number(power ?? exp ?? 0);
  const negative = sign === "-" || innerSign === "-";
  const value = negative ? -size : size;
  const unit = readUnit(found[14]);
  if (!Number.isFinite(value) || unit === undefined || (sign !== "" && innerSign !== "")) {
    return null;
  }
  const isPlain = plain !== undefined && power === undefined && exp === undefined;
  const digits = isPlain ? wholeDigits(plain, negative) : null;
  return { value, percent: unit === "%", unit: unit === "%" ? null : unit, digits };
}

/** True when two plain numbers state the same, in whatever notation. */
export function sameQuantity(gold: Quantity, prediction: Quantity): boolean {
  if (gold.unit !== null && prediction.unit !== null && gold.unit !== prediction.unit) return false;
  const large = Math.abs(gold.value) > Number.MAX_SAFE_INTEGER;
  if (large && gold.digits !== null && prediction.digits !== null) {
    return gold.digits === prediction.digits;
  }
  if (sameNumber(gold.value, prediction.value)) return true;
  // With one percent sign, either the sign was left out or the share was written as a fraction.
  if (gold.percent === prediction.percent) return false;
  return gold.percent
    ? sameNumber(gold.value / 100, prediction.value)
    : sameNumber(gold.value, prediction.value / 100);
}

/** A gold integer is exact. A gold decimal is rounded: six digits must agree, as math-verify compares. */
function sameNumber(gold: number, prediction: number): boolean {
  const precision = Number.isInteger(gold) ? 1e-12 : 2e-6;
  const size = Math.max(Math.abs(gold), Math.abs(prediction));
  return gold === prediction || Math.abs(gold - prediction) <= precision * size;
}

function wholeDigits(text: string, negative: boolean): string | null {
  const digits = text.replace(/[, ](?=\d{3})/g, "").replace(/\.0*$/, "");
  return /^\d+$/.test(digits) ? (negative ? "-" : "") + digits.replace(/^0+(?=\d)/, "") : null;
}

/** Thousands (`1,000`, `1 000`) and the decimal comma (`2,74`, `0,111`). */
function decimal(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[+-]/, "");
  if (!NUMBER.test(digits)) return NaN;
  if (/^[1-9]\d{0,2}(?:[, ]\d{3})+(?:\.\d*)?$/.test(digits)) {
    return sign * Number(digits.replace(/[, ]/g, ""));
  }
  return sign * Number(digits.replace(",", "."));
}

/** Words after a number that change it or make it two: then it is no plain number. */
const NOT_UNITS =
  /\b(?:and|or|to|not|x|times|plus|minus|over|hundred|thousand|million|billion|trillion|dozen|percent of)\b/;
/** Single letters that are units; others after a number are unknowns (`5x`). */
const LETTER_UNITS = "msghlLdKJNWVACFT";

/** The unit in one spelling, `null` where nothing follows, `undefined` where what follows is no unit. */
function readUnit(text: string): string | null | undefined {
  const words = text
    .replace(/\\(?:text|mathrm|textrm|operatorname)\s*\{([^{}]*)\}/g, "$1")
    .replace(/\\[,;:! ]|~/g, " ")
    .replace(/\^\s*\{?\s*\\circ\s*\}?|\\degree|º/g, "°")
    .replace(/\\%/g, "%")
    .replace(/\^\s*\{?\s*(-?\d)\s*\}?/g, "$1")
    .trim()
    .replace(/[.;,]$/, "");
  if (words === "") return null;
  if (/^(?:%|per ?cent|percentage points?)$/i.test(words)) return "%";
  if (/^(?:°|deg(?:ree)?s?)$/i.test(words)) return "°";
  if (/^[A-Za-z]\d?$/.test(words)) return LETTER_UNITS.includes(words[0]) ? words : undefined;
  const plain = /^[°Ωµμ]?[A-Za-zΩµμ]+\d?(?:[ /·][A-Za-zΩµμ]+\d?){0,3}$/.test(words);
  if (!plain || NOT_UNITS.test(words.toLowerCase())) return undefined;
  return unitName(words);
}

/** True where two units are one, however they are spelt. */
export const sameUnit = (a: string, b: string): boolean => readUnit(a) === readUnit(b);

/** Words in one number and case, and short where there is a symbol; symbols such as mW and MW keep their case. */
function unitName(words: string): string {
  const name = words.length > 3 ? words.toLowerCase().replace(/(?<!s)s$/, "") : words;
  return SYMBOLS[name] ?? name;
}

const SYMBOLS: Readonly<Record<string, string>> = {
  meter: "m",
  metre: "m",
  centimeter: "cm",
  centimetre: "cm",
  millimeter: "mm",
  millimetre: "mm",
  kilometer: "km",
  kilometre: "km",
  "square meter": "m2",
  "square centimeter": "cm2",
  "sq cm": "cm2",
  "sq m": "m2",
  "cubic meter": "m3",
  "cubic centimeter": "cm3",
  gram: "g",
  kilogram: "kg",
  second: "s",
  sec: "s",
  minute: "min",
  mins: "min",
  hour: "h",
  hr: "h",
  hrs: "h",
  liter: "L",
  litre: "L",
  l: "L",
  newton: "N",
  joule: "J",
  watt: "W",
  volt: "V",
  ohm: "Ω",
  inche: "in",
  inch: "in",
  foot: "ft",
  feet: "ft",
};
