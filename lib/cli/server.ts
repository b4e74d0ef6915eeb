/** A chat client from a command's options: address, prices and budget. The key comes from the environment. */
import { createChatClient, type ChatClient, type ClientOptions } from "../rollout/openai/client";
import { say } from "./io";

/** Milliseconds between two lines about a server that does not answer. */
const QUIET_MS = 10_000;

export interface ServerOptions extends Pick<
  ClientOptions,
  "baseUrl" | "concurrency" | "cache" | "keyVariable" | "attempts" | "timeoutMs" | "maxTokensField"
> {
  /** Dollars a million tokens. */
  priceIn?: number;
  priceOut?: number;
  /** Dollars. */
  budget?: number;
  tokenBudget?: number;
}

/** @throws LabError when an option or the environment lacks something */
export function chatClient(
  model: string,
  { priceIn, priceOut, budget, tokenBudget, ...options }: ServerOptions,
): ChatClient {
  const priced = priceIn !== undefined || priceOut !== undefined;
  return createChatClient({
    ...{ ...options, model, onRetry: tellRetries() },
    ...{ budget: { dollars: budget, tokens: tokenBudget } },
    ...(priced ? { prices: { input: priceIn ?? 0, output: priceOut ?? 0 } } : {}),
  });
}

/** Says on stderr that a server has trouble: at once, and every ten seconds while that lasts. */
function tellRetries(): (message: string, waitMs: number) => void {
  let [count, saidAt] = [0, -Infinity];
  return (message, waitMs) => {
    count++;
    if (Date.now() - saidAt < QUIET_MS) return;
    saidAt = Date.now();
    const wait = (waitMs / 1000).toFixed(1);
    say(`The server: ${message}. Asked again in ${wait} s; ${count} repeated so far.`);
  };
}
