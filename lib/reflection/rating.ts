/**
 * Whether a reflection was of use, by rule: what two raters judged by eye in the paper's Table 7 follows here from the answers
 * and from the problem's steps, which are all known.
 */
import type { Problem, Response, Transition } from "../types";
import { verdictWord } from "./dialect";

export type Rating = "effective" | "redundant" | "detrimental";

/** Equations between numbers in a text: `4+7=11` with what each side comes to. */
const EQUATION = /(\d+(?:[+\-*]\d+)+)=(\d+)/g;

/** Whether a text computes something, and rightly throughout. */
export function computes(text: string): boolean {
  const equations = [...text.matchAll(EQUATION)];
  return equations.length > 0 && equations.every(([, left, right]) => valueOf(left) === +right);
}

/** Sums, differences and products of whole numbers, products first. */
function valueOf(expression: string): number {
  const terms = expression.match(/[+-]?[^+-]+/g) ?? [];
  return terms.reduce((sum, term) => {
    const sign = term.startsWith("-") ? -1 : 1;
    const factors = term.replace(/^[+-]/, "").split("*").map(Number);
    return sum + sign * factors.reduce((product, factor) => product * factor, 1);
  }, 0);
}

/**
 * - `detrimental`: it turned a right answer into a wrong one;
 * - `effective`: it turned a wrong answer into a right one, or it confirmed a right one by a computation that holds;
 * - `redundant`: all others: an opinion without a check, a check that helped nothing, a false alarm without consequence.
 *
 * `null` where there is no reflection between two answers.
 * @param problem its own steps say which computations are to the point
 */
export function rateReflection(
  { reflection }: Pick<Response, "reflection">,
  transition: Transition | null,
  problem: Pick<Problem, "steps">,
): Rating | null {
  if (reflection === null || transition === null) return null;
  if (transition === "RW") return "detrimental";
  if (transition === "WR") return "effective";
  const confirms =
    transition === "RR" &&
    verdictWord(reflection) !== "wrong" &&
    computes(reflection) &&
    isToThePoint(reflection, problem);
  return confirms ? "effective" : "redundant";
}

/** Whether one of the reflection's equations is one of the problem's; any is where the problem tells none. */
function isToThePoint(reflection: string, { steps = [] }: Pick<Problem, "steps">): boolean {
  const own = new Set(steps.flatMap((step) => step.match(EQUATION) ?? []));
  return own.size === 0 || (reflection.match(EQUATION) ?? []).some((said) => own.has(said));
}
