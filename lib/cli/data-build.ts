/** `srpo data build`: from sources to a data set in one command, as a run that resumes. */
import { join } from "node:path";
import { readSources } from "../../datasets/sources/read";
import { interruptible } from "../engine/interrupt";
import { shownPath } from "../paths";
import { modelTeaching } from "../reflection/construction";
import { createRuleTeacher } from "../reflection/teacher";
import { createOpenAiEngine, rolloutRequests } from "../rollout/openai/engine";
import { createServerJudge, createServerTeacher } from "../rollout/openai/teacher";
import { attemptRequest, constructData } from "../stages/construct";
import { basePolicy, servedPolicy } from "../stages/context";
import { exportDataset } from "../stages/dataset";
import type { Problem } from "../types";
import {
  readOptions,
  sourceOptions,
  sourcePaths,
  tellSources,
  type SourceOptions,
} from "./data-read";
import { tellDrops } from "./data-rows";
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
}

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
  .addHelpText(
    "after",
    `
${sourcePaths}

How many samples, their balance, and how the policy answers are settings: --set construction.target=10000 construction.correctShare
construction.temperature construction.maxNewTokens. Prices and budget hold for the policy's, the judge's and the teacher's calls each.

Example:
  npx srpo data build --source llava-cot --path train.jsonl --limit 100000 --model Qwen/Qwen2.5-VL-7B-Instruct --model-url http://127.0.0.1:8000/v1 \\
    --teacher gpt-5-mini --base-url https://api.openai.com/v1 --price-in 0.25 --price-out 2 --budget 40 --set construction.target=10000 --out dataset`,
  )
  .action(async (options: BuildOptions) => {
    if (options.policy !== undefined && options.model !== undefined) {
      throw new UsageError("name a --policy or a --model, not both");
    }
    if (options.estimate) {
      throw new UsageError("--estimate needs the attempts: srpo data attempt and reflect have it");
    }
    const spec = specOf(options);
    const problems = await interruptible(async (signal) => {
      const sample = await readSources({ ...readOptions(options), signal });
      tellSources(sample.report);
      const read: Problem[] = [];
      for await (const problem of sample.problems()) read.push(problem);
      return read;
    });
    const client = (role: string, model: string | undefined, baseUrl = options.baseUrl) =>
      model === undefined
        ? undefined
        : clientOf({ ...options, baseUrl, cache: join(options.cache, role) }, model);
    const clients = {
      policy: client("policy", options.model, options.modelUrl),
      judge: client("judge", options.judge, options.judgeUrl),
      teacher: client("teacher", options.teacher),
    };
    const { format, extra, least } = options;
    const result = await interruptible(async (signal) => {
      const reply = { format, extra, signal };
      const teacher = clients.teacher && createServerTeacher(clients.teacher, reply);
      const judge = clients.judge && createServerJudge(clients.judge, reply);
      const policy =
        clients.policy === undefined
          ? basePolicy(options.policy)
          : servedPolicy(createOpenAiEngine(clients.policy));
      if (clients.policy !== undefined) {
        const asked = rolloutRequests(problems, attemptRequest(spec, policy, options.samples));
        say("The policy's answers:");
        tellEstimate(await clients.policy.estimate(asked));
      }
      return constructData(spec, policy, problems, teacher ?? createRuleTeacher(), {
        ...{ watch: watchStage("construct", "Data construction"), force: options.force, signal },
        ...{ attempts: options.samples, concurrency: options.concurrency },
        ...(teacher === undefined ? {} : modelTeaching),
        judge: judge && { model: judge, least },
        onSelected: async (attempts) => {
          if (teacher === undefined) return;
          say("The teacher's lessons:");
          tellEstimate(await teacher.estimate(attempts));
        },
        onLesson: (done, total) => {
          if (done % 50 === 0 || done === total) {
            say(`${done} of ${total} lessons${spent(clients.teacher)}`);
          }
        },
      });
    });
    const { samples, dropped, rejected } = result;
    tellDrops("Dropped", dropped);
    tellDrops("Sent back to the teacher", rejected);
    const numbers = exportDataset({ samples, dropped, rejected, folder: options.out });
    const row = { ...stageRow("construct", result), out: shownPath(options.out), ...numbers };
    await writeRow({ ...row, dropped, rejected });
  });
