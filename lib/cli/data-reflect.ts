/** `srpo data reflect`: a teacher's reflections on attempts, filtered. */
import { Command } from "commander";
import { writeFileAtomic, writingJsonl } from "../engine/files";
import { interruptedAt, interruptible } from "../engine/interrupt";
import { lazyList } from "../engine/lists";
import { shownPath } from "../paths";
import { constructInto, modelTeaching, teachInto } from "../reflection/construction";
import { selectCandidates } from "../reflection/selection";
import { createRuleTeacher } from "../reflection/teacher";
import { createServerTeacher } from "../rollout/openai/teacher";
import type { ReflectionSample } from "../types";
import { keepHeapSmall } from "./data-read";
import { attemptsIn, tellDrops } from "./data-rows";
import { selectionOptions, type SelectOptions } from "./data-select";
import { clientOf, serverOptions, spent, tellEstimate, type ServerOptions } from "./data-server";
import { replyOptions, type ReplyOptions } from "./data-reply";
import { say, Unsuccessful, UsageError, withInput, writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";

interface ReflectOptions extends ServerOptions, ReplyOptions, Omit<SelectOptions, "size"> {
  in: string;
  out: string;
  size?: number;
  model?: string;
  temperature: number;
  maxNewTokens: number;
  tries: number;
  report?: string;
}

export const reflectCommand = replyOptions(selectionOptions(serverOptions(new Command("reflect"))))
  .description(
    "Lets a teacher write reflections and second solutions; keeps what the filters take.",
  )
  .requiredOption("--in <file>", "attempts of srpo data attempt, judge or select, or -")
  .requiredOption("--out <file>", "samples as JSON lines")
  .option("--model <name>", "the teacher, on an OpenAI-compatible server (default: the rules)")
  .option("--temperature <t>", "the teacher's", numberFrom(0), 0.7)
  .option("--max-new-tokens <n>", "of one reply", wholeNumber(1), 1500)
  .option(
    "--tries <n>",
    "replies a lesson, each told why the last was not taken",
    wholeNumber(1),
    3,
  )
  .option("--report <file>", "write what was dropped and sent back as JSON")
  .addHelpText(
    "after",
    `
With --size the attempts are selected first, and the next one takes the place of a lesson that fails.

Example:
  npx srpo data reflect --in judged.jsonl --out samples.jsonl --size 10000 --model gpt-5-mini --budget 40 --price-in 0.25 --price-out 2`,
  )
  .action(async (options: ReflectOptions) => {
    keepHeapSmall();
    const seed = Number(options.seed);
    if (!Number.isSafeInteger(seed)) throw new UsageError("--seed must be a whole number");
    if (options.estimate && options.model === undefined) {
      throw new UsageError("--estimate is for a --model; the rules cost nothing");
    }
    await withInput(options.in, (file) =>
      interruptible((signal) => reflect(file, seed, options, signal)),
    );
  });

async function reflect(
  file: string,
  seed: number,
  options: ReflectOptions,
  signal: AbortSignal,
): Promise<void> {
  const source = attemptsIn(file);
  const { candidates, attemptAt, policy = "unknown" } = source;
  const { model, size, rightShare, least: minQuality } = options;
  const client = model === undefined ? undefined : clientOf(options, model);
  const server =
    client &&
    createServerTeacher(client, {
      ...{ temperature: options.temperature, maxTokens: options.maxNewTokens },
      ...{ format: options.format, extra: options.extra, signal },
    });
  const selection = size === undefined ? undefined : { size, rightShare, minQuality, seed };
  const first = selection ? selectCandidates(candidates, selection).selected : candidates;
  const attempts = lazyList(first.length, (i) => attemptAt(first[i].at));
  if (server !== undefined) {
    const estimate = tellEstimate(await server.estimate(attempts));
    if (options.estimate) return writeRow(estimate);
  }
  const construction = {
    ...{ policy, seed, signal, concurrency: options.concurrency },
    teacher: server ?? createRuleTeacher(),
    ...(server === undefined ? {} : { ...modelTeaching, tries: options.tries }),
    onProgress: (done: number, total: number) => {
      if (done % 50 === 0 || done === total) say(`${done} of ${total}${spent(client)}`);
    },
  };
  const kept = { samples: 0, right: 0 };
  const { dropped, rejected, stopped } = await interruptedAt("the teacher", signal, () =>
    writingJsonl(options.out, (write) => {
      const keep = (sample: ReflectionSample): void => {
        write(sample);
        kept.samples++;
        if (sample.verdict.correct) kept.right++;
      };
      return selection
        ? constructInto(keep, source, { ...construction, ...selection })
        : teachInto(keep, attempts, construction);
    }),
  );
  if (options.report !== undefined) {
    const report = { samples: kept.samples, dropped, rejected };
    writeFileAtomic(options.report, JSON.stringify(report, null, 2) + "\n");
  }
  tellDrops("Dropped", dropped);
  tellDrops("Sent back to the teacher", rejected);
  await writeRow({
    ...{ out: shownPath(options.out), ...kept, wrong: kept.samples - kept.right },
    ...{ dropped, rejected, ...client?.totals() },
  });
  if (stopped !== undefined) throw new Unsuccessful(stopped.message);
}
