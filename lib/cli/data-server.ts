/** What the commands share that ask a server: its options, an estimate before and the costs after. */
import type { Command } from "commander";
import type { ChatClient, ClientOptions, Estimate } from "../rollout/openai/client";
import { say } from "./io";
import { numberFrom, wholeNumber } from "./numbers";
import { chatClient } from "./server";

export interface ServerOptions {
  baseUrl?: string;
  concurrency: number;
  cache: string;
  priceIn?: number;
  priceOut?: number;
  budget?: number;
  tokenBudget?: number;
  estimate?: true;
}

/** A command with the options of a server. */
export function serverOptions(command: Command): Command {
  return command
    .option(
      "--base-url <address>",
      "the server's, with /v1 (default: OPENAI_BASE_URL); its key is in OPENAI_API_KEY",
    )
    .option("--concurrency <n>", "requests under way at a time", wholeNumber(1), 8)
    .option("--cache <dir>", "where a server's replies are kept", ".cache/replies")
    .option("--price-in <dollars>", "a million prompt tokens", numberFrom(0))
    .option("--price-out <dollars>", "a million completion tokens", numberFrom(0))
    .option("--budget <dollars>", "stop before this is spent; needs the prices", numberFrom(0))
    .option("--token-budget <n>", "stop before this many tokens are used", wholeNumber(1))
    .option("--estimate", "say what a server would cost, and ask nothing");
}

/** @throws LabError when there is no server, or a budget without prices */
export function clientOf(
  options: Omit<ServerOptions, "cache"> & Pick<ClientOptions, "cache">,
  model: string,
): ChatClient {
  const { baseUrl, concurrency, cache, priceIn, priceOut, budget, tokenBudget } = options;
  return chatClient(model, {
    ...{ baseUrl, concurrency, cache, priceIn, priceOut, budget, tokenBudget },
  });
}

/** Says on stderr what requests would use. */
export function tellEstimate(estimate: Estimate): Estimate {
  const { calls, cached, promptTokens, completionTokens, dollars } = estimate;
  say(
    `${calls} calls to make, ${cached} in the cache; at most about ${promptTokens} prompt and ` +
      `${completionTokens} completion tokens` +
      (dollars === undefined ? "" : `, ${dollars.toFixed(2)} dollars`),
  );
  return estimate;
}

/** The running total, for a line of progress. */
export function spent(client: ChatClient | undefined): string {
  if (client === undefined) return "";
  const { dollars, promptTokens, completionTokens } = client.totals();
  return dollars === undefined
    ? `, ${promptTokens + completionTokens} tokens used`
    : `, ${dollars.toFixed(2)} dollars spent`;
}
