/**
 * Which part of a response is trained on. A policy that is rewarded for correcting itself can lower its first answers
 * instead; where the first solution's tokens carry no gradient it cannot (Octopus, arXiv 2602.08503: stage 1 masks the first
 * solution always, stage 2 where the two answers differ in being right).
 */
import type { Response, Span, Transition } from "../types";

/** `never`: SRPO. `always`: Octopus's stage 1. `changed`: its stage 2, on W→R and R→W only. */
export const FIRST_SOLUTION_MASKS = ["never", "always", "changed"] as const;
export type FirstSolutionMask = (typeof FIRST_SOLUTION_MASKS)[number];

/**
 * The characters `[start, end)` of the response whose tokens are trained on: all of them, or those from the reflection on.
 * A response without a second part is trained on as a whole: there is nothing else in it, and leaving it out would mean
 * that a policy is never held back from answering once.
 */
export function trainedSpan(
  { text, spans }: Pick<Response, "text" | "spans">,
  mask: FirstSolutionMask,
  transition: Transition | null,
): Span {
  const whole = { start: 0, end: text.length };
  const masked = mask === "always" || (mask === "changed" && changes(transition));
  const next = spans.reflection ?? spans.secondThink ?? spans.secondAnswer;
  if (!masked || next === undefined || spans.firstAnswer === undefined) return whole;
  // A reflection before the first answer is part of the first solution.
  const start = text.lastIndexOf("<", next.start - 1);
  return start > spans.firstAnswer.end ? { start, end: text.length } : whole;
}

/**
 * The trained span in tokens.
 * @param tokenEnds for each token of the completion, how many characters of the text stand before its end; tokens without
 * text (the end of the turn) end where their predecessor does
 * @returns one value a token: whether any of its characters is trained on. Tokens after the text are.
 */
export function trainedTokens(tokenEnds: readonly number[], { start }: Span): boolean[] {
  return tokenEnds.map((end) => end > start);
}

function changes(transition: Transition | null): boolean {
  return transition === "WR" || transition === "RW";
}
