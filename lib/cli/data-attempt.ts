/** `srpo data attempt`: a policy's judged answers to problems, with the pass rate of each. */
import { Command, Option } from "commander";
import { interruptible } from "../engine/interrupt";
import type { List } from "../engine/lists";
import { shownPath } from "../paths";
import type { PromptStyle } from "../reflection/prompts";
import { answerProblems } from "../rollout/attempts";
import type { RolloutEngine, RolloutRequest } from "../rollout/engine";
import type { ChatClient } from "../rollout/openai/client";
import { createOpenAiEngine, rolloutRequests } from "../rollout/openai/engine";
import { basePolicy, withEngine } from "../stages/context";
import type { Problem } from "../types";
import { clientOf, serverOptions, spent, tellEstimate, type ServerOptions } from "./data-server";
import { problemsIn } from "./data-rows";
import { say, Unsuccessful, UsageError, withInput, writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";

/** Problems that are named when they could not be asked. */
const LISTED = 10;

interface AttemptCommandOptions extends ServerOptions {
  in: string;
  out: string;
  policy?: string;
  model?: string;
  style?: PromptStyle;
  samples: number;
  temperature: number;
  maxNewTokens: number;
  seed: string;
}

export const attemptCommand = serverOptions(new Command("attempt"))
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
    await withInput(options.in, async (file) => {
      const problems = problemsIn(file);
      if (options.model === undefined) {
        return withEngine(basePolicy(options.policy), (engine) =>
          attempt(engine, problems, options),
        );
      }
      const client = clientOf(options, options.model);
      const request = requestOf(options);
      const estimate = tellEstimate(await client.estimate(rolloutRequests(problems, request)));
      if (options.estimate) return writeRow(estimate);
      try {
        await attempt(createOpenAiEngine(client), problems, options, client);
      } finally {
        say(`In all: ${JSON.stringify(client.totals())}`);
      }
    });
  });

function requestOf(options: AttemptCommandOptions): RolloutRequest {
  const { samples, temperature, maxNewTokens, seed } = options;
  const style = options.style ?? (options.model === undefined ? "direct" : "paper-direct");
  return { style, group: samples, temperature, maxNewTokens, seed };
}

async function attempt(
  engine: RolloutEngine,
  problems: List<Problem>,
  options: AttemptCommandOptions,
  client?: ChatClient,
): Promise<void> {
  const { answered, passRate, unasked } = await interruptible((signal) =>
    answerProblems(engine, problems, {
      ...requestOf(options),
      ...{ file: options.out, signal },
      // A batch ends with its slowest request: a larger one keeps the server busy meanwhile.
      ...(client === undefined ? {} : { batch: Math.max(64, 8 * client.concurrency) }),
      onProgress: (done, total) => say(`${done} of ${total} problems${spent(client)}`),
    }),
  );
  for (const { problem, reason } of unasked.slice(0, LISTED)) {
    say(`not asked: ${problem}: ${reason}`);
  }
  if (unasked.length > LISTED) say(`and ${unasked.length - LISTED} more were not asked`);
  await writeRow({
    ...{ out: shownPath(options.out), policy: engine.name, problems: answered },
    ...{ unasked: unasked.length, passRate },
  });
  if (answered === 0) throw new Unsuccessful("No problem could be asked; see above.");
}
