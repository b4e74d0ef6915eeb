/** `srpo data build`: from sources to a data set in one command, as a run that resumes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Option } from "commander";
import { readSources } from "../../datasets/sources/read";
import type { Spec } from "../config";
import { jsonlRows, writingJsonl } from "../engine/files";
import { interruptible } from "../engine/interrupt";
import type { List } from "../engine/lists";
import { shownPath } from "../paths";
import { modelTeaching } from "../reflection/construction";
import { createRuleTeacher } from "../reflection/teacher";
import { createOpenAiEngine } from "../rollout/openai/engine";
import { openReplyCache } from "../rollout/openai/reply-cache";
import { createServerJudge, createServerTeacher } from "../rollout/openai/teacher";
import { constructData } from "../stages/construct";
import { estimateConstruction, type ConstructionCost } from "../stages/construction-cost";
import { basePolicy, servedPolicy } from "../stages/context";
import { exportDataset } from "../stages/dataset";
import type { Problem, ReflectionSample } from "../types";
import {
  keepHeapSmall,
  readOptions,
  sourceOptions,
  sourcePaths,
  tellSources,
  type SourceOptions,
} from "./data-read";
import { problemsIn, tellDrops } from "./data-rows";
import { clientOf, serverOptions, spent, tellEstimate, type ServerOptions } from "./data-server";
import { replyOptions, type ReplyOptions } from "./data-reply";
import { say, UsageError, writeRow } from "./io";
import { specCommand, specOf, stageRow, watchStage, type SpecOptions } from "./stage";
import { wholeNumber } from "./numbers";

interface BuildOptions extends SourceOptions, ServerOptions, ReplyOptions, SpecOptions {
  out: string;
  policy?: string;
  model?: string;
  modelUrl?: string;
  samples: number;
  teacher?: string;
  judge?: string;
  judgeUrl?: string;
  least: number;
  free: Role[];
}

type Role = "policy" | "judge" | "teacher";

export const buildCommand = replyOptions(serverOptions(sourceOptions(specCommand("build"))))
  .description(
    "Reads sources, lets a policy answer, a judge score, a teacher reflect; exports it all.",
  )
  .requiredOption("--out <dir>", "folder of the data set")
  .option("--policy <dir>", "checkpoint folder of the policy (default: the embedded one)")
  .option("--model <name>", "the policy is this model of an OpenAI-compatible server instead")
  .option("--model-url <address>", "its server's (default: --base-url)")
  .option("--samples <n>", "answers a problem", wholeNumber(1), 1)
  .option("--teacher <name>", "the teacher on the server at --base-url (default: the rules)")
  .option("--judge <name>", "a model that scores the reasoning first")
  .option("--judge-url <address>", "its server's (default: --base-url)")
  .option("--least <score>", "leave out what the judge scored lower", wholeNumber(1), 3)
  .addOption(
    new Option("--free <role...>", "whose calls cost nothing: they run on a server of your own")
      .choices(["policy", "judge", "teacher"])
      .default([], "none"),
  )
  .addHelpText(
    "after",
    `
${sourcePaths}

How many samples, their balance, and how the policy answers are settings: --set construction.target=10000 construction.correctShare
construction.temperature construction.maxNewTokens. The budget holds for the policy's, the judge's and the teacher's calls together, and
the prices for each of them that is not --free.

Example:
  npx srpo data build --source llava-cot --path train.jsonl --limit 100000 --model Qwen/Qwen2.5-VL-7B-Instruct --model-url http://127.0.0.1:8000/v1 --free policy \\
    --teacher gpt-5-mini --base-url https://api.openai.com/v1 --price-in 0.25 --price-out 2 --budget 40 --set construction.target=10000 --out dataset`,
  )
  .action(async (options: BuildOptions) => {
    if (options.policy !== undefined && options.model !== undefined) {
      throw new UsageError("name a --policy or a --model, not both");
    }
    keepHeapSmall();
    const spec = specOf(options);
    const folder = mkdtempSync(join(tmpdir(), "srpo-build-"));
    try {
      await build(spec, await readProblems(options, join(folder, "problems.jsonl")), options);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

/** Reads the sources once and leaves the problems on disk, from where all stages take them. */
async function readProblems(options: BuildOptions, file: string): Promise<List<Problem>> {
  await interruptible(async (signal) => {
    const sample = await readSources({ ...readOptions(options), signal });
    tellSources(sample.report);
    await writingJsonl(file, async (keep) => {
      for await (const problem of sample.problems()) keep(problem);
    });
  });
  return problemsIn(file);
}

async function build(spec: Spec, problems: List<Problem>, options: BuildOptions): Promise<void> {
  const { format, extra, least, samples: attempts } = options;
  const paid = openReplyCache(options.cache);
  const client = (role: Role, model: string | undefined, baseUrl = options.baseUrl) => {
    if (model === undefined) return undefined;
    const { priceIn, priceOut, budget, tokenBudget, ...rest } = options;
    const server = { ...rest, baseUrl };
    return options.free.includes(role)
      ? clientOf({ ...server, cache: join(options.cache, "free") }, model)
      : clientOf({ ...server, priceIn, priceOut, budget, tokenBudget, cache: paid }, model);
  };
  const clients = {
    policy: client("policy", options.model, options.modelUrl),
    judge: client("judge", options.judge, options.judgeUrl),
    teacher: client("teacher", options.teacher),
  };
  const result = await interruptible(async (signal) => {
    const reply = { format, extra, signal };
    const teacher = clients.teacher && createServerTeacher(clients.teacher, reply);
    const judge = clients.judge && createServerJudge(clients.judge, reply);
    const policy =
      clients.policy === undefined
        ? basePolicy(options.policy)
        : servedPolicy(createOpenAiEngine(clients.policy));
    const asked = { attempts, client: clients.policy, judge, teacher };
    const cost = await estimateConstruction(spec, policy, problems, asked);
    tellCost(cost);
    if (options.estimate) return void (await writeRow(cost));
    return constructData(spec, policy, problems, teacher ?? createRuleTeacher(), {
      ...{ watch: watchStage("construct", "Data construction"), force: options.force, signal },
      ...{ attempts, concurrency: options.concurrency },
      ...(teacher === undefined ? {} : modelTeaching),
      judge: judge && { model: judge, least },
      onSelected: async (selected) => {
        if (teacher === undefined) return;
        say("The lessons, now that the attempts are known:");
        tellEstimate(await teacher.estimate(selected));
      },
      onLesson: (done, total) => {
        if (done % 50 === 0 || done === total) {
          say(`${done} of ${total} lessons${spent(clients.teacher)}`);
        }
      },
    });
  });
  if (result === undefined) return;
  const { dropped, rejected } = result;
  tellDrops("Dropped", dropped);
  tellDrops("Sent back to the teacher", rejected);
  const samples = jsonlRows<ReflectionSample>(join(result.run.folder, "samples.jsonl"));
  const numbers = exportDataset({ samples, dropped, rejected, folder: options.out });
  const row = { ...stageRow("construct", result), out: shownPath(options.out), ...numbers };
  await writeRow({ ...row, dropped, rejected });
}

function tellCost({ policy, judge, teacher, dollars }: ConstructionCost): void {
  for (const [who, estimate] of Object.entries({ policy, judge, teacher })) {
    if (estimate === undefined) continue;
    say(`The ${who}:`);
    tellEstimate(estimate);
  }
  if (dollars !== undefined) say(`In all at most about ${dollars.toFixed(2)} dollars.`);
}
