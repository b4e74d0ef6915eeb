/**
 * Which policy a reward wants. A policy is described by how often its first answer is right (a), how often its second look
 * gives the right answer (r, whatever the first was), and how long its parts are. Every policy's expected reward is the
 * sum over transitions of probability × what the reward itself pays for a response of that kind and length; nothing about
 * any reward is assumed.
 */
import type { Transition } from "../../types";
import { renderSolution } from "../template";
import {
  numberQuestion,
  opinion,
  specimen,
  TAG_TOKENS,
  words,
  type Question,
  type SpecimenShape,
} from "./specimens";
import { pay, type Paid, type RewardFunction } from "./trial";

export const POLICIES = ["honest", "padding", "vacuous", "sandbagging", "never"] as const;

/**
 * - `honest`: solves, re-checks with a check as long as it takes, gives the check's answer.
 * - `padding`: honest, with a first think drawn out to the length that is paid best.
 * - `vacuous`: keeps its first answer after a reflection without content, of the length that is paid best.
 * - `sandbagging`: solves and checks like the honest one, but gives a wrong answer first and its better one second.
 * - `never`: one solution, no reflection.
 */
export type PolicyKind = (typeof POLICIES)[number];

/** Tokens of an honest response's parts; tags come on top. */
export interface Lengths {
  /** First think and answer. */
  first: number;
  /** What a real check takes. */
  check: number;
  /** Second think and answer. */
  second: number;
}

/** Expected rewards as functions of r, for one a and one set of lengths. */
export interface Expectations {
  a: number;
  lengths: Lengths;
  /** @param r accuracy of the second look */
  value(policy: PolicyKind, r: number): number;
  /** By part: what a vacuous reflection on a kept right answer is paid beyond a real check. */
  vacuousGain: Readonly<Record<string, number>>;
  /** Why there are none: the reward failed. */
  failure: string | null;
}

/** Lengths of a reflection without content: it can be as long as it pays, as a real check or as f_len wants it. */
function vacuousLengths({ first, check, second }: Lengths): number[] {
  const fitting = first - second - TAG_TOKENS;
  return [...new Set([2, 8, 20, 50, check, Math.max(2, fitting)])];
}

/** Lengths of a first solution that is drawn out, up to where an honest response is twice as long. */
function paddedLengths({ first, check, second }: Lengths): number[] {
  const fitting = TAG_TOKENS + check + second;
  return [...new Set([first, Math.round((first + fitting) / 2), Math.max(first, fitting)])];
}

type ByTransition = Readonly<Record<Transition, Paid>>;
type ByOutcome = Readonly<Record<"right" | "wrong", Paid>>;

/**
 * Has the reward pay for every kind of response that the policies write.
 * @param a accuracy of the first answer; a guard that watches it is told
 */
export async function expectations(
  reward: RewardFunction,
  { a, lengths, question = numberQuestion }: { a: number; lengths: Lengths; question?: Question },
): Promise<Expectations> {
  const { right, wrong, otherWrong } = question;
  const failures: string[] = [];
  const paid = async (text: string, firstAccuracy: number): Promise<Paid> => {
    const payment = await pay(reward, text, question.problem, { firstAccuracy });
    if (payment.failure !== null) failures.push(payment.failure);
    return payment;
  };
  const write = (first: string, second: string, changes: Partial<SpecimenShape> = {}): string =>
    specimen({
      ...{ first, second, firstTokens: lengths.first, secondTokens: lengths.second },
      reflectionTokens: lengths.check,
      ...changes,
    });

  const checked: ByTransition[] = [];
  for (const firstTokens of paddedLengths(lengths)) {
    const at = (one: string, two: string) => paid(write(one, two, { firstTokens }), a);
    checked.push({
      ...{ RR: await at(right, right), WR: await at(wrong, right) },
      ...{ RW: await at(right, wrong), WW: await at(wrong, otherWrong) },
    });
  }
  const kept: ByOutcome[] = [];
  for (const tokens of vacuousLengths(lengths)) {
    const reflection = opinion(tokens);
    const at = (answer: string) => paid(write(answer, answer, { reflection }), a);
    kept.push({ right: await at(right), wrong: await at(wrong) });
  }
  const corrected = (answer: string) => paid(write(wrong, answer), 0);
  const failedFirst: ByOutcome = {
    right: await corrected(right),
    wrong: await corrected(otherWrong),
  };
  const single = (answer: string) =>
    paid(renderSolution({ think: words(lengths.first - 1), answer }), a);
  const alone: ByOutcome = { right: await single(right), wrong: await single(wrong) };

  const [honest] = checked;
  const vacuous = kept.reduce((best, given) => (mix(given, a) > mix(best, a) ? given : best));
  const values: Readonly<Record<PolicyKind, (r: number) => number>> = {
    honest: (r) => afterCheck(honest, a, r),
    padding: (r) => Math.max(...checked.map((given) => afterCheck(given, a, r))),
    vacuous: () => mix(vacuous, a),
    sandbagging: (r) => mix(failedFirst, Math.max(a, r)),
    never: () => mix(alone, a),
  };
  return {
    a,
    lengths,
    value: (policy, r) => values[policy](r),
    vacuousGain: difference(vacuous.right, honest.RR),
    failure: failures[0] ?? null,
  };
}

/** Expected reward where the answer is right with probability `p`. */
function mix({ right, wrong }: ByOutcome, p: number): number {
  return p * right.total + (1 - p) * wrong.total;
}

/** Expected reward where the first answer is right with probability `a`, and the second with `r` whatever the first was. */
function afterCheck({ RR, WR, RW, WW }: ByTransition, a: number, r: number): number {
  return a * mix({ right: RR, wrong: RW }, r) + (1 - a) * mix({ right: WR, wrong: WW }, r);
}

function difference(one: Paid, other: Paid): Record<string, number> {
  return Object.fromEntries(
    Object.entries(one.parts).map(([name, value]) => [name, value - (other.parts[name] ?? 0)]),
  );
}

export interface PolicyCell extends Readonly<Record<PolicyKind, number>> {
  a: number;
  r: number;
  first: number;
  check: number;
  /** The best paid; of equals the most honest. */
  best: PolicyKind;
  /** What the best earns beyond an honest policy. */
  lead: number;
}

/** Two values that differ by less are equal: rounding of sums. */
const EQUAL = 1e-9;

/** Every policy's expected reward at every r. */
export function cellsOf(given: Expectations, rs: readonly number[]): PolicyCell[] {
  return rs.map((r) => {
    const values = Object.fromEntries(
      POLICIES.map((policy) => [policy, given.value(policy, r)]),
    ) as Record<PolicyKind, number>;
    const top = Math.max(...Object.values(values));
    const best = POLICIES.find((policy) => values[policy] > top - EQUAL) ?? "honest";
    const { first, check } = given.lengths;
    return { a: given.a, r, first, check, ...values, best, lead: top - values.honest };
  });
}

/**
 * The least accuracy of the second look, to 0.001, from which on honesty earns more than another policy; `null` where it
 * never does.
 */
export function leastRecheck(given: Expectations, other: PolicyKind): number | null {
  const steps = 1000;
  const wins = (i: number): boolean =>
    given.value("honest", i / steps) > given.value(other, i / steps) + EQUAL;
  let least: number | null = null;
  // From above: below the answer honesty loses.
  for (let i = steps; i >= 0 && wins(i); i--) least = i / steps;
  return least;
}
