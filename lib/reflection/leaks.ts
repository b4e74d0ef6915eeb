/**
 * Does a reflection give the gold answer away? The policy will have to reflect without it, so that a reflection which names the answer, or
 * speaks as one who was told, teaches to guess. How often this is right is measured on labelled reflections in its test.
 */
import type { Problem } from "../types";
import { spellUnicode } from "./answers/notation";
import { unwrap } from "./equality";
import { readQuantity, sameQuantity, type Quantity } from "./quantity";
import { foldSpelling, spelledOut } from "./spelled-numbers";

/** "Any correct solution has …" speaks of all of them. */
const RIGHT = String.raw`(?<!\b(?:any|every|each|no|a) )(?:correct|right|true|actual|real|expected|proper)`;
/** "The given solution of salt in water" is a liquid, and "the key of the chart" its legend. */
const NOT_THE_LIQUID = String.raw`(?! (?:of|for|contains?|holds?)\b)`;
/** "The given answer choices" are everybody's. */
const NOT_THE_CHOICES = String.raw`(?! ?(?:choices?|options?|list|format|type)\b)`;
const NOT_THE_KEY = String.raw`(?! (?:of|in|on|to|at|above|below|beside|beneath|under)\b)`;

/** Words of one who has been told the answer. */
const TOLD: readonly RegExp[] = [
  String.raw`\bground[- ]?truth`,
  String.raw`\b(?:answer|solution)s? (?:key|sheet|manual)\b|\bmark(?:ing)? scheme\b`,
  String.raw`\b(?:gold(?:en)?|reference|given|provided|supplied|official|model|intended|desired|target|known|true|expected) (?:final )?(?:answers?|solutions?\b${NOT_THE_LIQUID})\b${NOT_THE_CHOICES}`,
  // "The given labels" stand on an axis.
  String.raw`\b(?:gold(?:en)?|official|intended|true|expected) (?:final )?labels?\b|\b(?:labels?|annotations?|entry) (?:in|of|from) the data ?set\b`,
  String.raw`\b${RIGHT} (?:final )?(?:answer|solution)s? (?:is|was|should|would|must|given|provided|turns|here|indeed|listed|being|says|states|shows|tells)\b`,
  String.raw`\b${RIGHT} (?:option|choice|value|result|letter) (?:is|was|should be|would be|must be|turns out)\b(?! (?:the one|one that|found|obtained|reached|given by|determined|computed|not))`,
  String.raw`\b(?:according to|compar\w+ (?:\w+ ){0,2}(?:with|to|against)|based on|match(?:es|ed|ing)?|differs? from|agrees? with|contradicts?|disagrees? with) the (?:${RIGHT} (?:answer|solution|result|value)|reference\b(?! (?:line|point|level|frame|axis|bar|angle))|key\b${NOT_THE_KEY}|solution\b(?! (?:of|I|above)\b)|teacher)`,
  String.raw`\b(?:we|I) (?:are|am|was|were|have been|had been) (?:told|given|informed|shown|handed) (?:that )?(?:the |what the )?(?:\w+ )?(?:answer|result|outcome)`,
  String.raw`\b(?:know(?:n|ing|s)?|told|revealed|given) (?:that )?the (?:\w+ )?answer (?:is|was|should|must|to be)\b`,
  String.raw`\banswer (?:is|was) (?:known|said|stated|supposed|meant|given) to be\b`,
  String.raw`\b(?:I|we) (?:was|were|am|are) (?:supposed|meant|expected) to (?:reach|get|obtain|arrive)\b`,
  String.raw`\b(?:marker|grader|examiner|annotator|evaluator)s?\b(?: \w+){0,4} (?:expect|want|say|said|accept|look)`,
  String.raw`\b(?:back|end) of the (?:book|textbook|chapter)\b|\bsolutions? (?:page|section|book|manual)\b`,
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
/** `x = `: what comes then is no calculation's result but what the unknown is. */
const NAMED = /(?<![\p{N})\]}+*/×·÷=-]\s{0,2})(?<!\p{L})\p{L}\s?=\s?$/u;
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
  const folded = foldSpelling(reflection);
  const stated = spellingsOf(gold, problem).some(
    (spelling) => states(reflection, spelling) || states(folded, spelling),
  );
  const known = `${problem.question}\n${problem.reading ?? ""}`;
  const named = namesGold(reflection, gold, problem) && !namesGold(known, gold, problem);
  return stated || named ? "names the gold answer" : null;
}

/** What the attempt says itself its reflection may repeat. A letter of it is one where it is marked: "A circle" is no choice. */
function namesInAttempt(attempt: string, gold: string, problem: Problem): boolean {
  const quantity = problem.answerType === "number" ? readQuantity(gold) : null;
  if (quantity !== null && namesNumber(attempt, quantity)) return true;
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
  const quantity = readQuantity(gold);
  if (quantity === null) return names(formulaText(text), formulaText(gold));
  return namesInWords(text, gold, quantity) || namesNumber(text, quantity);
}

/** "Two" and "three" count things in every other sentence; "minus two", "two percent" and "two thirds" do not. */
function namesInWords(text: string, gold: string, { value }: Quantity): boolean {
  const words = spelledOut(gold);
  if (words === null || (!words.includes(" ") && value <= 12)) return false;
  return names(foldSpelling(text), words);
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"];

/**
 * A letter is one where it is marked as one: "(A)", "option A", "choose A", "A is right", "the first option"; "A better look" is
 * not.
 */
function namesChoice(text: string, letter: string): boolean {
  const own = escape(letter);
  const marked = String.raw`\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[Cc]hoose|[Ss]elect(?:ed)?|[Pp]ick(?:ed)?|[Gg]o with)(?: is| was)?:? ["'*]*${own}(?![\w'])`;
  const praised = String.raw`(?<![\w'])${own} (?:is|was|must be|would be|should be) (?:the )?(?:correct|right|true|answer|best|only)\b`;
  const left = String.raw`(?<![\w'])${own} (?:alone )?(?:survives?|remains?|is left|fits|works|holds)\b`;
  const concluded = String.raw`\b(?:must|should|would|can only|has to) (?:have been|be) ["'*]*${own}(?![\w'])`;
  const place = ORDINALS["ABCDEF".indexOf(letter)] as string | undefined;
  const counted = place === undefined ? [] : [String.raw`\b${place} (?:option|choice)\b`];
  const patterns = [String.raw`\(${own}\)`, marked, praised, left, concluded, ...counted];
  return new RegExp(patterns.join("|"), "u").test(text);
}

/** Whether a number of the text, not a side of an equation between numbers, has the gold answer's value. */
function namesNumber(text: string, gold: Quantity): boolean {
  return [...text.matchAll(NUMBER)].some(({ 0: number, index: at }) => {
    const percent = /^\s?\\?%|^ per ?cent\b/.test(text.slice(at + number.length));
    const given = readQuantity(number.replace("−", "-") + (percent ? "%" : ""));
    return given !== null && isAlone(text, at, number.length) && sameQuantity(gold, given);
  });
}

/** A formula in one spelling, without dollar signs and blanks between its signs. */
const formulaText = (text: string): string =>
  spellUnicode(text)
    .replace(/\$|\\[,;! ]|(?<=[^\p{L}])\s+(?=\\)/gu, "")
    .replace(/\\sqrt\s*(\w)/g, "\\sqrt{$1}");

/** The gold answer, the text of the gold choice, and a number in words. */
function spellingsOf(gold: string, { answerType, choices }: Problem): string[] {
  const choice = answerType === "choice" ? choices?.["ABCDEFGHIJ".indexOf(gold)] : undefined;
  const word = answerType === "number" ? spelledOut(gold) : null;
  return [gold, unwrap(choice ?? ""), word ?? ""].filter((text) => text !== "");
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

/** Not part of a longer word or number, and no side of an equation but the value of an unknown. */
function isAlone(text: string, at: number, length: number): boolean {
  const before = text.slice(Math.max(0, at - 16), at);
  if (AFTER.test(text.slice(at + length, at + length + 4))) return false;
  return NAMED.test(before) || !BEFORE.test(before);
}

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
