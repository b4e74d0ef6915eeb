/** Stage I, first half: which of the policy's attempts become samples (paper, section 3.1: about 30 % right, 70 % wrong). */
import { contentHash } from "../engine/files";
import { createRandom, type Random } from "../engine/random";
import type { Problem, Quality, Verdict } from "../types";
import { parseResponse } from "./template";

/** One answer of the policy to one problem, judged. */
export interface Attempt {
  problem: Problem;
  /** The completion, with its tags. */
  text: string;
  verdict: Verdict;
  /** The token limit cut it off. */
  truncated?: boolean;
  /** Where a judge model has scored its reasoning. */
  quality?: Quality;
}

/** How many attempts fell away for a reason. */
export interface DropRow {
  reason: string;
  right: number;
  wrong: number;
}

/** What a selection looks at of an attempt; the attempt itself may stay on disk. */
export interface Candidate {
  /** Which attempt it is, in the list that it comes from. */
  at: number;
  /** The problem's id. */
  problem: string;
  stratum: string;
  family: string;
  right: boolean;
  /** Why it cannot be reflected on. */
  unusable: string | null;
  /** The judge's score, where there is one. */
  score?: number;
  /** Puts the attempts at a problem in an order that does not depend on the list's. */
  order: string;
}

export function candidateOf(attempt: Attempt, at: number): Candidate {
  const { problem, text, verdict, quality } = attempt;
  return {
    ...{ at, problem: problem.id, stratum: stratumOf(problem), family: problem.family },
    ...{ right: verdict.correct, unusable: unusable(attempt), order: contentHash(text) },
    ...(quality === undefined ? {} : { score: quality.score }),
  };
}

export interface Selection<T = Attempt> {
  selected: T[];
  /** What would be taken next, in that order, where a lesson on one that is selected fails. */
  reserve: { right: T[]; wrong: T[] };
  /** Reasons in the order in which they are looked at; with `selected` they account for every attempt offered, the reserve included. */
  dropped: DropRow[];
}

export interface SelectionRule {
  /** How many to keep at most. */
  size: number;
  /** Share of right attempts among those kept; 0.3 in the paper. */
  rightShare?: number;
  /** Attempts whose reasoning a judge model scored below it, or did not score, are left out. */
  minQuality?: number;
  seed: string | number;
}

export interface SelectionOptions extends SelectionRule {
  attempts: readonly Attempt[];
}

/** What falls away because there are enough; the reserve is counted under it. */
export const SURPLUS = "more than the selection needs";

/** {@link selectCandidates} of attempts in memory. */
export function selectAttempts({ attempts, ...rule }: SelectionOptions): Selection {
  const { selected, reserve, dropped } = selectCandidates(attempts.map(candidateOf), rule);
  const attemptOf = ({ at }: Candidate): Attempt => attempts[at];
  return {
    selected: selected.map(attemptOf),
    reserve: { right: reserve.right.map(attemptOf), wrong: reserve.wrong.map(attemptOf) },
    dropped,
  };
}

/**
 * Keeps `size` attempts, `rightShare` of them right, spread evenly over sources, families and subjects, at most one a
 * problem. Where right or wrong attempts do not suffice, fewer are kept and the share stays. The same attempts and seed give the
 * same selection, whatever the attempts' order.
 */
export function selectCandidates(
  candidates: readonly Candidate[],
  { size, rightShare = 0.3, minQuality, seed }: SelectionRule,
): Selection<Candidate> {
  const drops = createDropTable();
  const random = createRandom(`${seed}/select`);
  const usable = sorted(candidates).filter((candidate) => {
    const reason = candidate.unusable ?? tooPoor(candidate, minQuality);
    if (reason !== null) drops.add(reason, candidate.right);
    return reason === null;
  });
  const single = onePerProblem(usable, rightShare, random);
  for (const { right } of single.rest) drops.add("another attempt at the problem", right);

  const right = spread(
    single.kept.filter((candidate) => candidate.right),
    random.fork("right"),
  );
  const wrong = spread(
    single.kept.filter((candidate) => !candidate.right),
    random.fork("wrong"),
  );
  const total = Math.floor(
    Math.min(
      size,
      rightShare > 0 ? right.length / rightShare : Infinity,
      rightShare < 1 ? wrong.length / (1 - rightShare) : Infinity,
    ),
  );
  const rightCount = Math.min(right.length, Math.round(total * rightShare));
  const wrongCount = Math.min(wrong.length, total - rightCount);
  const reserve = { right: right.slice(rightCount), wrong: wrong.slice(wrongCount) };
  for (const candidate of [...reserve.right, ...reserve.wrong]) {
    drops.add(SURPLUS, candidate.right);
  }
  const selected = [...right.slice(0, rightCount), ...wrong.slice(0, wrongCount)];
  return { selected: random.fork("order").shuffle(selected), reserve, dropped: drops.rows() };
}

/** Counts what falls away, reasons in the order of their first appearance. */
export function createDropTable(): {
  add(reason: string, right: boolean): void;
  /** Adds the counts of another table. */
  merge(rows: readonly DropRow[]): void;
  rows(): DropRow[];
} {
  const table = new Map<string, DropRow>();
  const merge = (rows: readonly DropRow[]): void => {
    for (const { reason, right, wrong } of rows) {
      const known = table.get(reason) ?? { reason, right: 0, wrong: 0 };
      table.set(reason, { reason, right: known.right + right, wrong: known.wrong + wrong });
    }
  };
  return {
    add: (reason, right) => merge([{ reason, right: Number(right), wrong: Number(!right) }]),
    merge,
    rows: () => [...table.values()],
  };
}

/** Why an attempt cannot be reflected on: a sample needs a reasoning and an answer of the policy's own. */
export function unusable({ text, truncated }: Pick<Attempt, "text" | "truncated">): string | null {
  const { first } = parseResponse(text);
  if (first.think === null || first.think.trim() === "") return "no reasoning";
  if (first.answer === null || first.answer.trim() === "") return "no answer";
  return truncated ? "truncated" : null;
}

function tooPoor({ score }: Candidate, minQuality: number | undefined): string | null {
  if (minQuality === undefined) return null;
  if (score === undefined) return "reasoning not scored";
  return score < minQuality ? `reasoning scored below ${minQuality}` : null;
}

function sorted(candidates: readonly Candidate[]): Candidate[] {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...candidates].sort((a, b) => compare(a.problem, b.problem) || compare(a.order, b.order));
}

/**
 * One attempt a problem. Where a problem has right and wrong ones, chance decides with the share that is wanted, so that
 * neither kind is used up by the other.
 */
function onePerProblem(
  candidates: readonly Candidate[],
  rightShare: number,
  random: Random,
): { kept: Candidate[]; rest: Candidate[] } {
  const byProblem = groupBy(candidates, ({ problem }) => problem);
  const [kept, rest]: Candidate[][] = [[], []];
  for (const [id, group] of byProblem) {
    const draw = random.fork(id);
    const wantRight = draw.chance(rightShare);
    const fitting = group.filter(({ right }) => right === wantRight);
    const chosen = draw.pick(fitting.length > 0 ? fitting : group);
    kept.push(chosen);
    rest.push(...group.filter((candidate) => candidate !== chosen));
  }
  return { kept, rest };
}

/** In an order of which every beginning has the strata in equal numbers, as far as they reach. */
function spread(candidates: readonly Candidate[], random: Random): Candidate[] {
  const strata = [...groupBy(candidates, ({ stratum }) => stratum)].map(([, group]) =>
    random.fork(group[0].family).shuffle(group),
  );
  const order = random.fork("families").shuffle(strata);
  const rounds = Math.max(0, ...order.map((group) => group.length));
  return Array.from({ length: rounds }, (_, round) =>
    order.flatMap((group) => group.slice(round, round + 1)),
  ).flat();
}

/** What a selection and its tables are spread over, as text. */
export function stratumOf({ source, family, subject }: Problem): string {
  return [...new Set([source, family, subject])].join(" · ");
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
