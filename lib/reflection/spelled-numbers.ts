/** Numbers as English spells them out: a reflection may say "minus seven", "three eighths" or "forty-five percent" for a gold answer. */
import { readQuantity } from "./quantity";

const ONES = [
  ...["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  ...["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"],
  "nineteen",
];
const TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/** By denominator, from 2. */
const PARTS = ["half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/**
 * A number below a thousand in words, as {@link foldSpelling} writes them; `null` for decimals, large ones and what is no number.
 * @param text a number, with a sign, a percent sign or a unit
 */
export function spelledOut(text: string): string | null {
  const fraction = /^([+-]?)(?:\\d?frac\{(\d+)\}\{(\d+)\}|(\d+)\s*\/\s*(\d+))$/.exec(text.trim());
  if (fraction !== null) {
    const [, sign, above, below, over, under] = fraction;
    return signed(sign, partsOf(Number(above ?? over), Number(below ?? under)));
  }
  const quantity = readQuantity(text);
  if (quantity === null) return null;
  const words = wholeNumber(Math.abs(quantity.value));
  return signed(
    quantity.value < 0 ? "-" : "",
    words && (quantity.percent ? `${words} percent` : words),
  );
}

/** A text whose spelled numbers have one form: "minus" for a sign, blanks for hyphens, no "and" after hundreds. */
export function foldSpelling(text: string): string {
  return text
    .toLowerCase()
    .replace(/(?<=\p{L})-(?=\p{L})/gu, " ")
    .replace(/\bnegative (?=[a-z]+)/g, "minus ")
    .replace(/\bper cent\b/g, "percent")
    .replace(/\bhundred and\b/g, "hundred")
    .replace(/\bfourth(s?)\b/g, "quarter$1");
}

const signed = (sign: string, words: string | null): string | null =>
  words === null || sign !== "-" ? words : `minus ${words}`;

function wholeNumber(value: number): string | null {
  if (!Number.isInteger(value) || value >= 1000) return null;
  if (value < 20) return ONES[value];
  if (value < 100) return joined(TENS[Math.floor(value / 10) - 2], value % 10);
  return joined(`${ONES[Math.floor(value / 100)]} hundred`, value % 100);
}

const joined = (words: string, rest: number): string =>
  rest === 0 ? words : `${words} ${wholeNumber(rest) ?? ""}`;

function partsOf(above: number, below: number): string | null {
  const [count, part] = [wholeNumber(above), PARTS[below - 2] as string | undefined];
  if (count === null || part === undefined) return null;
  const several = below === 2 ? "halves" : `${part}s`;
  return `${count} ${above === 1 ? part : several}`;
}
