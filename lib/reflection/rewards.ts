/**
 * The rewards of SRPO (arXiv 2506.01713 v3, equations 4 to 8), each part a function of its own:
 *
 *     R_total = R_task + R_reflection                      (4)
 *     R_task = R_format + R_accuracy                       (5)
 *     R_reflection = I_eff + I_ref + α · f_len(L)          (6)
 *
 * The paper leaves questions open. The answers here, all of them visible in {@link RewardBreakdown}:
 *
 * - Does I_ref depend on R_format? No: it is paid for one closed, filled reflection between the two answers, whatever is
 *   wrong elsewhere.
 * - What if there is only one answer? It is the first solution's and is paid as such; I_eff and f_len are 0, for there is
 *   nothing that they could compare, and `reasons` says so.
 * - Is f_len paid on ill-formed or wrong responses? Yes, as in the published code: wherever there are two thinks and two
 *   answers. The paper states no condition.
 * - Does L count the tags? Yes, as in the published code: all tokens of the response.
 * - Whose tokens? The policy's own: the caller passes the count.
 */
import type { Fault, Problem, Response, Transition, Verdict } from "../types";
import { judge } from "./equality";
import type { RewardConfig } from "./reward-config";
import { isWellFormed, relevantFaults } from "./template";
import { transitionOf } from "./transitions";

/** R_format (5): paid when the response has exactly the parts that were asked for. */
export function formatReward(
  response: Pick<Response, "faults">,
  { formatWeight, solutions, textBefore }: RewardConfig,
): number {
  const forgive: Fault[] = textBefore ? ["text-before"] : [];
  return isWellFormed(response, { solutions, forgive }) ? formatWeight : 0;
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

/** I_ref (6): paid for one reflection, closed and filled, after the first answer and before the second solution. */
export function reflectionFormatReward(
  response: Pick<Response, "text" | "reflection" | "spans">,
  { reflectionFormat }: Pick<RewardConfig, "reflectionFormat">,
): number {
  return hasProperReflection(response) ? reflectionFormat : 0;
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
  { targetRatio, maxRatio, lengthBaseFloor }: RewardConfig,
): LengthTerms | null {
  if (first.think === null || first.answer === null) return null;
  if (second.think === null || second.answer === null) return null;
  const base = Math.max(lengthBaseFloor, tokenCount(first.think) + tokenCount(first.answer));
  return {
    response: tokenCount(text),
    base,
    target: targetRatio * base,
    max: maxRatio * base,
  };
}

/** The parts that add up to `total`; the names are those of `srpo reward`. */
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

/** Their names, in the order in which they are added up. */
export const REWARD_PARTS = Object.keys({
  format: true,
  accuracy: true,
  efficacy: true,
  reflection_format: true,
  length: true,
} satisfies Record<keyof RewardParts, true>) as readonly (keyof RewardParts)[];

/** A reward with everything that led to it. */
export interface RewardBreakdown extends RewardParts {
  /** The sum of the five parts. */
  total: number;
  transition: Transition | null;
  first: Verdict;
  /** `null` where the response has one answer. */
  second: Verdict | null;
  /** The faults that count for what was asked: one solution has no reflection and lacks none. */
  faults: Fault[];
  /** What f_len was computed from, `null` where it is not defined. */
  lengths: LengthTerms | null;
  /** Why a part that the configuration pays is 0 here. */
  reasons: Partial<Record<keyof RewardParts, string>>;
}

/**
 * Scores one response. Never throws for any text, never returns NaN, and gives the reason for every part that is 0.
 * @param tokenCount tokens of a text, by the policy's tokenizer without special tokens
 */
export function scoreResponse({
  response,
  problem,
  config,
  tokenCount,
}: {
  response: Response;
  problem: Pick<Problem, "answer" | "answerType" | "choices">;
  config: RewardConfig;
  tokenCount: (text: string) => number;
}): RewardBreakdown {
  const first = judge(response.first.answer, problem);
  const second = response.second.answer === null ? null : judge(response.second.answer, problem);
  const transition = transitionOf(
    response.first.answer === null ? null : first.correct,
    second === null ? null : second.correct,
  );
  const lengths = config.alpha === 0 ? null : lengthTerms(response, tokenCount, config);
  const parts: RewardParts = {
    format: formatReward(response, config),
    accuracy: accuracyReward(first.correct, second?.correct ?? null, config),
    efficacy: effectivenessReward(transition, config),
    reflection_format: reflectionFormatReward(response, config),
    length: lengths === null ? 0 : config.alpha * lengthReward(lengths),
  };
  return {
    ...parts,
    total: Object.values(parts).reduce((sum, part) => sum + part, 0),
    transition,
    first,
    second,
    faults: relevantFaults(response, config),
    lengths,
    reasons: explain(parts, { response, config, first, second, transition, lengths }),
  };
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

/** A sentence for each part that could have been paid and was not. */
function explain(
  parts: RewardParts,
  {
    response,
    config,
    first,
    second,
    transition,
    lengths,
  }: { response: Response; config: RewardConfig } & Pick<
    RewardBreakdown,
    "first" | "second" | "transition" | "lengths"
  >,
): RewardBreakdown["reasons"] {
  const reasons: RewardBreakdown["reasons"] = {};
  if (parts.format === 0 && config.formatWeight !== 0) {
    const faults = relevantFaults(response, config);
    reasons.format =
      faults.length > 0
        ? `not well formed: ${faults.join(", ")}`
        : "one solution was asked for, there is more";
  }
  if (parts.accuracy === 0 && config.accuracyWeight !== 0) {
    const [of1, of2] = [answerReason("first", first), answerReason("second", second)];
    reasons.accuracy = config.accuracyOn === "first" ? of1 : `${of1}; ${of2}`;
  }
  if (parts.efficacy === 0 && Object.values(config.effectiveness).some((value) => value !== 0)) {
    reasons.efficacy =
      transition === null ? "there are no two answers to compare" : `${transition} is worth 0`;
  }
  if (parts.reflection_format === 0 && config.reflectionFormat !== 0) {
    reasons.reflection_format = "no closed and filled reflection between two answers";
  }
  if (parts.length === 0 && config.alpha !== 0) {
    reasons.length =
      lengths === null
        ? "there are no two solutions to measure"
        : `${lengths.response} tokens are far from the target of ${lengths.target}`;
  }
  return reasons;
}

function answerReason(which: "first" | "second", given: Verdict | null): string {
  if (given === null || given.extraction === null) return `there is no ${which} answer`;
  return `the ${which} answer is wrong (${given.rule})`;
}
