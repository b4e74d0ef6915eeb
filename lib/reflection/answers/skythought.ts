/**
 * The rule of SkyThought's maths grader: answers in one spelling, numbers within a relative 1e-3; and how it finds an answer
 * or a letter in a response.
 */
import { lastBoxed } from "./boxed";
import { harnessEqual } from "./harness";
import { optionLetter } from "./option-letter";

/** Whether a bare answer equals the gold one. Never throws. */
export function skyThought(gold: string, prediction: string): boolean {
  return harnessEqual(gold, prediction, { tolerance: 1e-3, normalise: skyThoughtStrip });
}

/** An answer in this grader's spelling: no units, currency, percent or empty decimals; fractions and roots in braces. */
export function skyThoughtStrip(text: string): string {
  return text
    .trim()
    .replace(/\\!|\\\s|\\(?:left|right)(?![a-z])/g, "")
    .replace(/\\?\$/g, "")
    .replace(/\\[dtc]frac(?![a-z])/g, "\\frac")
    .replace(/(?<=[\d}])\s*\\(?:text|mbox)\s*\{[^{}]*\}(?:\^\{?\d\}?)?$/, "")
    .replace(/\\text\s*\{([^{}]*)\}/g, "$1")
    .replace(/\^\s*\{?\s*\\circ\s*\}?/g, "")
    .replace(/\\%/g, "%")
    .replace(/\\frac(\d)(\d)/g, "\\frac{$1}{$2}")
    .replace(/\\frac(\d)(?=\{)/g, "\\frac{$1}")
    .replace(/\\frac(\{[^{}]*\})(\d)/g, "\\frac$1{$2}")
    .replace(/\\sqrt(\w)/g, "\\sqrt{$1}")
    .replace(/^(-?)(\d+)\/(\d+)$/, "$1\\frac{$2}{$3}")
    .replace(/(^|[\s{])\.(?=\d)/g, "$10.")
    .replace(/(\d)\.0*(?=$|[^\d])/g, "$1")
    .replace(/\.$/, "")
    .replace(/(?<!\\[a-z]{0,20})\s+(?![a-z])/gi, "")
    .trim();
}

/** The answer that a response gives: its last box, what follows "answer is", else its last number; "" where there is none. */
export function skyThoughtExtract(response: string): string {
  const text = response.slice(-40_000);
  const boxed = lastBoxed(text);
  if (boxed !== null) return skyThoughtStrip(boxed);
  const named = text.split(/the answer is:?/i);
  const said = named.length > 1 ? named[named.length - 1].split("\n")[0].trim() : "";
  if (said !== "") return skyThoughtStrip(said);
  const numbers = text.replace(/,(?=\d{3})/g, "").match(/-?\d+(?:\.\d+)?/g);
  return numbers === null ? "" : skyThoughtStrip(numbers[numbers.length - 1]);
}

/** The letter that a response chooses; the response unchanged where it chooses none. */
export function skyThoughtLetter(response: string): string {
  return optionLetter(response) ?? response;
}
