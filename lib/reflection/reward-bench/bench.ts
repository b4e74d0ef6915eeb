/**
 * The reward bench: a reward on trial before a GPU hour is spent on it. It is only ever called, never looked into, so that
 * it works for anybody's reward; the sentences of `findings` are read off what it paid.
 */
import {
  groupSensitivity,
  type AdvantageRow,
  type AdvantageRule,
  type PartWeight,
} from "./advantages";
import { attacks } from "./attacks";
import { findingsOf, type Finding } from "./findings";
import {
  cellsOf,
  expectations,
  leastRecheck,
  POLICIES,
  type Expectations,
  type Lengths,
  type PolicyCell,
  type PolicyKind,
} from "./policies";
import { boxed, numberQuestion, type Question } from "./specimens";
import { checkOrders, truthTable, type OrderCheck, type TruthRow } from "./truth-table";
import { calledOnce, type RewardFunction } from "./trial";
import { tryAttacks, type AttackVerdict } from "./verdicts";

export interface BenchOptions {
  /** What the reward is called in tables and figures. */
  name: string;
  reward: RewardFunction;
  /** Accuracies of the first answer (a) that policies are tried at. */
  accuracies?: readonly number[];
  /** Accuracies of the second look (r). */
  rechecks?: readonly number[];
  /** Tokens of first solutions, of a real check and of a second solution. */
  firsts?: readonly number[];
  check?: number;
  second?: number;
  /** Answers as the paper's prompt wants them, `$\boxed{61}$`, for rewards that read nothing else. */
  boxed?: boolean;
  /** How rewards become advantages; GRPO's by default. */
  advantages?: AdvantageRule;
  /** How long an async reward may take for one response. */
  timeoutMs?: number;
  onProgress?: (what: string, done: number, total: number) => void;
}

/** How good a second look must be before an honest check is paid best. */
export interface Boundary {
  first: number;
  check: number;
  a: number;
  other: Exclude<PolicyKind, "honest">;
  /** Least r; `null` where none is enough. */
  leastR: number | null;
  /** By part: what a vacuous reflection on a kept right answer is paid beyond a real check. */
  vacuousGain: Readonly<Record<string, number>>;
}

export interface BenchReport {
  name: string;
  truthTable: TruthRow[];
  orders: OrderCheck[];
  attacks: AttackVerdict[];
  advantages: AdvantageRow[];
  weights: PartWeight[];
  /** Expected rewards of the policies at each a, r and length of the first solution. */
  policies: PolicyCell[];
  boundaries: Boundary[];
  findings: Finding[];
}

/** Runs the whole bench. Never throws for a reward that fails: failures are findings. */
export async function benchReward({
  name,
  reward,
  accuracies = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
  rechecks = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  firsts = [10, 17, 30, 46, 90],
  check = 30,
  second = 6,
  boxed: boxes = false,
  advantages,
  timeoutMs,
  onProgress,
}: BenchOptions): Promise<BenchReport> {
  const write = (given: Question): Question => (boxes ? boxed(given) : given);
  const question = write(numberQuestion);
  const table = await truthTable(reward, question);
  onProgress?.("truth table", table.length, table.length);
  const verdicts = await tryAttacks(reward, {
    ...{ chosen: attacks(write), timeoutMs },
    onProgress: (done, total) => onProgress?.("attacks", done, total),
  });
  const { rows, weights } = await groupSensitivity(reward, {
    question,
    rule: advantages,
  });

  const once = calledOnce(reward);
  const tried: Expectations[] = [];
  for (const first of firsts) {
    const lengths: Lengths = { first, check, second };
    for (const a of accuracies) tried.push(await expectations(once, { a, lengths, question }));
    onProgress?.("policies", tried.length, firsts.length * accuracies.length);
  }
  const sound = tried.filter(({ failure }) => failure === null);
  const others = POLICIES.filter((kind): kind is Boundary["other"] => kind !== "honest");
  const report = {
    name,
    truthTable: table,
    orders: checkOrders(table),
    attacks: verdicts,
    advantages: rows,
    weights,
    policies: sound.flatMap((given) => cellsOf(given, rechecks)),
    boundaries: sound.flatMap((given) =>
      others.map((other) => ({
        ...{ first: given.lengths.first, check, a: given.a, other },
        ...{ leastR: leastRecheck(given, other), vacuousGain: given.vacuousGain },
      })),
    ),
  };
  const failure = tried.find((given) => given.failure !== null)?.failure ?? null;
  return { ...report, findings: findingsOf(report, failure) };
}
