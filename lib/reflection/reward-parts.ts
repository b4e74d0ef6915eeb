/**
 * The parts of SRPO's reward (arXiv 2506.01713 v3, equations 4 to 8), each a function of its own:
 *
 *     R_total = R_task + R_reflection                      (4)
 *     R_task = R_format + R_accuracy                       (5)
 *     R_reflection = I_eff + I_ref + α · f_len(L)          (6)
 *
 * The paper leaves questions open. The answers here, all of them visible in a breakdown:
 *
 * - Does I_ref depend on R_format? No: it is paid for one closed, filled reflection between the two answers, whatever is
 *   wrong elsewhere.
 * - What if there is only one answer? It is the first solution's and is paid as such; I_eff and f_len are 0, for there is
 *   nothing that they could compare, and `reasons` says so.
 * - Is f_len paid on ill-formed or wrong responses? Yes, as in the published code: wherever there are two thinks and two
 *   answers. The paper states no condition; the guard `length-gate` sets one.
 * - Does L count the tags? Yes, as in the published code: all tokens of the response.
 * - Whose tokens? The policy's own: the caller passes the count.
 */
import type { Fault, Problem, Response, Transition, Verdict } from "../types";
import type { RewardConfig } from "./reward-config";
import { isWellFormed, relevantFaults } from "./template";
import { transitionOf } from "./transitions";

/** The parts that add up to the total; the names are those of `srpo reward`. */
export interface RewardParts {
  /** R_format */
  format: number;
  /** R_accuracy */
  accuracy: number;
  /** I_eff */
  efficacy: number;
  /** I_ref */
  reflection_format: number;
  /** α · f_len */
  length: number;
}

export const PART_NAMES: readonly (keyof RewardParts)[] = [
  "format",
  "accuracy",
  "efficacy",
  "reflection_format",
  "length",
];

/** Why a part that the configuration pays is 0, or less than it would be. */
export type Reasons = Partial<Record<keyof RewardParts, string>>;

/** What every scorer and every guard is told. */
export interface ScoreInput {
  response: Response;
  problem: Pick<Problem, "answer" | "answerType" | "choices">;
  config: RewardConfig;
  /** Tokens of a text, by the policy's tokenizer without special tokens. */
  tokenCount: (text: string) => number;
  first: Verdict;
  /** `null` where the response has one answer. */
  second: Verdict | null;
  transition: Transition | null;
  /** Accuracy of the first answers lately, where the caller knows it; the guard `sandbagging` looks at it. */
  firstAccuracy?: number;
}

/** What a scorer makes of a response. */
export interface Scored {
  parts: RewardParts;
  /** What f_len was computed from, `null` where it is not defined. */
  lengths: LengthTerms | null;
  reasons: Reasons;
}

/** R_format (5): paid when the response has exactly the parts that were asked for. */
export function formatReward(
  response: Pick<Response, "faults">,
  config: Pick<RewardConfig, "formatWeight" | "solutions" | "reflects" | "textBefore">,
): number {
  return fitsTemplate(response, config) ? config.formatWeight : 0;
}

/** Whether the response has exactly the parts that were asked for. */
export function fitsTemplate(
  response: Pick<Response, "faults">,
  { solutions, reflects, textBefore }: Pick<RewardConfig, "solutions" | "reflects" | "textBefore">,
): boolean {
  const forgive: Fault[] = textBefore ? ["text-before"] : [];
  return isWellFormed(response, { solutions, reflects, forgive });
}

/** R_accuracy (5): paid when the answer that counts is right, by the paper the first one. */
export function accuracyReward(
  firstCorrect: boolean,
  secondCorrect: boolean | null,
  { accuracyWeight, accuracyOn }: Pick<RewardConfig, "accuracyWeight" | "accuracyOn">,
): number {
  const right = {
    first: firstCorrect,
    final: secondCorrect ?? firstCorrect,
    either: firstCorrect || secondCorrect === true,
  }[accuracyOn];
  return right ? accuracyWeight : 0;
}

/** I_eff (8): what the reflection did to the answer; 0 where there are no two answers to compare. */
export function effectivenessReward(
  transition: Transition | null,
  { effectiveness }: Pick<RewardConfig, "effectiveness">,
): number {
  return transition === null ? 0 : effectiveness[transition];
}

/** What stands in I_eff's place for a response with one answer: 0 in the paper. */
export function singleAnswerReward(
  correct: boolean,
  { singleEffectiveness }: Pick<RewardConfig, "singleEffectiveness">,
): number {
  return correct ? singleEffectiveness.right : singleEffectiveness.wrong;
}

/** I_ref (6): paid for one reflection, closed and filled, after the first answer and before the second solution. */
export function reflectionFormatReward(
  response: Pick<Response, "text" | "reflection" | "spans">,
  { reflectionFormat }: Pick<RewardConfig, "reflectionFormat">,
): number {
  return hasProperReflection(response) ? reflectionFormat : 0;
}

function hasProperReflection({
  text,
  reflection,
  spans,
}: Pick<Response, "text" | "reflection" | "spans">): boolean {
  if (reflection === null || reflection.trim() === "" || spans.reflection === undefined) {
    return false;
  }
  const { start, end } = spans.reflection;
  const second = spans.secondThink ?? spans.secondAnswer;
  return (
    text.startsWith("</reflection>", end) &&
    spans.firstAnswer !== undefined &&
    spans.firstAnswer.end < start &&
    (second === undefined || end < second.start)
  );
}

/** What {@link lengthReward} is told, all in tokens but the ratios. */
export interface LengthTerms {
  /** L: tokens of the whole response, tags included. */
  response: number;
  /** b: tokens of the first think and the first answer, at least `lengthBaseFloor`. */
  base: number;
  /** T_target = `targetRatio` · b */
  target: number;
  /** T_max = `maxRatio` · b */
  max: number;
}

/**
 * f_len (7) = exp(−(|L − T_target| / (T_max − T_target))²), in [0, 1]: 1 at the target, e⁻¹ at T_max, and as much less
 * below the target as above it. 0 where the terms are no numbers or T_max does not lie above T_target.
 */
export function lengthReward({ response, target, max }: Omit<LengthTerms, "base">): number {
  const off = Math.abs(response - target) / (max - target);
  return off >= 0 && max > target ? Math.exp(-(off ** 2)) : 0;
}

/** T_target and T_max of a response; `null` where it has no two solutions to measure. */
export function lengthTerms(
  { text, first, second }: Pick<Response, "text" | "first" | "second">,
  tokenCount: (text: string) => number,
  config: Pick<RewardConfig, "targetRatio" | "maxRatio" | "lengthBaseFloor">,
): LengthTerms | null {
  if (first.think === null || first.answer === null) return null;
  if (second.think === null || second.answer === null) return null;
  const base = tokenCount(first.think) + tokenCount(first.answer);
  return termsOf(tokenCount(text), base, config);
}

/** The terms of a response of `response` tokens whose first solution has `base` tokens. */
export function termsOf(
  response: number,
  base: number,
  {
    targetRatio,
    maxRatio,
    lengthBaseFloor,
  }: Pick<RewardConfig, "targetRatio" | "maxRatio" | "lengthBaseFloor">,
): LengthTerms {
  const floored = Math.max(lengthBaseFloor, base);
  return {
    response,
    base: floored,
    target: targetRatio * floored,
    max: maxRatio * floored,
  };
}

/** The paper's parts of a response, with a sentence for each part that could have been paid and was not. */
export function scoreByEquations(input: ScoreInput): Scored {
  const { response, config, tokenCount } = input;
  const { firstCorrect, secondCorrect, transition } = outcomesOf(input);
  const lengths = config.alpha === 0 ? null : lengthTerms(response, tokenCount, config);
  const parts: RewardParts = {
    format: formatReward(response, config),
    accuracy: accuracyReward(firstCorrect, secondCorrect, config),
    efficacy:
      secondCorrect === null
        ? singleAnswerReward(firstCorrect, config)
        : effectivenessReward(transition, config),
    reflection_format: reflectionFormatReward(response, config),
    length: lengths === null ? 0 : config.alpha * lengthReward(lengths),
  };
  return { parts, lengths, reasons: explain(parts, lengths, { ...input, transition }) };
}

/**
 * Which answers are right. Where a second solution was begun and has no answer of its own, a configuration may count it as
 * wrong; an answer that comes only after the reflection is then the second one's, and the first is missing.
 */
function outcomesOf({ response, config, first, second, transition }: ScoreInput): {
  firstCorrect: boolean;
  secondCorrect: boolean | null;
  transition: Transition | null;
} {
  const begun = response.reflection !== null || response.second.think !== null;
  if (second !== null || !begun || !config.missingSecondIsWrong) {
    return { firstCorrect: first.correct, secondCorrect: second?.correct ?? null, transition };
  }
  const late = answersAfterReflection(response);
  const [one, two] = late ? [false, first.correct] : [first.correct, false];
  return { firstCorrect: one, secondCorrect: two, transition: transitionOf(one, two) };
}

/** Whether the only answers are those after the reflection. */
export function answersAfterReflection({ spans }: Pick<Response, "spans">): boolean {
  const { reflection, firstAnswer } = spans;
  return (
    reflection !== undefined && firstAnswer !== undefined && reflection.end < firstAnswer.start
  );
}

function explain(
  parts: RewardParts,
  lengths: LengthTerms | null,
  { response, config, first, second, transition }: ScoreInput,
): Reasons {
  const reasons: Reasons = {};
  if (parts.format === 0 && config.formatWeight !== 0) {
    reasons.format = formatReason(response, config);
  }
  if (parts.accuracy === 0 && config.accuracyWeight !== 0) {
    const [of1, of2] = [answerReason("first", first), answerReason("second", second)];
    reasons.accuracy = config.accuracyOn === "first" ? of1 : `${of1}; ${of2}`;
  }
  const paysEffect = Object.values(config.effectiveness).some((value) => value !== 0);
  if (parts.efficacy === 0 && paysEffect) {
    reasons.efficacy =
      transition === null ? "there are no two answers to compare" : `${transition} is worth 0`;
  }
  if (parts.efficacy < 0 && transition === null) {
    reasons.efficacy = "there is no second answer, and the only one is not right";
  }
  if (parts.reflection_format === 0 && config.reflectionFormat !== 0) {
    reasons.reflection_format = "no closed and filled reflection between two answers";
  }
  if (parts.length === 0 && config.alpha !== 0) reasons.length = lengthReason(lengths);
  return reasons;
}

/** Why R_format is 0. */
export function formatReason(
  response: Pick<Response, "faults">,
  config: Pick<RewardConfig, "solutions">,
): string {
  const faults = relevantFaults(response, config);
  return faults.length > 0
    ? `not well formed: ${faults.join(", ")}`
    : "one solution was asked for, there is more";
}

/** Why f_len is 0. */
export function lengthReason(lengths: LengthTerms | null): string {
  if (lengths === null) return "there are no two solutions to measure";
  if (!Number.isFinite(lengths.response) || !Number.isFinite(lengths.target)) {
    return "the tokens could not be counted";
  }
  return `${lengths.response} tokens are far from the target of ${lengths.target}`;
}

function answerReason(which: "first" | "second", given: Verdict | null): string {
  if (given === null || given.extraction === null) return `there is no ${which} answer`;
  return `the ${which} answer is wrong (${given.rule})`;
}
