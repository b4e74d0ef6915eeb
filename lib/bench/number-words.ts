/** English number words as the package `word2number` reads them, which EMMA's scorer uses: words that are none are overlooked. */
import { splitWords } from "../reflection/answers/python";

const ONES = [
  ...["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  ...["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"],
  "nineteen",
];
const TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const VALUES = new Map<string, number>([
  ...ONES.map((word, i): [string, number] => [word, i]),
  ...TENS.map((word, i): [string, number] => [word, 20 + 10 * i]),
  ["hundred", 100],
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
]);

/** The number in a text, `null` where the package raises. */
export function wordsToNumber(text: string): number | null {
  const lower = text.replaceAll("-", " ").toLowerCase();
  if (/^\d+$/.test(lower)) return Number(lower);
  const words = splitWords(lower).filter((word) => VALUES.has(word) || word === "point");
  if (words.length === 0) return null;
  const scales = ["billion", "million", "thousand"];
  for (const word of [...scales, "point"]) {
    if (words.indexOf(word) !== words.lastIndexOf(word)) return null;
  }
  const point = words.indexOf("point");
  const whole = point < 0 ? words : words.slice(0, point);
  const places = scales.map((scale) => whole.indexOf(scale)).filter((place) => place >= 0);
  if (places.some((place, i) => i > 0 && place < places[i - 1])) return null;
  const fraction = point < 0 ? 0 : decimals(words.slice(point + 1));
  const integer = whole.length === 1 ? (VALUES.get(whole[0]) as number) : scaled(whole, scales);
  return integer === null ? null : integer + fraction;
}

/**
 * Billions, millions, thousands and the rest; `null` where a scale has nothing before it. The rest stands behind the last scale that
 * is not the last word, so that a scale that ends the text is counted again: "two million three thousand" is 2,004,003 to the
 * package, and so to the authors.
 */
function scaled(words: readonly string[], scales: readonly string[]): number | null {
  let sum = 0;
  let start = 0;
  let rest = 0;
  for (const scale of scales) {
    const place = words.indexOf(scale);
    if (place < 0) continue;
    if (place === start) return null;
    sum += combined(words.slice(start, place)) * (VALUES.get(scale) as number);
    start = place + 1;
    if (start < words.length) rest = start;
  }
  return start > 0 && rest === 0 ? sum : sum + combined(words.slice(rest));
}

/** Up to four words below a thousand, in the package's own way: beyond that it reads the first alone. */
function combined(words: readonly string[]): number {
  if (words.length === 0) return 0;
  const [a, b, c, d] = words.map((word) => VALUES.get(word) as number);
  if (words.length === 4) return a * b + c + d;
  if (words.length === 3) return a * b + c;
  if (words.length === 2) return a === 100 || b === 100 ? a * b : a + b;
  return a;
}

/** The digits behind the point; 0 when one of them is no digit. */
function decimals(words: readonly string[]): number {
  const digits = words.map((word) => ONES.indexOf(word));
  const readable = digits.length > 0 && digits.every((digit) => digit >= 0 && digit < 10);
  return readable ? Number(`0.${digits.join("")}`) : 0;
}
