/** The results of `paper-mini` as the paper shows its own: Figure 1's bars, Figure 2's table, Tables 3 and 7. */
import type { CrossedRate } from "../bench/crossed";
import { seedInterval } from "../bench/crossed";
import {
  differenceOf,
  hasVariant,
  kindsOf,
  rateOf,
  runsOf,
  type Measure,
  type Scope,
} from "../grid/analysis";
import { interval, points, signed } from "../grid/claims";
import type { EvaluationMode, EvaluationSet, GridResults } from "../grid/results";
import { variantByName } from "../grid/variants";
import type { Figure } from "./chart";
import type { TableFigure, TableLine } from "./table-figure";

const MODES: Readonly<Record<EvaluationMode, string>> = {
  greedy: "greedy",
  sampled: "temperature 1",
};
const SETS: Readonly<Record<EvaluationSet, string>> = {
  test: "test set",
  ood: "held-out families and levels",
};

/** What must stand with every table: seeds, sizes, wall time. */
export function gridCaption(results: GridResults, names: readonly string[]): string {
  const { header } = results;
  const runs = names.flatMap((name) => runsOf(results, name));
  const hours =
    runs.reduce((sum, { seconds }) => sum + (seconds.grpo ?? seconds.sft ?? 0), 0) / 3600;
  const [test, ood] = [header.problems.test.kinds.length, header.problems.ood.kinds.length];
  const seeds = [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b);
  const { preset } = header.spec;
  const only = preset === "paper-mini" ? "" : `preset ${preset}, which only shows that it runs; `;
  return (
    `${only}seeds ${seeds.join(", ")}; ${test} test problems, ${ood} held-out ones; 95 % intervals over seeds and problems; ` +
    `${hours.toFixed(1)} h of training`
  );
}

const known = (results: GridResults, names: readonly string[]): string[] =>
  names.filter((name) => hasVariant(results, name));

const title = (name: string): string => variantByName(name).title;

/** Bars of final accuracy: a group for each variant, greedy beside temperature 1. */
export function gridBars(
  results: GridResults,
  names: readonly string[],
  { set = "test" }: { set?: EvaluationSet } = {},
): Figure {
  const there = known(results, names);
  const series = (["greedy", "sampled"] as const).map((mode) => {
    const rates = there.map((name) => rateOf(results, name, "final", { set, mode }));
    return { name: MODES[mode], ...barsOf(rates) };
  });
  return {
    title: `Accuracy, ${SETS[set]}`,
    subtitle: gridCaption(results, there),
    ...{ width: 1000, height: 420, x: { title: "" } },
    y: { title: "right final answers", format: "percent", min: 0, max: 1 },
    bars: { groups: there.map(title), series },
  };
}

/** Bars by family or by level: a group for each, a series for each variant. */
export function gridBarsBy(
  results: GridResults,
  names: readonly string[],
  by: "family" | "level",
  { set = "test", mode = "greedy" }: Pick<Scope, "set" | "mode"> = {},
): Figure {
  const there = known(results, names);
  const groups = kindsOf(results, set, by);
  const series = there.map((name) => {
    const rates = groups.map((group) =>
      rateOf(results, name, "final", {
        ...{ set, mode },
        ...(by === "family" ? { family: group } : { level: Number(group) }),
      }),
    );
    return { name: title(name), ...barsOf(rates) };
  });
  return {
    title: `Accuracy by ${by}, ${SETS[set]}, ${MODES[mode]}`,
    subtitle: gridCaption(results, there),
    ...{ width: 1200, height: 400, x: { title: "" } },
    y: { title: "right final answers", format: "percent", min: 0, max: 1 },
    bars: { groups: groups.map((name) => (by === "level" ? `level ${name}` : name)), series },
  };
}

function barsOf(rates: readonly CrossedRate[]): {
  values: number[];
  low: number[];
  high: number[];
} {
  return {
    values: rates.map(({ value }) => value),
    low: rates.map(({ low }) => low),
    high: rates.map(({ high }) => high),
  };
}

/** One row a variant: first and final accuracy on each set, what reflections did, lengths, and each seed's own value. */
export function gridTable(results: GridResults, names: readonly string[]): TableFigure {
  const there = known(results, names);
  const cell = (name: string, measure: Measure, scope: Scope = {}): string => {
    const rate = rateOf(results, name, measure, scope);
    return interval(rate).replace(" [", "\n[");
  };
  return {
    title: "Figure 2: first and final answers, what a reflection changes, and lengths",
    subtitle: gridCaption(results, there),
    columns: [
      ...["variant", "first", "final", "final, T = 1", "held out", "held out, T = 1"],
      ...["fixed of wrong", "spoiled of right", "tokens", "each seed"],
    ],
    lines: there.map((name): TableLine => ({
      cells: [
        title(name),
        cell(name, "first"),
        cell(name, "final"),
        cell(name, "final", { mode: "sampled" }),
        cell(name, "final", { set: "ood" }),
        cell(name, "final", { set: "ood", mode: "sampled" }),
        cell(name, "fix"),
        cell(name, "harm"),
        tokens(results, name),
        rateOf(results, name, "final")
          .seeds.map((value) => (100 * value).toFixed(1))
          .join(" "),
      ],
    })),
    notes: [
      "Accuracies are of greedy answers unless T = 1 is said. Fixed: W→R among wrong first answers with a second look; spoiled: R→W among right ones.",
    ],
  };
}

function tokens(results: GridResults, name: string): string {
  const all = runsOf(results, name).map(({ evaluation }) => evaluation.test.greedy.tokens);
  return (all.reduce((sum, value) => sum + value, 0) / all.length).toFixed(0);
}

/** Where wrong answers come from: from misread pictures, or from what was made of a picture that was read. */
export function readingTable(results: GridResults, names: readonly string[]): TableFigure {
  const there = known(results, names);
  return {
    title: "Where wrong answers come from",
    subtitle: gridCaption(results, there),
    columns: [
      "variant",
      "right",
      "pictures read whole",
      "right of those",
      "misread, of wrong answers",
    ],
    lines: there.map((name): TableLine => ({
      cells: [
        title(name),
        ...(["final", "readWhole", "rightOfRead", "misreadOfWrong"] as const).map((measure) =>
          interval(rateOf(results, name, measure)),
        ),
      ],
    })),
    notes: [
      "Greedy final answers. A picture is read whole where the first solution begins with the right reading, word for word; a right answer from another order of words counts as not read.",
    ],
  };
}

/** What became of first answers, for the variants that look a second time: greedy and at temperature 1. */
export function transitionTable(results: GridResults, names: readonly string[]): TableFigure {
  const there = known(results, names).filter(
    (name) => !Number.isNaN(rateOf(results, name, "harm").value),
  );
  const shares = (name: string, mode: EvaluationMode): string[] =>
    (["RR", "WR", "RW", "WW"] as const).map((measure) =>
      interval(rateOf(results, name, measure, { mode })).replace(" [", "\n["),
    );
  return {
    title: "Transitions from the first answer to the second",
    subtitle: gridCaption(results, there),
    columns: ["variant", ...["R→R", "W→R", "R→W", "W→W"], "fixed of wrong", "spoiled of right"],
    lines: (["greedy", "sampled"] as const).flatMap((mode): TableLine[] => [
      { section: MODES[mode] },
      ...there.map((name) => ({
        cells: [
          title(name),
          ...shares(name, mode),
          ...(["fix", "harm"] as const).map((measure) =>
            interval(rateOf(results, name, measure, { mode })).replace(" [", "\n["),
          ),
        ],
      })),
    ]),
    notes: [
      "Shares of all responses; those without a second look are in none of the four. Intervals over seeds and problems.",
    ],
  };
}

/** Points that the paper's averages lose against SRPO-7B without a part (Tables 3, 4 and 6). */
const PAPER: Readonly<Record<string, number>> = {
  base: -9.1,
  grpo: -3.7,
  "no-sft": -2.3,
  sft: -6.9,
  "no-length": -0.4,
  "no-effectiveness": -1.5,
  "two-step-grpo": -3.2,
  "steps-grpo": -2.1,
};

/** Table 3: what each variant loses against SRPO, paired by seed and problem, beside what the paper's lost. */
export function ablationTable(results: GridResults, names: readonly string[]): TableFigure {
  const there = known(results, names);
  const lost = (name: string, scope: Scope): string =>
    points(differenceOf(results, ["srpo", name], "final", scope)).replace(" [", "\n[");
  return {
    title: "Table 3: SRPO with one thing changed",
    subtitle: gridCaption(results, ["srpo", ...there]),
    columns: [
      ...["variant", "final accuracy", "against SRPO, greedy", "against SRPO, T = 1"],
      ...["held out", "each seed", "t interval over seeds", "the paper"],
    ],
    lines: [
      {
        cells: ["SRPO", interval(rateOf(results, "srpo", "final")), "–", "–", "–", "–", "–", "–"],
        strong: true,
      },
      ...there.map((name): TableLine => {
        const difference = differenceOf(results, ["srpo", name], "final");
        const over = seedInterval(difference.seeds);
        return {
          cells: [
            title(name),
            interval(rateOf(results, name, "final")),
            points(difference).replace(" [", "\n["),
            lost(name, { mode: "sampled" }),
            lost(name, { set: "ood" }),
            difference.seeds.map((value) => signed(100 * value)).join(" "),
            difference.seeds.length < 2
              ? "–"
              : `[${signed(100 * over.low)}, ${signed(100 * over.high)}]`,
            PAPER[name] === undefined ? "–" : signed(PAPER[name]),
          ],
        };
      }),
    ],
    notes: [
      "Points of accuracy, paired by seed and problem. The t interval is over the seeds' own differences, for these problems.",
      "The paper: difference of the averages of five benchmarks (Tables 3 to 5), one training each, no interval; “careful steps”, which is SFT on what the reflections compute, stands beside its plain-CoT SFT + GRPO.",
    ],
  };
}

/** Table 7: what reflections were, by rule, and how many wrong answers they corrected. */
export function ratingTable(results: GridResults, names: readonly string[]): TableFigure {
  const there = known(results, names);
  const rate = (name: string, measure: Measure): string =>
    interval(rateOf(results, name, measure)).replace(" [", "\n[");
  return {
    title: "Table 7: quality of reflections",
    subtitle: gridCaption(results, there),
    columns: ["variant", "effective", "redundant", "detrimental", "wrong answers fixed"],
    lines: [
      { section: "published, Table 7: two raters, 100 questions of MathVista" },
      { cells: ["SRPO", "73 / 69 %", "9 / 11 %", "3 / 1 %", "39 % (13 of 33)"] },
      { section: "measured, by rule, greedy answers to the test set" },
      ...there.map((name): TableLine => ({
        cells: [
          title(name),
          ...(["effective", "redundant", "detrimental", "fix"] as const).map((measure) =>
            rate(name, measure),
          ),
        ],
      })),
    ],
    notes: [
      "Effective: it turned a wrong answer right, or confirmed a right one by a computation of the problem's own that holds. Detrimental: it turned a right answer wrong. Redundant: all others.",
    ],
  };
}
