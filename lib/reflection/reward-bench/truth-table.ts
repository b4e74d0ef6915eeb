/** What a reward pays for every transition, well formed and not, at several lengths, and whether that is in a sane order. */
import type { Transition } from "../../types";
import { renderSolution } from "../template";
import { numberQuestion, specimen, TAG_TOKENS, words, type Question } from "./specimens";
import { pay, type Paid, type RewardFunction } from "./trial";

const FIRST_TOKENS = 40;
const SECOND_TOKENS = 6;

/** L as a multiple of b. The paper's target is 2, its T_max 2.5. */
const LENGTHS: Readonly<Record<string, number>> = { short: 1.5, target: 2, long: 3 };

/** Ways of being well formed or not; each makes its response from a well-formed one. */
const FORMS: Readonly<Record<string, (text: string) => string>> = {
  "well-formed": (text) => text,
  "text after the end": (text) => `${text} That is all.`,
  "no second think": (text) => text.replace(/<\/reflection><think>[^<]*<\/think>/, "</reflection>"),
  "reflection not closed": (text) => text.replace("</reflection>", ""),
  "reflection first": (text) => text.replace(/^(.*)(<reflection>.*<\/reflection>)(.*)$/s, "$2$1$3"),
};

export interface TruthRow extends Paid {
  /** `R` and `W` are responses with one solution. */
  transition: Transition | "R" | "W";
  form: string;
  /** `short`, `target` or `long`; `one solution` where there is no second. */
  length: string;
  text: string;
}

/** Transitions × forms × lengths, and one solution alone. */
export async function truthTable(
  reward: RewardFunction,
  question: Question = numberQuestion,
): Promise<TruthRow[]> {
  const { problem, right, wrong, otherWrong } = question;
  const answers: Record<Transition, [string, string]> = {
    RR: [right, right],
    WR: [wrong, right],
    RW: [right, wrong],
    WW: [wrong, otherWrong],
  };
  const rows: Omit<TruthRow, keyof Paid>[] = [];
  for (const [form, change] of Object.entries(FORMS)) {
    for (const [length, ratio] of Object.entries(LENGTHS)) {
      for (const [transition, [first, second]] of Object.entries(answers)) {
        const text = specimen({
          ...{ first, second, firstTokens: FIRST_TOKENS, secondTokens: SECOND_TOKENS },
          reflectionTokens: ratio * FIRST_TOKENS - TAG_TOKENS - FIRST_TOKENS - SECOND_TOKENS,
        });
        rows.push({
          ...{ transition: transition as Transition, form, length },
          text: change(text),
        });
      }
    }
  }
  for (const [transition, answer] of [
    ["R", right],
    ["W", wrong],
  ] as const) {
    const text = renderSolution({ think: words(FIRST_TOKENS - 1), answer });
    rows.push({ transition, form: "one solution", length: "one solution", text });
  }
  const paid: TruthRow[] = [];
  for (const row of rows) paid.push({ ...row, ...(await pay(reward, row.text, problem)) });
  return paid;
}

/** An order that a reflection reward should keep, and whether this one does. */
export interface OrderCheck {
  claim: string;
  holds: boolean;
  /** The two totals. */
  evidence: string;
}

/** The orders within the well-formed responses at the target length, and between well-formed and not. */
export function checkOrders(table: readonly TruthRow[]): OrderCheck[] {
  const total = (transition: TruthRow["transition"], form = "well-formed"): number =>
    table.find(
      (row) =>
        row.transition === transition &&
        row.form === form &&
        (row.length === "target" || form === "one solution"),
    )?.total ?? NaN;
  const above = (claim: string, [a, x]: [string, number], [b, y]: [string, number]) => ({
    claim,
    holds: x > y + 1e-9,
    evidence: `${a} ${x.toFixed(2)}, ${b} ${y.toFixed(2)}`,
  });
  const [RR, WR, RW, WW] = (["RR", "WR", "RW", "WW"] as const).map((name) => total(name));
  const spoiled = Object.keys(FORMS).filter((form) => form !== "well-formed");
  return [
    above("being right twice pays more than failing first", ["RR", RR], ["WR", WR]),
    above("correcting a wrong answer pays more than leaving it", ["WR", WR], ["WW", WW]),
    above("keeping a right answer pays more than spoiling it", ["RR", RR], ["RW", RW]),
    above("a right final answer pays more than a wrong one", ["WR", WR], ["RW", RW]),
    above("spoiling a right answer pays less than never having had it", ["WW", WW], ["RW", RW]),
    ...spoiled.map((form) =>
      above(`well-formed pays more than "${form}"`, ["well-formed", RR], [form, total("RR", form)]),
    ),
    above(
      "two right solutions pay more than one",
      ["RR", RR],
      ["one solution", total("R", "one solution")],
    ),
  ];
}
