/** The claims that the experiment was made for, each with what decides it and a sentence that says what was found. */
import type { CrossedRate } from "../bench/crossed";
import { differenceOf, hasVariant, rateOf } from "./analysis";
import type { EvaluationMode, GridResults } from "./results";
import { variantByName } from "./variants";

/** That one variant's final answers are better than another's. */
export interface Claim {
  claim: string;
  /** Less, more. */
  pair: readonly [string, string];
  /** Points that the paper found, where it compared these; average of its five columns (Tables 3 to 5). */
  paper?: number;
}

export const claims: readonly Claim[] = [
  { claim: "GRPO beats the base", pair: ["base", "grpo"], paper: 5.4 },
  { claim: "SRPO beats the base", pair: ["base", "srpo"], paper: 9.1 },
  { claim: "SRPO beats GRPO", pair: ["grpo", "srpo"], paper: 3.7 },
  {
    claim: "SRPO beats as careful steps without reflection, then GRPO",
    pair: ["steps-grpo", "srpo"],
  },
  {
    claim: "SRPO beats careful and checked steps in one solution, then GRPO",
    pair: ["checked-grpo", "srpo"],
  },
  { claim: "SRPO beats GRPO with two-step thinking", pair: ["two-step-grpo", "srpo"], paper: 3.2 },
  { claim: "SRPO beats its own reflection SFT", pair: ["sft", "srpo"], paper: 6.9 },
  { claim: "reflection SFT beats plain-CoT SFT", pair: ["plain-sft", "sft"], paper: 1.1 },
  { claim: "reflection SFT helps SRPO", pair: ["no-sft", "srpo"], paper: 2.3 },
  { claim: "the reflection reward helps SRPO", pair: ["no-reflection-reward", "srpo"] },
  { claim: "f_len helps SRPO", pair: ["no-length", "srpo"], paper: 0.4 },
  { claim: "I_eff helps SRPO", pair: ["no-effectiveness", "srpo"], paper: 1.5 },
  { claim: "I_ref helps SRPO", pair: ["no-reflection-format", "srpo"] },
  { claim: "a floor under f_len helps SRPO", pair: ["srpo", "length-floor"] },
  { claim: "more SFT data help SRPO (all against a quarter)", pair: ["quarter-srpo", "srpo"] },
];

export interface Verdict {
  claim: string;
  mode: EvaluationMode;
  difference: CrossedRate;
  verdict: "holds" | "does not hold: the opposite" | "undecided";
  paper: number | null;
  sentence: string;
}

/** What the results say of each claim whose two variants there are: a paired interval that excludes zero decides. */
export function judgeClaims(results: GridResults, mode: EvaluationMode = "greedy"): Verdict[] {
  return claims
    .filter(({ pair }) => pair.every((name) => hasVariant(results, name)))
    .map(({ claim, pair, paper = null }) => {
      const difference = differenceOf(results, pair, "final", { mode });
      const verdict =
        difference.low > 0
          ? "holds"
          : difference.high < 0
            ? "does not hold: the opposite"
            : "undecided";
      const [less, more] = pair.map((name) => rateOf(results, name, "final", { mode }).value);
      const sentence =
        `${claim} (${mode}): ${verdict}. ${title(pair[1])} ${percent(more)}, ${title(pair[0])} ${percent(less)}, ` +
        `difference ${points(difference)} points over ${difference.seeds.length} seeds and ${difference.problems} problems` +
        (paper === null ? "." : `; the paper: ${signed(paper)}.`);
      return { claim, mode, difference, verdict, paper, sentence };
    });
}

/** Thresholds that are aimed at beside the claims: corrected wrong answers, and spoiled right ones. */
export function judgeReflection(results: GridResults, variant = "srpo"): string[] {
  const [fix, harm] = (["fix", "harm"] as const).map((name) => rateOf(results, variant, name));
  const mark = (ok: boolean, not: boolean): string => (ok ? "yes" : not ? "no" : "undecided");
  return [
    `At least 30 % of wrong first solutions are corrected: ${mark(fix.low >= 0.3, fix.high < 0.3)}, ${interval(fix)}.`,
    `Fewer than 3 % of right first solutions are spoiled: ${mark(harm.high < 0.03, harm.low >= 0.03)}, ${interval(harm)}.`,
  ];
}

const title = (name: string): string => variantByName(name).title;
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** `+3.1`, `−0.4`: always with a sign, and a real minus. */
export const signed = (value: number): string =>
  `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(1)}`;

/** `+3.1 [+0.4, +5.9]` */
export function points({ value, low, high }: CrossedRate): string {
  return `${signed(100 * value)} [${signed(100 * low)}, ${signed(100 * high)}]`;
}

/** `48.1 % [46.0, 50.3]` */
export function interval({ value, low, high }: CrossedRate): string {
  if (Number.isNaN(value)) return "–";
  return `${percent(value)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}
