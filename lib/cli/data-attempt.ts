/** `srpo data attempt`: a policy's judged answers to problems, with the pass rate of each. */
import { Command, Option } from "commander";
import { interruptible } from "../engine/interrupt";
import { shownPath } from "../paths";
import type { PromptStyle } from "../reflection/prompts";
import { collectAttempts } from "../rollout/attempts";
import type { RolloutEngine, RolloutRequest } from "../rollout/engine";
import type { ChatClient } from "../rollout/openai/client";
import { chatRequest, createOpenAiEngine } from "../rollout/openai/engine";
import { basePolicy, withEngine } from "../stages/context";
import type { Problem } from "../types";
import { readLines, say, UsageError, writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";
import { chatClient } from "./server";

interface AttemptCommandOptions {
  in: string;
  out: string;
  policy?: string;
  model?: string;
  baseUrl?: string;
  style?: PromptStyle;
  samples: number;
  temperature: number;
  maxNewTokens: number;
  seed: string;
  concurrency: number;
  cache: string;
  priceIn?: number;
  priceOut?: number;
  budget?: number;
  tokenBudget?: number;
  estimate?: true;
}

export const attemptCommand = new Command("attempt")
  .description(
    "Lets a policy answer problems, judges the answers, and says how often each is right.",
  )
  .requiredOption("--in <file>", "problems as JSON lines, e.g. of srpo data read, or - for stdin")
  .requiredOption(
    "--out <file>",
    "attempts as JSON lines; what is there already is not asked again",
  )
  .option("--policy <dir>", "checkpoint folder (default: the embedded policy)")
  .option("--model <name>", "ask this model of an OpenAI-compatible server instead")
  .option(
    "--base-url <address>",
    "the server's, with /v1 (default: OPENAI_BASE_URL); its key is in OPENAI_API_KEY",
  )
  .addOption(
    new Option(
      "--style <name>",
      "how is asked (default: paper-direct for a server, direct else)",
    ).choices(["direct", "reflect", "paper-direct", "paper"]),
  )
  .option("--samples <n>", "answers a problem", wholeNumber(1), 1)
  .option("--temperature <t>", "0 takes the most likely token", numberFrom(0), 1)
  .option("--max-new-tokens <n>", "of one answer", wholeNumber(1), 1024)
  .option("--seed <seed>", "of the samples", "1")
  .option("--concurrency <n>", "requests under way at a time", wholeNumber(1), 8)
  .option("--cache <dir>", "where a server's replies are kept", ".cache/replies")
  .option("--price-in <dollars>", "a million prompt tokens", numberFrom(0))
  .option("--price-out <dollars>", "a million completion tokens", numberFrom(0))
  .option("--budget <dollars>", "stop before this is spent; needs the prices", numberFrom(0))
  .option("--token-budget <n>", "stop before this many tokens are used", wholeNumber(1))
  .option("--estimate", "say what a server would cost, and ask nothing")
  .addHelpText(
    "after",
    `
Example:
  npx srpo data attempt --in problems.jsonl --out attempts.jsonl --model Qwen/Qwen2.5-VL-7B-Instruct --base-url http://127.0.0.1:8000/v1 --samples 4`,
  )
  .action(async (options: AttemptCommandOptions) => {
    if (options.policy !== undefined && options.model !== undefined) {
      throw new UsageError("name a --policy or a --model, not both");
    }
    if (options.estimate && options.model === undefined) {
      throw new UsageError("--estimate is for a --model; a policy of your own costs nothing");
    }
    const problems = await readProblems(options.in);
    if (options.model === undefined) {
      await withEngine(basePolicy(options.policy), (engine) => attempt(engine, problems, options));
      return;
    }
    const client = clientOf(options, options.model);
    const request = requestOf(options);
    const estimate = await client.estimate(requests(problems, request));
    say(
      `${estimate.calls} calls to make, ${estimate.cached} in the cache; at most about ${estimate.promptTokens} prompt and ` +
        `${estimate.completionTokens} completion tokens` +
        (estimate.dollars === undefined ? "" : `, ${estimate.dollars.toFixed(2)} dollars`),
    );
    if (options.estimate) return writeRow(estimate);
    try {
      await attempt(createOpenAiEngine(client), problems, options, client);
    } finally {
      say(`In all: ${JSON.stringify(client.totals())}`);
    }
  });

function clientOf(options: AttemptCommandOptions, model: string): ChatClient {
  const { baseUrl, concurrency, cache, priceIn, priceOut, budget, tokenBudget } = options;
  return chatClient(model, {
    ...{ baseUrl, concurrency, cache, priceIn, priceOut, budget, tokenBudget },
  });
}

function requestOf(options: AttemptCommandOptions): RolloutRequest {
  const { samples, temperature, maxNewTokens, seed } = options;
  const style = options.style ?? (options.model === undefined ? "direct" : "paper-direct");
  return { style, group: samples, temperature, maxNewTokens, seed };
}

async function* requests(problems: readonly Problem[], request: RolloutRequest) {
  for (const problem of problems) {
    for (let member = 0; member < request.group; member++) {
      yield await chatRequest(problem, request, member);
    }
  }
}

async function attempt(
  engine: RolloutEngine,
  problems: readonly Problem[],
  options: AttemptCommandOptions,
  client?: ChatClient,
): Promise<void> {
  const { attempted, unasked } = await interruptible((signal) =>
    collectAttempts(engine, problems, {
      ...requestOf(options),
      ...{ file: options.out, signal },
      onProgress: (done, total) => say(`${done} of ${total} problems${spent(client)}`),
    }),
  );
  for (const { problem, reason } of unasked) say(`not asked: ${problem}: ${reason}`);
  await writeRow({
    ...{ out: shownPath(options.out), policy: engine.name, problems: attempted.length },
    unasked: unasked.length,
    passRate: attempted.reduce((sum, row) => sum + row.passRate, 0) / Math.max(1, attempted.length),
  });
}

function spent(client: ChatClient | undefined): string {
  const dollars = client?.totals().dollars;
  return dollars === undefined ? "" : `, ${dollars.toFixed(2)} dollars spent`;
}

async function readProblems(path: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  for await (const line of readLines(path)) {
    if (line.trim() === "") continue;
    const problem = parseProblem(line);
    if (problem === null)
      throw new UsageError(`line ${problems.length + 1} of ${path} is no problem`);
    problems.push(problem);
  }
  return problems;
}

function parseProblem(line: string): Problem | null {
  try {
    const problem = JSON.parse(line) as Partial<Problem>;
    const { id, question, images, answer, answerType } = problem;
    const texts = [id, question, answer, answerType].every((field) => typeof field === "string");
    return texts && Array.isArray(images) ? (problem as Problem) : null;
  } catch {
    return null;
  }
}
