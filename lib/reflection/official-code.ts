/**
 * What the published OpenRLHF reward function of SRPO really pays (`srpo_reward_func.py`, SUSTechBruce/SRPO_MLLMs at
 * 23dab54), rebuilt rule by rule. Where it departs from the paper is listed with an example each in `official-defects.ts`;
 * the tests compare with what the published function itself returned.
 *
 * The published total is accuracy + format + 0.1 · f_len. `accuracy` and `efficacy` here split its accuracy term, so that
 * the parts have the same names everywhere; an error on the way to the total pays 0 for everything, and `reasons` says which.
 *
 * One more defect lies outside of the function: the run's filter keeps groups whose mean accuracy is within 0.1 and 0.9, and is
 * fed this shaped term. A group that is right twice everywhere has the mean 0.75 and is kept though nothing can be learned
 * from it, a group that corrects itself everywhere has 1.0 and is dropped. Filter on raw correctness.
 */
import { judge, unwrap } from "./equality";
import type { RewardConfig } from "./reward-config";
import {
  accuracyReward,
  effectivenessReward,
  lengthReason,
  lengthReward,
  termsOf,
  type LengthTerms,
  type Reasons,
  type RewardParts,
  type Scored,
  type ScoreInput,
} from "./reward-parts";
import { transitionOf } from "./transitions";

type Gold = ScoreInput["problem"];

export function scoreByOfficialCode({ response, problem, config, tokenCount }: ScoreInput): Scored {
  const text = response.text.trim();
  const answers = between(text, "answer");
  const crash = officialCrash(text, answers);
  if (crash !== null) return nothing(crash);

  const { accuracy, efficacy, why } = officialAccuracy(answers, problem, config);
  const lengths = officialLengthTerms(text, tokenCount, config);
  // The published function leaves f_len out where the first solution has no tokens.
  const length = lengths.base === 0 ? 0 : config.alpha * lengthReward(lengths);
  const format = hasOfficialFormat(text) ? config.formatWeight : 0;
  const reasons: Reasons = {};
  if (format === 0) reasons.format = "not two thinks, two answers and one reflection in order";
  if (accuracy === 0) reasons.accuracy = why;
  if (efficacy === 0) reasons.efficacy = why;
  if (length === 0) reasons.length = lengthReason(lengths);
  return {
    parts: { format, accuracy, efficacy, reflection_format: 0, length },
    lengths,
    reasons,
  };
}

/** Where the published function raises an error, which it catches and pays as 0; `null` where it does not. */
export function officialCrash(text: string, answers = between(text, "answer")): string | null {
  if (answers.length === 0) {
    return "the published code unpacks three values of two where there is no answer, and pays 0 for everything";
  }
  if (answers.length < 2 || between(text, "think").length < 2) {
    return "the published code has no length where there are no two thinks and answers, and pays 0 for everything";
  }
  return null;
}

function nothing(reason: string): Scored {
  const parts: RewardParts = {
    ...{ format: 0, accuracy: 0, efficacy: 0, reflection_format: 0, length: 0 },
  };
  const reasons: Reasons = {
    ...{ format: reason, accuracy: reason, efficacy: reason, length: reason },
  };
  return { parts, lengths: null, reasons };
}

/**
 * The published accuracy term: the table of transitions for what its parser verifies, and, where that is 0, a search for the
 * gold letter in the last answer. The first and the last answer are compared, however many stand between them.
 */
function officialAccuracy(
  answers: readonly string[],
  gold: Gold,
  config: RewardConfig,
): { accuracy: number; efficacy: number; why: string } {
  if (isUnreadableGold(gold.answer)) {
    return { accuracy: 1, efficacy: 0, why: "a gold answer that cannot be read pays everybody 1" };
  }
  const [first, last] = [answers[0], answers[answers.length - 1]];
  const [firstRight, lastRight] = [first, last].map((answer) =>
    officialVerify(answer, gold, config),
  );
  const accuracy = accuracyReward(firstRight, lastRight, config);
  const efficacy = effectivenessReward(transitionOf(firstRight, lastRight), config);
  if (accuracy + efficacy !== 0) {
    return { accuracy, efficacy, why: "this transition is worth 0" };
  }
  return holdsLetter(last, gold.answer)
    ? { accuracy: 1, efficacy: 0, why: "found as a letter, without comparing two answers" }
    : { accuracy, efficacy, why: "neither answer was verified" };
}

/** math-verify makes nothing of `$$`, nor of a lone backslash or of empty braces. */
export function isUnreadableGold(gold: string): boolean {
  return /^(?:\\(?:text|boxed|mathrm)\{\s*\}|\\)?$/.test(gold.replace(/\$/g, "").trim());
}

/**
 * Whether the published code takes the answer for right. Gold and prediction are passed to `verify` in the wrong order, so
 * an inequality as gold answer and an interval as prediction are never equal, and it is the gold answer that is read
 * strictly.
 */
export function officialVerify(answer: string, gold: Gold, config: RewardConfig): boolean {
  const letter = letterOf(gold.answer);
  const reading = readAnswer(answer, letter === null && config.readsBareNumbers);
  if (reading === null) return false;
  if (letter !== null) return letterOf(reading) === letter;
  if (isInequality(gold.answer) && !isInequality(reading)) return false;
  return judge(gold.answer, { answer: reading, answerType: "number" }).correct;
}

/**
 * The piece of an answer that math-verify reads when it is handed `<answer>…</answer>` with its tags: what stands in math
 * mode, a box before all else, several only where "or" joins them; without any, a fraction, or the last number after a
 * space or an equals sign.
 * @param bare also a number straight after the tag, which math-verify does not read
 */
function readAnswer(answer: string, bare: boolean): string | null {
  if (answer.includes("\\boxed{")) return unwrap(answer);
  const fences = [...answer.matchAll(/\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]/gs)];
  const fenced = fences.map((found) => unwrap(found[1] ?? found[2] ?? found[3]));
  if (fenced.length > 1 && /[$)\]]\s*(?:,|or|and)\s*[$\\]/.test(answer)) return fenced.join(", ");
  if (fenced.length > 0) return fenced[fenced.length - 1];
  if (answer.includes("\\frac")) return answer;
  const spaced = [...answer.matchAll(/[\s=]([+-]?\d[\d,]*(?:\.\d+)?|[A-D](?=[\s.,]))/g)].pop();
  if (spaced !== undefined) return spaced[1];
  return bare && /^[+-]?\.?\d/.test(answer) ? answer : null;
}

function isInequality(text: string): boolean {
  return /[<>≤≥]|\\(?:leq?|geq?|lt|gt)\b/.test(text);
}

/** A gold answer that is one letter, by whatever it is enclosed. */
function letterOf(text: string): string | null {
  return /^\(?([A-Za-z])\)?$/.exec(unwrap(text))?.[1] ?? null;
}

const LETTERS = ["a", "b", "c", "d"];

/** The published search: the gold letter occurs somewhere in the lower-cased answer, and none of the other three. */
export function holdsLetter(answer: string, gold: string): boolean {
  const wanted = letterOf(gold)?.toLowerCase();
  if (wanted === undefined || !LETTERS.includes(wanted)) return false;
  const text = answer.toLowerCase();
  return LETTERS.every((letter) => text.includes(letter) === (letter === wanted));
}

function officialLengthTerms(
  text: string,
  tokenCount: (text: string) => number,
  config: RewardConfig,
): LengthTerms {
  const base = tokenCount(between(text, "think")[0].trim());
  const terms = termsOf(
    tokenCount(text),
    base + tokenCount(between(text, "answer")[0].trim()),
    config,
  );
  return terms;
}

const ORDER = ["think", "answer", "reflection", "think", "answer"];

/**
 * The published format: these ten tags and no others in this order, at least one character (a space will do) inside each
 * pair, nothing but white space from the first `<think>` to the end outside of them. Text before the first tag may stand.
 */
export function hasOfficialFormat(text: string): boolean {
  const tags = [...text.matchAll(/<(\/?)(think|answer|reflection)>/g)];
  if (tags.length !== 2 * ORDER.length) return false;
  let end = 0;
  for (const [i, tag] of tags.entries()) {
    const opens = i % 2 === 0;
    if (tag[1] !== (opens ? "" : "/") || tag[2] !== ORDER[i >> 1]) return false;
    const start = tag.index ?? 0;
    const gap = text.slice(end, start);
    if (opens && i > 0 && gap.trim() !== "") return false;
    if (!opens && gap === "") return false;
    end = start + tag[0].length;
  }
  return text.slice(end).trim() === "";
}

/** The texts between `<tag>` and the next `</tag>`, as a non-greedy search finds them. Linear. */
function between(text: string, tag: string): string[] {
  const [open, close] = [`<${tag}>`, `</${tag}>`];
  const found: string[] = [];
  for (let at = text.indexOf(open); at >= 0;) {
    const start = at + open.length;
    const end = text.indexOf(close, start);
    if (end < 0) break;
    found.push(text.slice(start, end));
    at = text.indexOf(open, end + close.length);
  }
  return found;
}
