/** Stage I, first half: which of the policy's attempts become samples (paper, section 3.1: about 30 % right, 70 % wrong). */
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

export interface Selection {
  selected: Attempt[];
  /** What would be taken next, in that order, where a lesson on one that is selected fails. */
  reserve: { right: Attempt[]; wrong: Attempt[] };
  /** Reasons in the order in which they are looked at; with `selected` they account for every attempt offered, the reserve included. */
  dropped: DropRow[];
}

export interface SelectionOptions {
  attempts: readonly Attempt[];
  /** How many to keep at most. */
  size: number;
  /** Share of right attempts among those kept; 0.3 in the paper. */
  rightShare?: number;
  /** Attempts whose reasoning a judge model scored below it, or did not score, are left out. */
  minQuality?: number;
  seed: string | number;
}

/** What falls away because there are enough; the reserve is counted under it. */
export const SURPLUS = "more than the selection needs";

/**
 * Keeps `size` attempts, `rightShare` of them right, spread evenly over sources, families and subjects, at most one a
 * problem. Where right or
 * wrong attempts do not suffice, fewer are kept and the share stays. The same attempts and seed give the same selection,
 * whatever the attempts' order.
 */
export function selectAttempts({
  attempts,
  size,
  rightShare = 0.3,
  minQuality,
  seed,
}: SelectionOptions): Selection {
  const drops = createDropTable();
  const random = createRandom(`${seed}/select`);
  const usable = sorted(attempts).filter((attempt) => {
    const reason = unusable(attempt) ?? tooPoor(attempt, minQuality);
    if (reason !== null) drops.add(reason, attempt.verdict.correct);
    return reason === null;
  });
  const single = onePerProblem(usable, rightShare, random);
  for (const { verdict } of single.rest)
    drops.add("another attempt at the problem", verdict.correct);

  const right = spread(
    single.kept.filter(({ verdict }) => verdict.correct),
    random.fork("right"),
  );
  const wrong = spread(
    single.kept.filter(({ verdict }) => !verdict.correct),
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
  for (const { verdict } of [...reserve.right, ...reserve.wrong]) {
    drops.add(SURPLUS, verdict.correct);
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

function tooPoor({ quality }: Attempt, minQuality: number | undefined): string | null {
  if (minQuality === undefined) return null;
  if (quality === undefined) return "reasoning not scored";
  return quality.score < minQuality ? `reasoning scored below ${minQuality}` : null;
}

function sorted(attempts: readonly Attempt[]): Attempt[] {
  const key = ({ problem, text }: Attempt): string => `${problem.id}\n${text}`;
  return attempts
    .map((attempt) => ({ attempt, key: key(attempt) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ attempt }) => attempt);
}

/**
 * One attempt a problem. Where a problem has right and wrong ones, chance decides with the share that is wanted, so that
 * neither kind is used up by the other.
 */
function onePerProblem(
  attempts: readonly Attempt[],
  rightShare: number,
  random: Random,
): { kept: Attempt[]; rest: Attempt[] } {
  const byProblem = groupBy(attempts, ({ problem }) => problem.id);
  const [kept, rest]: Attempt[][] = [[], []];
  for (const [id, group] of byProblem) {
    const draw = random.fork(id);
    const wantRight = draw.chance(rightShare);
    const fitting = group.filter(({ verdict }) => verdict.correct === wantRight);
    const chosen = draw.pick(fitting.length > 0 ? fitting : group);
    kept.push(chosen);
    rest.push(...group.filter((attempt) => attempt !== chosen));
  }
  return { kept, rest };
}

/** In an order of which every beginning has the strata in equal numbers, as far as they reach. */
function spread(attempts: readonly Attempt[], random: Random): Attempt[] {
  const strata = [...groupBy(attempts, ({ problem }) => stratumOf(problem))].map(([, group]) =>
    random.fork(group[0].problem.family).shuffle(group),
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
