/** What an experiment's results say: rates with intervals over seeds and problems, paired differences, and the claims. */
import { crossedDifference, crossedRate, type Cell, type CrossedRate } from "../bench/crossed";
import { fault } from "../engine/errors";
import type { Outcome } from "../reflection/transitions";
import {
  RATINGS,
  readOutcomes,
  type EvaluationMode,
  type EvaluationSet,
  type GridResults,
  type Marks,
  type RunRecord,
} from "./results";

/** Which answers are looked at; all of the test set's greedy final ones unless told otherwise. */
export interface Scope {
  set?: EvaluationSet;
  mode?: EvaluationMode;
  /** Of a family, or of a level. */
  family?: string;
  level?: number;
}

/**
 * What is counted: right first and right final answers among all; corrected ones (W→R) among wrong first answers that got a
 * second look, spoiled ones (R→W) among right ones; each transition among all; reflections by rating among reflections; pictures
 * that the first think reads whole, right final answers among those, and misread ones among wrong final answers.
 */
export type Measure =
  | "first"
  | "final"
  | "fix"
  | "harm"
  | "RR"
  | "WR"
  | "RW"
  | "WW"
  | (typeof RATINGS)[keyof typeof RATINGS]
  | "readWhole"
  | "rightOfRead"
  | "misreadOfWrong";

interface Counted {
  hit: boolean;
  of: boolean;
}
type Count = (outcome: Outcome) => Counted;

const isRight = ({ first, second }: Outcome): boolean => second ?? first;

const two = ({ second }: Outcome): boolean => second !== null;
const moved =
  (first: boolean, second: boolean): Count =>
  (outcome) => ({ hit: outcome.first === first && outcome.second === second, of: true });

const COUNTS: Readonly<Record<string, Count>> = {
  first: ({ first }) => ({ hit: first, of: true }),
  final: (outcome) => ({ hit: isRight(outcome), of: true }),
  fix: (outcome) => ({ hit: outcome.second === true, of: two(outcome) && !outcome.first }),
  harm: (outcome) => ({ hit: outcome.second === false, of: two(outcome) && outcome.first }),
  RR: moved(true, true),
  WR: moved(false, true),
  RW: moved(true, false),
  WW: moved(false, false),
};

/** What is counted by whether the picture was read whole. */
const READING_COUNTS: Readonly<Record<string, (outcome: Outcome, whole: boolean) => Counted>> = {
  readWhole: (_, whole) => ({ hit: whole, of: true }),
  rightOfRead: (outcome, whole) => ({ hit: isRight(outcome), of: whole }),
  misreadOfWrong: (outcome, whole) => ({ hit: !whole, of: !isRight(outcome) }),
};

/** A variant's runs, by seed. @throws LabError when there are none */
export function runsOf({ runs }: GridResults, variant: string): RunRecord[] {
  const found = runs.filter((run) => run.variant === variant).sort((a, b) => a.seed - b.seed);
  if (found.length > 0) return found;
  throw fault("runsOf", `there are no results of ${variant}`, {
    expected: `one of ${[...new Set(runs.map((run) => run.variant))].join(", ")}`,
  });
}

export const hasVariant = ({ runs }: GridResults, variant: string): boolean =>
  runs.some((run) => run.variant === variant);

/** Hits by seed and problem. @param seeds only these */
export function cellsOf(
  results: GridResults,
  variant: string,
  measure: Measure,
  { set = "test", mode = "greedy", family, level }: Scope = {},
  seeds?: readonly number[],
): Cell[][] {
  const { kinds } = results.header.problems[set];
  const chosen = [...kinds.keys()].filter((i) => {
    const [ofFamily, ofLevel] = kinds[i].split(/-(?=\d+$)/);
    return (family ?? ofFamily) === ofFamily && (level ?? Number(ofLevel)) === Number(ofLevel);
  });
  const runs = runsOf(results, variant).filter(({ seed }) => seeds?.includes(seed) ?? true);
  return runs.map(({ evaluation }) => {
    const marks = evaluation[set][mode];
    const cells = cellsOfMarks(measure, marks, kinds.length);
    return chosen.map((i) => cells[i]);
  });
}

function cellsOfMarks(measure: Measure, marks: Marks, problems: number): Cell[] {
  if (measure in COUNTS) return counted(measure, readOutcomes(marks, problems));
  if (!(measure in READING_COUNTS)) return ratedCells(measure, marks.ratings ?? "");
  const { readings = "" } = marks;
  return readOutcomes(marks, problems).map(([outcome], i): Cell => {
    const { hit, of } = READING_COUNTS[measure](outcome, readings[i] === "y");
    const known = of && readings[i] !== undefined && readings[i] !== ".";
    return { hits: Number(known && hit), of: Number(known) };
  });
}

function counted(measure: Measure, problems: readonly Outcome[][]): Cell[] {
  return problems.map((outcomes) => {
    const counts = outcomes.map(COUNTS[measure]);
    const of = counts.filter((count) => count.of);
    return { hits: of.filter(({ hit }) => hit).length, of: of.length };
  });
}

function ratedCells(measure: Measure, ratings: string): Cell[] {
  return [...ratings].map((letter) => ({
    hits: Number(RATINGS[letter as keyof typeof RATINGS] === measure),
    of: Number(letter in RATINGS),
  }));
}

/** A variant's rate with its interval over seeds and problems. */
export function rateOf(
  results: GridResults,
  variant: string,
  measure: Measure,
  scope: Scope = {},
): CrossedRate {
  return crossedRate(cellsOf(results, variant, measure, scope));
}

/** b less a on the seeds that both have, paired by seed and problem. */
export function differenceOf(
  results: GridResults,
  [a, b]: readonly [string, string],
  measure: Measure | readonly [Measure, Measure],
  scope: Scope = {},
): CrossedRate {
  const [ofA, ofB] = typeof measure === "string" ? [measure, measure] : measure;
  const seedsOf = (variant: string): number[] => runsOf(results, variant).map(({ seed }) => seed);
  const shared = seedsOf(a).filter((seed) => seedsOf(b).includes(seed));
  if (shared.length === 0) throw fault("differenceOf", `${a} and ${b} share no seed`);
  return crossedDifference(
    cellsOf(results, a, ofA, scope, shared),
    cellsOf(results, b, ofB, scope, shared),
  );
}

/** Families or levels of a problem set, in order. */
export function kindsOf(
  { header }: GridResults,
  set: EvaluationSet,
  by: "family" | "level",
): string[] {
  const parts = header.problems[set].kinds.map((kind) => kind.split(/-(?=\d+$)/));
  return [...new Set(parts.map(([family, level]) => (by === "family" ? family : level)))].sort();
}
