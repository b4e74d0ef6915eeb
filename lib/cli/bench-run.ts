/** `srpo bench run`: a policy, a server's model or saved responses on a benchmark. */
import { Command, InvalidArgumentError, Option } from "commander";
import { ASK_KINDS, type AskKind } from "../bench/ask";
import { RULE_FAMILIES, type RuleFamily } from "../bench/benchmark";
import { benchmarkByName } from "../bench/benchmarks";
import type { BenchResults } from "../bench/results";
import { writeFileAtomic } from "../engine/files";
import { benchPage, caveats } from "../lab/bench-view";
import { stageViews, watch } from "../lab/watch";
import { basePolicyFolder, shownPath } from "../paths";
import type { ChatClient, ClientOptions } from "../rollout/openai/client";
import { runBenchmark, type Contestant } from "../stages/benchmark";
import { exportedModel } from "../stages/exported";
import { findPolicy, policyNames } from "../stages/pipeline";
import { benchmarkArgument, fetchSet } from "./bench-get";
import { announceEngine } from "./engine";
import { say, UsageError, writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";
import { chatClient, type ServerOptions } from "./server";
import { openPipeline, specOf } from "./stage";

interface Options {
  from: string[];
  images?: string;
  set?: string;
  policy?: string;
  onnx?: string;
  dtype: string;
  model?: string;
  baseUrl?: string;
  responses?: string;
  ask?: AskKind;
  samples: number;
  temperature?: number;
  topP?: number;
  maxNewTokens?: number;
  limit?: number;
  seed: string;
  rules: RuleFamily;
  answer: "first" | "second";
  judge?: string;
  judgeBaseUrl?: string;
  judgeKeyVariable?: string;
  trainedOn: string[];
  extraBody?: Record<string, unknown>;
  sendSeed: boolean;
  maxTokensField?: ClientOptions["maxTokensField"];
  concurrency: number;
  retries: number;
  timeout: number;
  cache: string;
  priceIn?: number;
  priceOut?: number;
  judgePriceIn?: number;
  judgePriceOut?: number;
  budget?: number;
}

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new InvalidArgumentError("It must be a JSON object.");
}

export const runCommand = new Command("run")
  .description("Asks a model a benchmark's questions, scores its answers and writes the results.")
  .addArgument(benchmarkArgument())
  .option(
    "--from <path>",
    "the benchmark's file or folder; repeatable (default: --set of the hub)",
    collect,
    [],
  )
  .option("--images <dir>", "where the records' picture paths begin (default: the file's folder)")
  .option("--set <name>", "part of the benchmark on the hub; srpo bench get --help lists them")
  .option("--policy <policy>", `${policyNames.join(", ")}, or a checkpoint folder`)
  .option(
    "--onnx <dir>",
    "ONNX models: a folder of srpo onnx export, or a published export in transformers.js's layout",
  )
  .option("--dtype <type>", "which files of a published export: fp32, q8, q4, …", "fp32")
  .option("--model <name>", "a model of an OpenAI-compatible server")
  .option(
    "--base-url <address>",
    "the server's, with /v1 (default: OPENAI_BASE_URL); its key is in OPENAI_API_KEY",
  )
  .option(
    "--responses <file>",
    "saved responses: the benchmark's identifier, and response or extraction",
  )
  .addOption(
    new Option(
      "--ask <how>",
      "the prompt (default: cot for a server, a policy's own else)",
    ).choices(ASK_KINDS),
  )
  .option("--samples <n>", "a problem; more than one need a temperature", wholeNumber(1), 1)
  .option(
    "--temperature <t>",
    "0 takes the most likely token (default: 0, or 1 for several samples)",
    numberFrom(0),
  )
  .option("--top-p <p>", "servers only", numberFrom(0))
  .option(
    "--max-new-tokens <n>",
    "of one answer (default: 2048 for a server, 144 for a policy)",
    wholeNumber(1),
  )
  .option("--limit <n>", "problems at most: a stratified sample", wholeNumber(1))
  .option("--seed <seed>", "of the samples and of the limit", "1")
  .addOption(
    new Option("--rules <family>", "whose rules").choices(RULE_FAMILIES).default("official"),
  )
  .addOption(
    new Option("--answer <which>", "of a two-solution response")
      .choices(["second", "first"])
      .default("second"),
  )
  .option(
    "--judge <model>",
    "a judge where the published procedure asks one (default: rules alone, labelled so)",
  )
  .option("--judge-base-url <address>", "the judge's server (default: OPENAI_BASE_URL)")
  .option(
    "--judge-key-variable <name>",
    "environment variable with the judge's key",
    "OPENAI_API_KEY",
  )
  .option(
    "--trained-on <file>",
    "training data to look for the problems in; repeatable",
    collect,
    [],
  )
  .option("--extra-body <json>", 'more fields of each request, e.g. {"top_k":20}', jsonObject)
  .option("--no-send-seed", "for servers that refuse a seed")
  .addOption(
    new Option("--max-tokens-field <name>", "what the servers call the token limit").choices([
      ...["max_tokens", "max_completion_tokens"],
    ]),
  )
  .option("--concurrency <n>", "requests under way at a time", wholeNumber(1), 16)
  .option("--retries <n>", "attempts a request before it is given up", wholeNumber(1), 6)
  .option("--timeout <seconds>", "for one attempt", numberFrom(1), 300)
  .option("--cache <dir>", "where servers' replies are kept", ".cache/replies")
  .option("--price-in <dollars>", "a million prompt tokens", numberFrom(0))
  .option("--price-out <dollars>", "a million completion tokens", numberFrom(0))
  .option("--judge-price-in <dollars>", "the judge's", numberFrom(0))
  .option("--judge-price-out <dollars>", "the judge's", numberFrom(0))
  .option(
    "--budget <dollars>",
    "stop before model or judge spends this; needs prices",
    numberFrom(0),
  )
  .addHelpText(
    "after",
    `
cot and direct are the benchmark's own prompts; srpo asks the same for two solutions, srpo-direct for one in the same tags; lab and
lab-reflect are the embedded policies' own. A run that was stopped goes on at its next sample when it is called again.
One line on stdout; beside it results as JSON, CSV and HTML in the run's folder.

Examples:
  npx srpo bench run mathvista --from testmini.json --images . --model NAME --base-url http://127.0.0.1:8000/v1 --judge JUDGE
  npx srpo bench run mathvision --from test.jsonl --policy srpo --samples 8
  npx srpo bench run mmmu-pro --from vision.parquet --responses answers.jsonl --rules vlmevalkit`,
  )
  .action(async (name: string, options: Options) => {
    const benchmark = benchmarkByName(name);
    const contestant = await contestantOf(options);
    const from = await sourceOf(name, contestant, options);
    const several = options.samples > 1;
    const watcher = watch(`${benchmark.title}, ${nameOf(contestant)}`, stageViews.benchmark);
    const judge = judgeOf(options);
    const { images, ask, samples, topP, maxNewTokens, limit, seed, rules, answer, trainedOn } =
      options;
    const { folder, file, results } = await runBenchmark(contestant, {
      ...{ benchmark, from, images, ask, samples, topP, maxNewTokens, limit, seed, rules, answer },
      ...{ trainedOn, judge, temperature: options.temperature ?? (several ? 1 : 0) },
      watch: {
        ...watcher,
        begin: (total, earlier) => {
          if (contestant.kind === "policy") announceEngine();
          watcher.begin(total, earlier);
        },
      },
    });
    writeFileAtomic(file.replace(/json$/, "html"), benchPage(results));
    tell(results);
    await writeRow(rowOf(results, shownPath(folder), shownPath(file)));
  });

/** @throws UsageError unless exactly one is named */
async function contestantOf(options: Options): Promise<Contestant> {
  const { policy, onnx, model, responses } = options;
  if ([policy, onnx, model, responses].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError("name one of --policy, --onnx, --model and --responses");
  }
  if (onnx !== undefined) return exportedModel(onnx, { dtype: options.dtype });
  if (responses !== undefined) return { kind: "responses", file: responses };
  if (policy !== undefined) {
    const pipeline = openPipeline(specOf({ set: {} }), basePolicyFolder);
    return { kind: "policy", policy: await findPolicy(pipeline, policy) };
  }
  return {
    ...{ kind: "server", client: chatClient(model as string, serverOf(options)) },
    ...{ sendSeed: options.sendSeed, extra: options.extraBody },
  };
}

function judgeOf(options: Options): ChatClient | undefined {
  const { judge, judgeBaseUrl, judgeKeyVariable, judgePriceIn, judgePriceOut, cache } = options;
  if (judge === undefined) return undefined;
  return chatClient(judge, {
    ...{ ...serverOf(options), baseUrl: judgeBaseUrl, keyVariable: judgeKeyVariable },
    ...{ priceIn: judgePriceIn, priceOut: judgePriceOut, cache: `${cache}-judge` },
  });
}

function serverOf(options: Options): ServerOptions {
  const { baseUrl, concurrency, retries, timeout, cache, priceIn, priceOut, budget } = options;
  return {
    ...{ baseUrl, concurrency, cache, priceIn, priceOut, budget },
    ...{ attempts: retries, timeoutMs: 1000 * timeout, maxTokensField: options.maxTokensField },
  };
}

/** The files of the benchmark; `undefined` where responses bring the records' fields along. */
async function sourceOf(
  name: string,
  contestant: Contestant,
  { from, set }: Options,
): Promise<string | string[] | undefined> {
  if (from.length > 0 && set !== undefined) throw new UsageError("--from or --set, not both");
  if (from.length > 0) return from.length === 1 ? from[0] : from;
  if (contestant.kind === "responses" && set === undefined) return undefined;
  return (await fetchSet(benchmarkByName(name), { set })).files;
}

function nameOf(contestant: Contestant): string {
  if (contestant.kind === "policy") return contestant.policy.name;
  if (contestant.kind === "export") return contestant.name;
  return contestant.kind === "server" ? contestant.client.model : "saved responses";
}

/** The outcome in words. */
function tell(results: BenchResults): void {
  const { title, accuracy, answers, atK, spec, usage, unanswered } = results;
  const percent = (value: number | null): string =>
    value === null ? "–" : `${(100 * value).toFixed(1)} %`;
  say(
    `${title}, rules ${spec.rules}: ${percent(accuracy.value)} of ${accuracy.n} ` +
      `(95 % ${percent(accuracy.low)} to ${percent(accuracy.high)}, bootstrap ${percent(accuracy.bootstrap.low)} to ${percent(accuracy.bootstrap.high)})`,
  );
  say(
    `first answer ${percent(answers.first.value)}, final ${percent(answers.final.value)}, fixed ${percent(answers.fixRate.value)}, ` +
      `spoiled ${percent(answers.harmRate.value)}`,
  );
  if (spec.samples > 1) {
    for (const { k, pass, maj, mean } of atK) {
      say(`  k = ${k}: pass ${percent(pass)}, maj ${percent(maj)}, mean ${percent(mean)}`);
    }
  }
  for (const note of [...caveats(results), ...results.origins]) say(`  ${note}`);
  if (usage.dollars !== undefined) say(`  ${usage.dollars.toFixed(2)} dollars`);
  for (const { problem, reason } of unanswered.slice(0, 3))
    say(`  not answered: ${problem}: ${reason}`);
}

/** The line on stdout. */
function rowOf(results: BenchResults, run: string, file: string): Record<string, unknown> {
  const { spec, accuracy, answers, atK, counts, usage, judgeUsage, unanswered } = results;
  return {
    ...{
      benchmark: spec.benchmark,
      model: spec.model.name,
      rules: spec.rules,
      answer: spec.answer,
    },
    ...{ n: accuracy.n, accuracy: accuracy.value, low: accuracy.low, high: accuracy.high },
    ...{ bootstrap: accuracy.bootstrap, answers, atK, counts, usage, judgeUsage },
    ...{ unanswered: unanswered.length, run, results: file },
  };
}
