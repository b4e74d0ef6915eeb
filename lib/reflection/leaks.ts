/**
 * Does a reflection give the gold answer away? The policy will have to reflect without it, so that a reflection which names the answer, or
 * speaks as one who was told, teaches to guess. How often this is right is measured on labelled reflections in its test.
 */
import type { Problem } from "../types";
import { unwrap } from "./equality";

const RIGHT = "(?:correct|right|true|actual|real|expected|proper)";

/** Words of one who has been told the answer. */
const TOLD: readonly RegExp[] = [
  String.raw`\bground[- ]?truth`,
  String.raw`\b(?:answer|solution)s? (?:key|sheet|manual)\b|\bmark(?:ing)? scheme\b`,
  // "The given answer choices" are everybody's.
  String.raw`\b(?:gold(?:en)?|reference|given|provided|supplied|official|model|intended|desired|target|known|true|expected) (?:final )?(?:answer|solution|label)s?\b(?! ?(?:choices?|options?|list|format|type)\b)`,
  String.raw`\b${RIGHT} (?:final )?(?:answer|solution)s? (?:is|was|should|would|must|given|provided|turns|here|indeed|listed|being|says|states|shows|tells)\b`,
  String.raw`\b${RIGHT} (?:option|choice|value|result|letter) (?:is|was|should be|would be|must be|turns out)\b(?! (?:the one|one that|found|obtained|reached|given by|determined|computed|not))`,
  String.raw`\b(?:according to|compar\w+ (?:\w+ ){0,2}(?:with|to|against)|based on|match(?:es|ed|ing)?|differs? from|agrees? with|contradicts?|disagrees? with) the (?:${RIGHT} (?:answer|solution|result|value)|reference\b(?! (?:line|point|level|frame|axis|bar|angle))|key\b|solution\b(?! (?:of|I|above)\b)|teacher)`,
  String.raw`\b(?:we|I) (?:are|am|was|were|have been|had been) (?:told|given|informed|shown) (?:that )?(?:the |what the )?(?:\w+ )?answer`,
  String.raw`\b(?:know(?:n|ing|s)?|told|revealed|given) (?:that )?the (?:\w+ )?answer (?:is|was|should|must|to be)\b`,
  String.raw`\banswer (?:is|was) (?:known|said|stated|supposed|meant|given) to be\b`,
  String.raw`\bteacher(?:'s)? (?:says|said|answer|told|solution)\b`,
].map((source) => new RegExp(source, "i"));

/** The beginning of a sentence that states the answer. */
const STATED = new RegExp(
  String.raw`\b(?:answer|result|solution|conclusion|it|that|this|choice|option|letter)(?: to \w+| here)? (?:is|was|becomes|equals|(?:should|must|would|has to|ought to|can only|will)(?: then| therefore| instead)? (?:have been|be)|comes (?:out )?to|=)(?: then| therefore| indeed| actually| exactly| simply| instead)?:? (?:the )?(?:option |choice |letter )?["'$(*\\{]*(?:boxed\{)?$`,
  "i",
);

/** Gold answers that mean something else in most sentences. */
const COMMON = /^(?:yes|no|true|false|none|all|both|neither)$/i;

/** Numbers as texts write them: `-3`, `1,200.5`, `1/2`, `\frac{1}{2}`. */
const NUMBER =
  /[-−]?(?:\\d?frac\{\d+\}\{\d+\}|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:\/\d+)?)/g;
/** Before what is part of a longer word or number, the right side of an operator, or the name of a step or a figure. */
const BEFORE =
  /(?:[\p{L}\p{N}_.,/]|[=+*/×·÷-]\s{0,2}|\b(?:steps?|rows?|columns?|lines?|figures?|pictures?|parts?|equations?|solutions?|problems?|questions?|images?|number) #?)$/iu;
/** After what goes on, or is the left side of an operator. */
const AFTER = /^(?:[\p{L}\p{N}_]|[.,/]\p{N}|\s{0,2}[=+\-*/×·÷])/u;

/**
 * Why a reflection gives the gold answer away, `null` where it does not: it speaks of a given answer, states the gold answer, or
 * names it as a word or a number of its own, in whatever spelling. A number that the reflection computes (`7+8=15`) is no leak,
 * nor is one that the question or the picture's reading has, unless it is stated as the answer, nor what the attempt itself says.
 */
export function leakOf(reflection: string, problem: Problem, attempt = ""): string | null {
  if (TOLD.some((pattern) => pattern.test(reflection))) return "speaks of the given answer";
  const gold = unwrap(problem.answer);
  if (gold === "" || namesInAttempt(attempt, gold, problem)) return null;
  const stated = spellingsOf(gold, problem).some((spelling) => states(reflection, spelling));
  const known = `${problem.question}\n${problem.reading ?? ""}`;
  const named = namesGold(reflection, gold, problem) && !namesGold(known, gold, problem);
  return stated || named ? "names the gold answer" : null;
}

/** What the attempt says itself its reflection may repeat. A letter of it is one where it is marked: "A circle" is no choice. */
function namesInAttempt(attempt: string, gold: string, problem: Problem): boolean {
  if (problem.answerType === "number" && namesNumber(attempt, gold)) return true;
  const spellings = spellingsOf(gold, problem);
  if (problem.answerType !== "choice") return spellings.some((text) => names(attempt, text));
  const answered = /<answer>\s*\(?([A-Z])\b/.exec(attempt)?.[1] === gold;
  return (
    answered ||
    namesChoice(attempt, gold) ||
    spellings.slice(1).some((text) => names(attempt, text))
  );
}

function namesGold(text: string, gold: string, problem: Problem): boolean {
  if (problem.answerType === "choice") return namesChoice(text, gold);
  if (COMMON.test(gold)) return false;
  if (names(text, gold)) return true;
  if (problem.answerType !== "number") return false;
  const word = spelledOut(gold);
  // "Two" and "three" count things in every other sentence.
  const inWords = word !== null && Number(gold) > 12 && names(text, word);
  return inWords || namesNumber(text, gold);
}

/** A letter is one where it is marked as one: "(A)", "option A", "choose A", "A is right"; "A better look" is not. */
function namesChoice(text: string, letter: string): boolean {
  const own = escape(letter);
  const marked = String.raw`\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[Cc]hoose|[Ss]elect(?:ed)?|[Pp]ick(?:ed)?)(?: is| was)?:? ["'*]*${own}(?![\w'])`;
  const praised = String.raw`(?<![\w'])${own} (?:is|was|must be|would be|should be) (?:the )?(?:correct|right|true|answer|best|only)\b`;
  const concluded = String.raw`\b(?:must|should|would|can only|has to) (?:have been|be) ["'*]*${own}(?![\w'])`;
  return new RegExp([String.raw`\(${own}\)`, marked, praised, concluded].join("|"), "u").test(text);
}

/** Whether a number of the text, not a side of an equation, has the gold answer's value. */
function namesNumber(text: string, gold: string): boolean {
  const value = valueOf(gold);
  if (value === null) return false;
  return [...text.matchAll(NUMBER)].some(
    ({ 0: number, index: at = 0 }) => isAlone(text, at, number.length) && valueOf(number) === value,
  );
}

/** The value of a {@link NUMBER}, `null` of any other text. */
function valueOf(text: string): number | null {
  if (text.match(NUMBER)?.[0] !== text) return null;
  const plain = text.replace("−", "-").replaceAll(",", "");
  const [, top, bottom] =
    /frac\{(\d+)\}\{(\d+)\}/.exec(plain) ?? /^(-?[\d.]+)\/(\d+)$/.exec(plain) ?? [];
  if (top === undefined) return Number(plain);
  return (Number(top) / Number(bottom)) * (plain.startsWith("-\\") ? -1 : 1);
}

/** The gold answer, the text of the gold choice, and a whole number in words. */
function spellingsOf(gold: string, { answerType, choices }: Problem): string[] {
  const choice = answerType === "choice" ? choices?.["ABCDEFGHIJ".indexOf(gold)] : undefined;
  const word = answerType === "number" ? spelledOut(gold) : null;
  return [gold, unwrap(choice ?? ""), word ?? ""].filter((text) => text !== "");
}

const UNITS = [
  ...["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  ...["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"],
  "nineteen",
];
const TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/** A whole number below a hundred in English, `null` for others. */
function spelledOut(text: string): string | null {
  if (!/^\d{1,2}$/.test(text)) return null;
  const number = Number(text);
  if (number < 20) return UNITS[number];
  const ten = TENS[Math.floor(number / 10) - 2];
  return number % 10 === 0 ? ten : `${ten}-${UNITS[number % 10]}`;
}

/** Whether the text has the words as words of their own, in any case; a single letter as it is. */
const names = (text: string, words: string): boolean =>
  placesOf(text, words).some((at) => isAlone(text, at, words.length));

/** Whether the text says that the words are the answer. */
const states = (text: string, words: string): boolean =>
  placesOf(text, words).some(
    (at) =>
      STATED.test(text.slice(Math.max(0, at - 80), at)) &&
      !AFTER.test(text.slice(at + words.length, at + words.length + 4)),
  );

/** Not part of a longer word or number, and not a side of an equation. */
const isAlone = (text: string, at: number, length: number): boolean =>
  !BEFORE.test(text.slice(Math.max(0, at - 16), at)) &&
  !AFTER.test(text.slice(at + length, at + length + 4));

function placesOf(text: string, words: string): number[] {
  const fold = (given: string): string => (words.length === 1 ? given : given.toLowerCase());
  const [within, wanted] = [fold(text), fold(words)];
  const places: number[] = [];
  for (let at = within.indexOf(wanted); at >= 0; at = within.indexOf(wanted, at + 1)) {
    places.push(at);
  }
  return places;
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
