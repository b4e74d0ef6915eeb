/** Stage I, the filters: a reflection that gives the answer away, or that leads elsewhere, teaches the wrong thing. */
import type { Problem, ReflectionSample } from "../types";
import { verdictWord } from "./dialect";
import { judge, unwrap } from "./equality";
import { renderResponse } from "./template";

/** Words of one who has been told the answer. The policy will not have been. */
const TOLD = [
  /\bground[- ]?truth\b/i,
  /\banswer key\b/i,
  /\b(?:gold(?:en)?|reference) (?:answer|solution|label)\b/i,
  /\b(?:correct|right|true|actual|expected) (?:answer|solution|option|choice|value|result) (?:is|was|should|would|must)\b/i,
];

/**
 * Why a reflection gives the gold answer away, `null` where it does not: it speaks of a given answer, or names the gold
 * answer as a word or a number of its own. A number that the reflection computes (`7+8=15`) is no leak, nor is one that the
 * question or the picture's reading states.
 */
export function leakOf(reflection: string, problem: Problem): string | null {
  if (TOLD.some((pattern) => pattern.test(reflection))) return "speaks of the given answer";
  const gold = unwrap(problem.answer);
  const names =
    problem.answerType === "choice"
      ? new RegExp(
          String.raw`\(${escape(gold)}\)|\b(?:option|choice|answer)(?: is)?:? ${escape(gold)}\b`,
        )
      : standalone(gold);
  const given = `${problem.question}\n${problem.reading ?? ""}`;
  if (gold === "" || names.test(given)) return null;
  return names.test(reflection) ? "names the gold answer" : null;
}

/** The text as a word or number of its own, not part of a longer one and not a side of an equation. */
function standalone(gold: string): RegExp {
  return new RegExp(
    String.raw`(?<![\p{L}\p{N}_.,]|[=+\-*/×·]\s{0,2})${escape(gold)}(?![\p{L}\p{N}_]|[.,]\p{N}|\s{0,2}[=+\-*/×·])`,
    "iu",
  );
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/**
 * Why a sample contradicts itself, `null` where it does not: its second answer is not the gold answer, its reflection
 * ends in another verdict than the judge's, or it cannot be written in the template.
 */
export function inconsistencyOf(sample: ReflectionSample): string | null {
  const { problem, attempt, verdict, reflection, second } = sample;
  if ([reflection, second.think, second.answer].some((part) => part.trim() === "")) {
    return "a part is empty";
  }
  try {
    renderResponse({ first: attempt, reflection, second });
  } catch {
    return "a part holds a tag of the template";
  }
  if (!judge(second.answer, problem).correct) return "the second answer is not the gold answer";
  const said = verdictWord(reflection);
  return said !== null && (said === "right") !== verdict.correct
    ? "the reflection's verdict is not the judge's"
    : null;
}
