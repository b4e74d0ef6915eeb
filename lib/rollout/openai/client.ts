/**
 * A chat client for any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a hosted model), with pictures, made for thousands of
 * requests that cost money: every reply goes to disk at once and is never asked for again, and a budget holds.
 *
 * The key comes from the environment only. It goes into the request's header and nowhere else: not into options, errors,
 * caches or what a notebook prints of the client.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fault, LabError } from "../../engine/errors";
import { canonicalJson, contentHash } from "../../engine/files";
import { interrupted } from "../../engine/interrupt";
import { createGate } from "../../engine/lists";
import {
  addUsage,
  BudgetReached,
  costOf,
  estimateUsage,
  type Budget,
  type Prices,
  type Usage,
} from "./cost";
import { bodyOf, readReply, serverAddress, type ChatRequest } from "./protocol";
import { memoryReplyCache, openReplyCache, type ReplyCache, type StoredReply } from "./reply-cache";
import { backoff, post, type Outcome } from "./transport";

export interface ChatReply extends StoredReply {
  /** It came from the cache and cost nothing. */
  cached: boolean;
}

export interface ClientOptions {
  model: string;
  /** With the version, e.g. `http://127.0.0.1:8000/v1`; else `OPENAI_BASE_URL`. */
  baseUrl?: string;
  /** Name of the environment variable that holds the key; a server of one's own may need none. */
  keyVariable?: string;
  /** Requests under way at a time. */
  concurrency?: number;
  /** For one attempt, at most 300,000: Node ends a request without headers after that. */
  timeoutMs?: number;
  /** Attempts a request before it fails. */
  attempts?: number;
  /** First wait after a failure; it doubles from attempt to attempt. */
  retryBaseMs?: number;
  /** Folder of replies, or one that is open, for clients that share a budget; without one they live as long as the client. */
  cache?: string | ReplyCache;
  prices?: Prices;
  /** Holds for everything that is in the cache's folder, earlier processes' calls included. */
  budget?: Budget;
  /** Hears of every attempt that is to be repeated, in the server's words; while that goes on nothing else is heard of it. */
  onRetry?: (message: string, waitMs: number) => void;
  /** Newer models of OpenAI call it `max_completion_tokens`. */
  maxTokensField?: "max_tokens" | "max_completion_tokens";
}

/** What a client has done so far. */
export interface Totals extends Usage {
  /** Paid calls of this folder, earlier processes' included. */
  calls: number;
  /** Replies that came from the cache. */
  cached: number;
  /** Attempts that were repeated. */
  retries: number;
  /** Attempts whose reply never came whole; their cost, which nobody knows, is counted as estimated. */
  lost: number;
  /** `undefined` without prices. */
  dollars?: number;
}

/** What requests would use at most, those that are in the cache left out. */
export interface Estimate extends Usage {
  calls: number;
  cached: number;
  dollars?: number;
}

export interface ChatClient {
  model: string;
  /** The server's address, without the key. */
  server: string;
  prices?: Prices;
  concurrency: number;
  /**
   * @throws RequestFailed when this request cannot be answered, BudgetReached, Interrupted, or LabError when no request can
   */
  complete(request: ChatRequest, options?: { signal?: AbortSignal }): Promise<ChatReply>;
  estimate(requests: AsyncIterable<ChatRequest> | Iterable<ChatRequest>): Promise<Estimate>;
  totals(): Totals;
}

/** One request was refused, or failed as often as it may; others need not. */
export class RequestFailed extends LabError {
  override name = "RequestFailed";
}

/** A server that asks for a longer wait than this is not available. */
const LONGEST_WAIT_MS = 600_000;
/**
 * Requests in a row that failed as often as they may, none answered between them: then nobody is there, and a hundred thousand more
 * would take days to learn the same, and cost what a server charges for replies that are none.
 */
const DOWN_AFTER = 8;

/** @throws LabError when an option or the environment lacks something */
export function createChatClient(options: ClientOptions): ChatClient {
  const {
    model,
    concurrency = 8,
    timeoutMs = 120_000,
    attempts = 6,
    retryBaseMs,
    prices,
    budget,
  } = options;
  check(options);
  const base = serverAddress(options.baseUrl);
  const url = `${base}/chat/completions`;
  const key = process.env[options.keyVariable ?? "OPENAI_API_KEY"]?.trim() ?? "";
  const headers = {
    "content-type": "application/json",
    ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
  };
  /** Some servers repeat the key that they refuse. */
  const withoutKey = (text: string): string => (key === "" ? text : text.replaceAll(key, "[key]"));

  const cache =
    typeof options.cache === "string"
      ? openReplyCache(options.cache)
      : (options.cache ?? memoryReplyCache());
  const underWay = new Map<string, Promise<StoredReply>>();
  const enter = createGate(concurrency);
  const counts = { cached: 0, retries: 0, lost: 0 };
  let lostUsage: Usage = { promptTokens: 0, completionTokens: 0 };
  let reserved: Usage = { promptTokens: 0, completionTokens: 0 };
  let pausedUntil = 0;
  let closed: LabError | undefined;
  let failedInRow = 0;
  let down: LabError | undefined;

  const keyOf = (request: ChatRequest): string =>
    contentHash(
      canonicalJson({ base, body: bodyOf(request, options), sample: request.sample ?? 0 }),
      40,
    );

  /** Sets the most that a call can cost aside. @throws BudgetReached when that is more than there is left */
  const reserve = (usage: Usage): (() => void) => {
    const committed = addUsage(addUsage(cache.paid(), lostUsage), reserved);
    const after = addUsage(committed, usage);
    const over =
      (budget?.tokens !== undefined &&
        after.promptTokens + after.completionTokens > budget.tokens) ||
      (budget?.dollars !== undefined &&
        prices !== undefined &&
        costOf(after, prices) > budget.dollars);
    if (over) throw budgetReached(budget, cache.paid(), prices);
    reserved = addUsage(reserved, usage);
    return () => {
      reserved = {
        promptTokens: reserved.promptTokens - usage.promptTokens,
        completionTokens: reserved.completionTokens - usage.completionTokens,
      };
    };
  };

  const attempt = async (body: string, signal: AbortSignal | undefined): Promise<Outcome> => {
    const outcome = await post({ url, headers, body, timeoutMs, signal });
    return outcome.kind === "answer"
      ? outcome
      : { ...outcome, message: withoutKey(outcome.message) };
  };

  const ask = async (request: ChatRequest, signal?: AbortSignal): Promise<StoredReply> => {
    const body = JSON.stringify(bodyOf(request, options));
    const expected = await estimateUsage(request);
    for (let made = 1; ; made++) {
      await waitUntil(() => pausedUntil, signal);
      if (closed !== undefined || down !== undefined) throw (closed ?? down) as LabError;
      const release = reserve(expected);
      let outcome: Outcome;
      try {
        outcome = await attempt(body, signal);
      } finally {
        release();
      }
      let failure = outcome;
      if (outcome.kind === "answer") {
        const reply = readReply(outcome.body, expected);
        if (reply !== null) {
          failedInRow = 0;
          return reply;
        }
        failure = { kind: "again", message: "the reply holds no message", lost: true };
      }
      if (failure.kind === "fatal") {
        closed = serverFault(base, failure.message, key !== "", options.keyVariable);
        throw closed;
      }
      const { message } = failure as Exclude<Outcome, { kind: "answer" }>;
      if (failure.kind === "again" && failure.lost) {
        counts.lost++;
        lostUsage = addUsage(lostUsage, expected);
      }
      const tooLong = failure.kind === "again" && (failure.waitMs ?? 0) > LONGEST_WAIT_MS;
      if (failure.kind !== "again" || made >= attempts || tooLong) {
        if (failure.kind === "again" && ++failedInRow >= DOWN_AFTER) {
          down ??= downFault(base, message);
          throw down;
        }
        const times = made === 1 ? "" : ` after ${made} attempts`;
        throw new RequestFailed(
          fault("complete", `${base} did not answer${times} (${message})`, {
            try: "the server's log; what was answered before is in the cache",
          }).message,
        );
      }
      counts.retries++;
      const wait = backoff(made, {
        waitMs: failure.waitMs,
        baseMs: retryBaseMs,
        chance: Math.random(),
      });
      options.onRetry?.(message, wait);
      // A limit is the account's, not the request's: everybody waits.
      if (failure.limited) pausedUntil = Math.max(pausedUntil, Date.now() + wait);
      else await pause(wait, signal);
    }
  };

  return {
    ...{ model, server: base, prices },
    concurrency,
    complete: async (request, { signal } = {}) => {
      if (signal?.aborted) throw interrupted("asking a server");
      const id = keyOf(request);
      const found = cache.get(id);
      if (found !== null) {
        counts.cached++;
        return { ...found, cached: true };
      }
      // Whoever asks again after everything has come to rest may have started the server meanwhile.
      if (down !== undefined && underWay.size === 0) [down, failedInRow] = [undefined, 0];
      // Whoever asks the same while it is under way gets the same reply, which is paid once.
      const running =
        underWay.get(id) ??
        enter(() => ask(request, signal))
          .then((reply) => {
            cache.put(id, reply);
            return reply;
          })
          .finally(() => underWay.delete(id));
      const shared = underWay.has(id);
      underWay.set(id, running);
      try {
        return { ...(await running), cached: shared };
      } catch (error) {
        throw signal?.aborted && !(error instanceof LabError)
          ? interrupted("asking a server")
          : error;
      }
    },
    estimate: async (requests) => {
      const total: Estimate = { promptTokens: 0, completionTokens: 0, calls: 0, cached: 0 };
      for await (const request of requests) {
        if (cache.get(keyOf(request)) !== null) {
          total.cached++;
          continue;
        }
        Object.assign(total, addUsage(total, await estimateUsage(request)));
        total.calls++;
      }
      return prices === undefined ? total : { ...total, dollars: costOf(total, prices) };
    },
    totals: () => {
      const { calls, ...paid } = cache.paid();
      const usage = addUsage(paid, lostUsage);
      return {
        ...{ ...usage, calls, ...counts },
        ...(prices === undefined ? {} : { dollars: costOf(usage, prices) }),
      };
    },
  };
}

function check({
  model,
  timeoutMs = 1,
  concurrency = 1,
  attempts = 1,
  budget,
  prices,
}: ClientOptions): void {
  if (model === "") throw fault("createChatClient", "no model is named");
  if (timeoutMs <= 0 || timeoutMs > 300_000) {
    throw fault("createChatClient", "timeoutMs cannot be", {
      ...{ got: timeoutMs, expected: "1 to 300000 milliseconds for one attempt" },
    });
  }
  for (const [name, value] of Object.entries({ concurrency, attempts })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw fault("createChatClient", `${name} cannot be`, { got: value, expected: "1 or more" });
  }
  if (budget?.dollars !== undefined && prices === undefined) {
    throw fault("createChatClient", "a budget in dollars needs prices", {
      try: "prices: { input, output } in dollars a million tokens, or budget: { tokens }",
    });
  }
}

function serverFault(
  base: string,
  message: string,
  hasKey: boolean,
  variable = "OPENAI_API_KEY",
): LabError {
  return fault("complete", `${base} refuses every request (${message})`, {
    try: hasKey
      ? `whether ${variable} holds the right key, and the model's name`
      : `a key in ${variable}`,
  });
}

function downFault(base: string, message: string): LabError {
  return fault(
    "complete",
    `${base} has answered none of the last ${DOWN_AFTER} requests (${message})`,
    {
      try: "the server's log, then again; what was answered before is in the cache",
    },
  );
}

function budgetReached(
  budget: Budget | undefined,
  paid: Usage,
  prices: Prices | undefined,
): BudgetReached {
  const tokens = paid.promptTokens + paid.completionTokens;
  const spent =
    prices === undefined ? `${tokens} tokens` : `${costOf(paid, prices).toFixed(4)} dollars`;
  return new BudgetReached(
    fault("complete", `the budget would not hold another call; ${spent} are spent`, {
      got: budget,
      try: "a larger budget; what was paid for is in the cache and is not paid again",
    }).message,
  );
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw interrupted("asking a server");
  }
}

/** Waits as long as the moment keeps moving away. */
async function waitUntil(moment: () => number, signal?: AbortSignal): Promise<void> {
  for (let left = moment() - Date.now(); left > 0; left = moment() - Date.now())
    await pause(left, signal);
}
