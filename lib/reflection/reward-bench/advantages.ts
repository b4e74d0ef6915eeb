/** How the parts of a reward move a group's advantages: what one part alone decides, and what changes when it changes. */
import type { Transition } from "../../types";
import { numberQuestion, specimen, type Question } from "./specimens";
import { pay, type Paid, type RewardFunction } from "./trial";

/** From the rewards of a group `[G]` to its advantages `[G]`. */
export type AdvantageRule = (rewards: readonly number[]) => number[];

/** `(r − mean) / (std + 1e-4)`, std with divisor G − 1: GRPO as TRL computes it. */
export const standardise: AdvantageRule = (rewards) => {
  const mean = rewards.reduce((a, b) => a + b, 0) / rewards.length;
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  const std = Math.sqrt(squares / Math.max(1, rewards.length - 1));
  return rewards.map((reward) => (reward - mean) / (std + 1e-4));
};

type Member = Pick<Paid, "total" | "parts">;

/** The advantages of a group if nobody were paid this part. */
export function advantagesWithout(
  group: readonly Member[],
  part: string,
  rule: AdvantageRule = standardise,
): number[] {
  return rule(group.map(({ total, parts }) => total - (parts[part] ?? 0)));
}

/** The advantages of a group after one response's reward has changed by so much. */
export function advantagesAfter(
  group: readonly Member[],
  { index, by }: { index: number; by: number },
  rule: AdvantageRule = standardise,
): number[] {
  return rule(group.map(({ total }, i) => total + (i === index ? by : 0)));
}

export interface AdvantageRow extends Member {
  group: string;
  /** What the response is like, e.g. `RR, 60 tokens of reflection`. */
  response: string;
  advantage: number;
  /** By part: the advantage if nobody in the group were paid it. */
  without: Readonly<Record<string, number>>;
}

/** A part's say in a group: how far advantages move, on average, when it is taken away. */
export interface PartWeight {
  group: string;
  part: string;
  /** Largest difference that the part makes between two responses of the group. */
  range: number;
  meanShift: number;
}

/** A member's answers and the tokens of its reflection. */
type MemberShape = readonly [Transition, number];

const MIXED: readonly MemberShape[] = [
  ["RR", 8],
  ["RR", 24],
  ["RR", 40],
  ["WR", 24],
  ["RW", 24],
  ["WW", 8],
  ["WW", 24],
  ["WW", 40],
];

const ALL_RIGHT = [4, 8, 12, 16, 20, 24, 32, 48].map((tokens): MemberShape => ["RR", tokens]);

const GROUPS: Readonly<Record<string, readonly MemberShape[]>> = {
  mixed: MIXED,
  "right twice throughout": ALL_RIGHT,
};

/** Two groups of eight: one of all transitions, one in which only lengths differ. */
export async function groupSensitivity(
  reward: RewardFunction,
  { question = numberQuestion, rule = standardise }: { question?: Question; rule?: AdvantageRule },
): Promise<{ rows: AdvantageRow[]; weights: PartWeight[] }> {
  const rows: AdvantageRow[] = [];
  const weights: PartWeight[] = [];
  for (const [group, shapes] of Object.entries(GROUPS)) {
    const members: Paid[] = [];
    for (const shape of shapes) {
      members.push(await pay(reward, textOf(shape, question), question.problem));
    }
    const whole = rule(members.map(({ total }) => total));
    const names = [...new Set(members.flatMap(({ parts }) => Object.keys(parts)))];
    const without = Object.fromEntries(
      names.map((part) => [part, advantagesWithout(members, part, rule)]),
    );
    members.forEach(({ total, parts }, i) => {
      rows.push({
        group,
        response: `${shapes[i][0]}, reflection of ${shapes[i][1]} tokens`,
        ...{ total, parts, advantage: whole[i] },
        without: Object.fromEntries(names.map((part) => [part, without[part][i]])),
      });
    });
    for (const part of names) {
      const values = members.map(({ parts }) => parts[part] ?? 0);
      const shifts = whole.map((advantage, i) => Math.abs(advantage - without[part][i]));
      weights.push({
        ...{ group, part, range: Math.max(...values) - Math.min(...values) },
        meanShift: shifts.reduce((a, b) => a + b, 0) / shifts.length,
      });
    }
  }
  return { rows, weights };
}

function textOf([transition, reflectionTokens]: MemberShape, question: Question): string {
  const answer = (letter: string, wrong: string): string =>
    letter === "R" ? question.right : wrong;
  return specimen({
    first: answer(transition[0], question.wrong),
    second: answer(transition[1], question.otherWrong),
    ...{ firstTokens: 40, reflectionTokens, secondTokens: 6 },
  });
}
