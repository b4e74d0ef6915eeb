/** Transitions: right (R) or wrong (W), first answer then second, and the rates that are read from them. */
import type { Transition } from "../types";

export const TRANSITIONS: readonly Transition[] = ["RR", "RW", "WR", "WW"];

/** The transition of a response; `null` where an answer is missing, for then nothing was changed or kept. */
export function transitionOf(
  firstCorrect: boolean | null,
  secondCorrect: boolean | null,
): Transition | null {
  if (firstCorrect === null || secondCorrect === null) return null;
  return `${firstCorrect ? "R" : "W"}${secondCorrect ? "R" : "W"}`;
}

/** How often each transition occurs; `none` counts the responses without one. */
export type TransitionCounts = Record<Transition | "none", number>;

export function countTransitions(transitions: Iterable<Transition | null>): TransitionCounts {
  const counts: TransitionCounts = { RR: 0, RW: 0, WR: 0, WW: 0, none: 0 };
  for (const transition of transitions) counts[transition ?? "none"]++;
  return counts;
}

/** Whether the first and the second answer of a response are right; `second` is `null` where there is none. */
export interface Outcome {
  first: boolean;
  second: boolean | null;
}

/** A share with what is needed for its interval: `value` is `hits / of`, `null` where `of` is 0. */
export interface Rate {
  hits: number;
  of: number;
  value: number | null;
}

export interface TransitionSummary {
  n: number;
  counts: TransitionCounts;
  /** Right first answers among all. */
  accuracyFirst: Rate;
  /** Right last answers among all: the second answer, or the first where there is no second. */
  accuracyFinal: Rate;
  /** W→R among the wrong first answers that got a second look. */
  fixRate: Rate;
  /** R→W among the right first answers that got a second look. */
  harmRate: Rate;
}

/** Accuracies and rates over responses, single answers included. */
export function summarizeTransitions(outcomes: readonly Outcome[]): TransitionSummary {
  const counts = countTransitions(outcomes.map(({ first, second }) => transitionOf(first, second)));
  const n = outcomes.length;
  return {
    n,
    counts,
    accuracyFirst: rate(outcomes.filter(({ first }) => first).length, n),
    accuracyFinal: rate(outcomes.filter(({ first, second }) => second ?? first).length, n),
    fixRate: rate(counts.WR, counts.WR + counts.WW),
    harmRate: rate(counts.RW, counts.RR + counts.RW),
  };
}

function rate(hits: number, of: number): Rate {
  return { hits, of, value: of === 0 ? null : hits / of };
}
