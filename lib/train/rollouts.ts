/** The rollouts of a step: completions taken apart and scored, and the form in which a run writes them down. */
import { chunk } from "../engine/lists";
import type { RewardConfig } from "../reflection/reward-config";
import {
  trainedSpan,
  trainedTokens,
  type FirstSolutionMask,
} from "../reflection/first-solution-mask";
import { PART_NAMES } from "../reflection/reward-parts";
import { scoreResponse, type RewardBreakdown } from "../reflection/rewards";
import { parseResponse } from "../reflection/template";
import type { Tokenizer } from "../policy/tokenizer";
import type { Completion, Problem, Response } from "../types";
import { callRewards, type CustomReward } from "./custom-reward";

/** One completion with everything that became of it. */
export interface Rollout {
  problem: Problem;
  completion: Completion;
  response: Response;
  /** By the reward configuration. */
  reward: RewardBreakdown;
  /** Values of the user's own rewards, before their weights; `null` where one does not apply. */
  custom: Record<string, number | null>;
  /**
   * What is paid for, by name: the configuration's parts and the user's own, weighted; `overlong` and `kl` are what is taken
   * off for length and for distance from the reference, where a setting asks for it.
   */
  paid: Record<string, number>;
  /** Their sum. */
  total: number;
  /** Tokens of the reflection, 0 without one. */
  reflectionTokens: number;
  /** 1 for each token that is learned from, 0 for the others; all are by default. */
  mask?: Float32Array;
  /** Log-probabilities of the tokens under the reference, where there is one. */
  refLogprobs?: Float32Array;
  /** The same under the trainer before its update, where the importance correction needs them. */
  trainerLogprobs?: Float32Array;
  advantage: number;
}

/** Advantages need the whole group. */
export type ScoredRollout = Omit<Rollout, "advantage">;

export interface Scoring {
  reward: RewardConfig;
  /** Weight of what the configuration pays; 0 leaves the pay to the user's own rewards. */
  rewardWeight: number;
  rewards: readonly CustomReward[];
  /** Guard: whose first solution is left out of the loss. */
  firstSolutionMask: FirstSolutionMask;
  tokenizer: Pick<Tokenizer, "countTokens" | "decode">;
}

/** Samples whose rewards of the user's own are asked for at once; they may be calls to one server. */
const CALLS = 32;

/**
 * Takes the completions apart and scores them.
 * @param completions one list a problem
 * @param place.firstAccuracy accuracy of the first answers lately, for the guard against sandbagging
 * @returns one list a problem, in their order
 * @throws RewardFailure when a reward of the user's own fails; `AbortError` when `signal` fires meanwhile
 */
export async function scoreCompletions(
  problems: readonly Problem[],
  completions: readonly (readonly Completion[])[],
  { reward: config, rewardWeight, rewards, firstSolutionMask, tokenizer }: Scoring,
  { step, firstAccuracy, signal }: { step: number; firstAccuracy?: number; signal?: AbortSignal },
): Promise<ScoredRollout[][]> {
  const { countTokens } = tokenizer;
  const pieces = tokenText(tokenizer.decode);
  const groups = problems.map((problem, p) =>
    completions[p].map((completion): ScoredRollout => {
      const response = parseResponse(completion.text, { truncated: completion.truncated });
      const reward = scoreResponse({
        ...{ response, problem, config, tokenCount: countTokens, firstAccuracy },
      });
      const reflectionTokens = response.reflection === null ? 0 : countTokens(response.reflection);
      const paid = Object.fromEntries(
        PART_NAMES.map((part) => [part, rewardWeight * reward[part]]),
      );
      const total = sum(paid);
      const scored = { problem, completion, response, reward, custom: {}, paid, total };
      if (firstSolutionMask === "never") return { ...scored, reflectionTokens };
      const span = trainedSpan(response, firstSolutionMask, reward.transition);
      const ends = tokenEnds(completion.ids, completion.text, pieces);
      const mask = Float32Array.from(trainedTokens(ends, span), (learned) => (learned ? 1 : 0));
      return { ...scored, reflectionTokens, mask };
    }),
  );
  if (rewards.length === 0) return groups;
  const placed = groups.flatMap((group) => group.map((rollout, g) => ({ rollout, g })));
  for (const part of chunk(placed, CALLS)) {
    await Promise.all(
      part.map(async ({ rollout, g }) => {
        const { problem, response, completion, reward } = rollout;
        const sample = { problem, response, completion, reward, countTokens };
        const place = `completion ${g + 1} of problem ${problem.id} at step ${step}`;
        rollout.custom = await callRewards(rewards, sample, place, signal);
        for (const { name, weight = 1 } of rewards) {
          rollout.paid[name] = weight * (rollout.custom[name] ?? 0);
        }
        rollout.total = sum(rollout.paid);
      }),
    );
  }
  return groups;
}

/** The rollout with something more that it is paid, or that is taken off. */
export function alsoPaid(rollout: ScoredRollout, name: string, value: number): ScoredRollout {
  const paid = { ...rollout.paid, [name]: value };
  return { ...rollout, paid, total: sum(paid) };
}

function sum(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((total, part) => total + part, 0);
}

/** What `rollouts.jsonl` holds of one completion. */
export interface RolloutRow {
  step: number;
  /** Its problem's id. */
  problem: string;
  text: string;
  truncated: boolean;
  /** What was paid. */
  paid: Record<string, number>;
  total: number;
  advantage: number;
  reward: RewardBreakdown;
  custom: Record<string, number | null>;
  tokens: TokenRow;
}

/** The completion's tokens; all lists are equally long. A number that is not finite is `null` in JSON. */
export interface TokenRow {
  ids: number[];
  /** Where each token ends in `text`, in characters; special tokens take no room. */
  ends: number[];
  /**
   * Log-probabilities under the policy that sampled, to six decimals; as the trainer has them where it corrects a sampler
   * that disagrees.
   */
  old: number[];
  /** The same as the loss saw them, so that the token's ratio is `exp(current − old)`. */
  current: number[];
  /** 1 for each token that was learned from, 0 for the others; absent where all were. */
  mask?: number[];
}

/**
 * Rollouts as rows.
 * @param current all their tokens' log-probabilities as the loss saw them, in the rollouts' order
 * @param decode tokens as text
 */
export function rolloutRows(
  step: number,
  rollouts: readonly Rollout[],
  current: readonly number[],
  decode: Tokenizer["decode"],
): RolloutRow[] {
  const textOf = tokenText(decode);
  let at = 0;
  return rollouts.map((rollout) => {
    const { problem, completion, reward, custom, paid, total, advantage, mask } = rollout;
    const { ids, text, truncated, logprobs } = completion;
    const tokens: TokenRow = {
      ids,
      ends: tokenEnds(ids, text, textOf),
      old: Array.from(rollout.trainerLogprobs ?? logprobs, sixDecimals),
      current: current.slice(at, (at += ids.length)).map(sixDecimals),
      ...(mask === undefined ? {} : { mask: Array.from(mask) }),
    };
    const row = { step, problem: problem.id, text, truncated, paid, total };
    return { ...row, advantage, reward, custom, tokens };
  });
}

/** Decodes tokens without special ones, and remembers what single ones are. */
export function tokenText(decode: Tokenizer["decode"]): (ids: readonly number[]) => string {
  const known = new Map<number, string>();
  return (ids) => {
    if (ids.length > 1) return decode(ids, { skipSpecial: true });
    const text = known.get(ids[0]) ?? decode(ids, { skipSpecial: true });
    known.set(ids[0], text);
    return text;
  };
}

function sixDecimals(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/**
 * Where each token ends in the text. Tokens are decoded one by one, which is right unless a character is spread over
 * several of them; then whole beginnings are, and the character counts for the token that completes it.
 * @returns `[n]`, rising
 */
export function tokenEnds(
  ids: readonly number[],
  text: string,
  decode: (ids: readonly number[]) => string,
): number[] {
  const pieces = ids.map((id) => decode([id]));
  if (pieces.join("") === text) {
    let end = 0;
    return pieces.map((piece) => (end += piece.length));
  }
  let known = 0;
  return ids.map((_id, i) => {
    const prefix = decode(ids.slice(0, i + 1));
    // Half a character is decoded as a replacement character, which the text does not have there.
    if (text.startsWith(prefix)) known = prefix.length;
    return known;
  });
}
