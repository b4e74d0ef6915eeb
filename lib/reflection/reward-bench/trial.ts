/** A reward on trial: what it is called with, what it may return, and what is made of a return that cannot be used. */
import type { Problem, Response } from "../../types";
import type { RewardConfig } from "../reward-config";
import { scoreResponse } from "../rewards";
import { parseResponse } from "../template";
import { countWords } from "./specimens";

/** What a reward may know besides the response. */
export interface RewardContext {
  /** Accuracy of the policy's first answers, which the guard `sandbagging` looks at. */
  firstAccuracy?: number;
}

/** A total, or parts: `total` if there is one, else the sum of all numbers in it. */
export type Payment = number | Readonly<Record<string, unknown>> | object;

/** Any reward: a plain function, async allowed; the context may be left out. */
export type RewardFunction = (
  response: Response,
  problem: Problem,
  context: RewardContext,
) => Payment | Promise<Payment>;

/** What a reward paid for one response. */
export interface Paid {
  /** NaN where there is a failure. */
  total: number;
  /** The numbers beside the total, by name. */
  parts: Readonly<Record<string, number>>;
  /** Why this is no reward: it threw, returned no number, or did not return in time. */
  failure: string | null;
}

/** A reward of the lab as a function. @param tokenCount words and tags unless told otherwise */
export function rewardFunction(
  config: RewardConfig,
  tokenCount: (text: string) => number = countWords,
): RewardFunction {
  if (config.firstBaseline === 0) {
    return (response, problem) => scoreResponse({ response, problem, config, tokenCount });
  }
  return (response, problem, { firstAccuracy }) =>
    scoreResponse({ response, problem, config, tokenCount, firstAccuracy });
}

/**
 * The reward, called once for each text where that is all it looks at: policies of different accuracy write the same
 * responses. A reward that takes a context is left as it is.
 */
export function calledOnce(reward: RewardFunction): RewardFunction {
  if (reward.length > 2) return reward;
  const known = new Map<string, Payment | Promise<Payment>>();
  return (response, problem, context) => {
    const key = `${problem.id} ${response.text}`;
    const payment = known.get(key) ?? reward(response, problem, context);
    known.set(key, payment);
    return payment;
  };
}

/**
 * Calls a reward once. Never throws: on trial a failure is a result.
 * @param timeoutMs how long an async reward may take
 */
export async function pay(
  reward: RewardFunction,
  text: string,
  problem: Problem,
  { timeoutMs = 10_000, ...context }: RewardContext & { timeoutMs?: number } = {},
): Promise<Paid> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no reward after ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
    });
    const payment = Promise.resolve(reward(parseResponse(text), problem, context));
    return readPayment(await Promise.race([payment, late]));
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

function readPayment(payment: unknown): Paid {
  if (typeof payment === "number") return finite(payment, {});
  if (typeof payment !== "object" || payment === null) {
    return failed(`returned ${payment === null ? "null" : typeof payment}, which is no reward`);
  }
  const numbers = Object.entries(payment).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  const { total, ...parts } = Object.fromEntries(numbers) as Record<string, number>;
  if (numbers.length === 0) return failed("returned an object without a number");
  return finite(total ?? Object.values(parts).reduce((sum, value) => sum + value, 0), parts);
}

function finite(total: number, parts: Readonly<Record<string, number>>): Paid {
  if (Number.isFinite(total)) return { total, parts, failure: null };
  return failed(`returned ${String(total)}`);
}

function failed(failure: string): Paid {
  return { total: NaN, parts: {}, failure };
}
