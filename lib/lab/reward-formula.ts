/** Two properties of SRPO's reward that follow from its formulas alone, and what runs show of them. */
import type { GridResults } from "../grid/results";
import { hasVariant, runsOf } from "../grid/analysis";
import { variantByName } from "../grid/variants";
import { rewardPresets } from "../reflection/reward-config";
import { effectivenessReward, lengthReward, termsOf } from "../reflection/reward-parts";
import type { Figure, Line } from "./chart";
import { gridCurve } from "./grid-curves";

const { alpha, effectiveness } = rewardPresets.paper;

/**
 * f_len against the length of the response, after first solutions of several lengths: after a short one the target is too
 * near for any real check.
 * @param options.firsts tokens of first solutions
 * @param options.marks lengths of a response with an empty reflection and with a real one
 * @param options.floor under the first solution's length, as in the guard `padding`
 */
export function lengthFormulaFigure({
  firsts,
  marks,
  floor = 0,
}: {
  firsts: readonly number[];
  marks: Readonly<Record<string, number>>;
  floor?: number;
}): Figure {
  const most = Math.max(...Object.values(marks), ...firsts.map((first) => 3 * first));
  const x = Array.from({ length: Math.ceil(most) + 1 }, (_, tokens) => tokens);
  const config = { ...rewardPresets.paper, lengthBaseFloor: floor };
  return {
    title:
      floor === 0 ? "What f_len pays, as in the paper" : `The same with a floor of ${floor} tokens`,
    subtitle: `α · f_len(L), α = ${alpha}; I_eff pays at most ${effectivenessReward("WR", { effectiveness })}`,
    x: { title: "tokens of the response" },
    y: { title: "reward", min: 0, max: 1.4 * alpha },
    lines: firsts.map((first): Line => ({
      name: `first solution of ${first} tokens`,
      x,
      y: x.map((tokens) => alpha * lengthReward(termsOf(tokens, first, config))),
    })),
    references: Object.entries(marks).map(([label, at]) => ({ axis: "x", at, label })),
  };
}

/**
 * What a real check is paid by I_eff beyond an empty reflection that keeps the first answer, against the check's accuracy r:
 * with first answers right in a share a, ½(r − a) for the paper's table (checks that do not depend on the first answer).
 * @param options.firsts values of a
 * @param options.costs what f_len takes from the check, as a level to get over
 */
export function effectivenessFigure({
  firsts,
  costs = {},
}: {
  firsts: readonly number[];
  costs?: Readonly<Record<string, number>>;
}): Figure {
  const x = Array.from({ length: 101 }, (_, i) => i / 100);
  return {
    height: 300,
    title: "When I_eff pays for a real check",
    subtitle: "beyond keeping the first answer, which pays 0 here",
    x: { title: "accuracy of the second look, r", format: "percent", min: 0, max: 1 },
    y: { title: "gain" },
    lines: firsts.map((first): Line => ({
      name: `first answers right in ${Math.round(100 * first)} %`,
      x,
      y: x.map((r) => effectivenessGain(first, r)),
    })),
    references: Object.entries(costs).map(([label, at]) => ({ axis: "y", at, label })),
  };
}

/** Expected I_eff of a check whose answer is right with probability `r` whatever the first was, less that of none. */
export function effectivenessGain(a: number, r: number): number {
  const pay = (transition: "RR" | "RW" | "WR" | "WW"): number =>
    effectivenessReward(transition, { effectiveness });
  const checked =
    a * (r * pay("RR") + (1 - r) * pay("RW")) + (1 - a) * (r * pay("WR") + (1 - r) * pay("WW"));
  return checked - (a * pay("RR") + (1 - a) * pay("WW"));
}

/** The same on runs: first answers, second answers after a real check, and how often there is one, step by step. */
export function effectivenessOnRuns(results: GridResults, name: string): Figure {
  const curve = (metric: string) =>
    gridCurve(results, [name], metric, { of: "reflections" }).lines ?? [];
  const named = (metric: string, label: string): Line[] =>
    curve(metric).map((line) => ({ ...line, name: label }));
  return {
    title: `${variantByName(name).title}: r, a, and real checks`,
    subtitle: "of the rollouts written down; mean and range of seeds",
    x: { title: "step" },
    y: { title: "share", format: "percent", min: 0, max: 1 },
    lines: [
      ...named("first", "a: first answers right"),
      ...named("rightAfterReal", "r: right after a real check"),
      ...named("real", "responses with a real check"),
    ],
  };
}

/** What f_len pays after a real check and after an empty reflection, and whether checks survive it. */
export function lengthOnRuns(results: GridResults, names: readonly string[]): Figure[] {
  const there = names.filter(
    (name) =>
      hasVariant(results, name) && runsOf(results, name).some(({ reflections }) => reflections),
  );
  const paid = (metric: string, title: string): Figure =>
    gridCurve(results, there, metric, { title, unit: "α · f_len", of: "reflections", min: 0 });
  return [
    paid("lengthOfReal", "f_len's pay after a real check"),
    paid("lengthOfEmpty", "f_len's pay after an empty reflection"),
    gridCurve(results, there, "real", {
      ...{ title: "Responses with a real check", of: "reflections" },
      unit: "share of the rollouts written down",
      ...{ format: "percent", min: 0, max: 1 },
    }),
    gridCurve(results, there, "completions/mean_length", {
      title: "Tokens a response",
      smooth: 0.6,
    }),
  ];
}
