/** A chat client from a command's options: address, prices and budget. The key comes from the environment. */
import { createChatClient, type ChatClient, type ClientOptions } from "../rollout/openai/client";

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
    ...{ ...options, model, budget: { dollars: budget, tokens: tokenBudget } },
    ...(priced ? { prices: { input: priceIn ?? 0, output: priceOut ?? 0 } } : {}),
  });
}
