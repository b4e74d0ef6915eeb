/** A reward on trial: what it is called with, what it may return, and what is made of a return that cannot be used. */
import type { Problem } from "../../types";
import { rewardPresets, type RewardConfig } from "../reward-config";
import type { RewardSample } from "../reward-sample";
import { scoreResponse } from "../rewards";
import { parseResponse } from "../template";
import { countWords } from "./specimens";

/** What the bench supposes of the policy that wrote the response. */
export interface RewardContext {
  /** Accuracy of its first answers, which the guard `sandbagging` looks at. */
  firstAccuracy?: number;
}

/** A total, or parts: `total` if there is one, else the sum of all numbers in it. */
export type Payment = number | Readonly<Record<string, unknown>> | object;

/** Any reward: a plain function, async allowed, given what a training gives it; `null` pays nothing, as there. */
export type RewardFunction = (sample: RewardSample) => Payment | null | Promise<Payment | null>;

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
  // Read only where it counts: see `calledOnce`.
  const guarded = config.firstBaseline !== 0;
  return (sample) => {
    const { response, problem } = sample;
    const firstAccuracy = guarded ? sample.firstAccuracy : undefined;
    return scoreResponse({ response, problem, config, tokenCount, firstAccuracy });
  };
}

/**
 * The reward, called once for each text where that is all it looks at: policies of different accuracy write the same
 * responses. A reward that has looked at `firstAccuracy` is called again.
 */
export function calledOnce(reward: RewardFunction): RewardFunction {
  const known = new Map<string, { payment: ReturnType<RewardFunction>; looked: boolean }>();
  return (sample) => {
    const key = `${sample.problem.id} ${sample.response.text}`;
    const before = known.get(key);
    if (before?.looked === false) return before.payment;
    const entry: { payment: ReturnType<RewardFunction>; looked: boolean } = {
      payment: null,
      looked: false,
    };
    const { firstAccuracy, ...rest } = sample;
    const watched = {
      ...rest,
      get firstAccuracy() {
        entry.looked = true;
        return firstAccuracy;
      },
    };
    entry.payment = reward(watched);
    known.set(key, entry);
    return entry.payment;
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
  const controller = new AbortController();
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no reward after ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
    });
    const sample = { ...sampleOf(text, problem), ...context, signal: controller.signal };
    return readPayment(await Promise.race([reward(sample), late]));
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function sampleOf(text: string, problem: Problem): Omit<RewardSample, "signal"> {
  const response = parseResponse(text);
  const ids = Array.from({ length: countWords(text) }, (_unused, i) => i);
  return {
    problem,
    response,
    completion: { text, ids, logprobs: ids.map(() => NaN), truncated: false },
    reward: scoreResponse({
      response,
      problem,
      config: rewardPresets.paper,
      tokenCount: countWords,
    }),
    countTokens: countWords,
  };
}

function readPayment(payment: unknown): Paid {
  if (payment === null) return finite(0, {});
  if (typeof payment === "number") return finite(payment, {});
  if (typeof payment !== "object") {
    return failed(`returned ${typeof payment}, which is no reward`);
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
