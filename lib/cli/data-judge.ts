/** `srpo data judge`: a model's scores of the attempts' reasoning. */
import { Command } from "commander";
import { writingJsonl } from "../engine/files";
import { interruptedAt, interruptible } from "../engine/interrupt";
import { shownPath } from "../paths";
import { judgeInto, openAttempts } from "../rollout/judging";
import { createServerJudge } from "../rollout/openai/teacher";
import { keepHeapSmall } from "./data-read";
import { attemptedIn } from "./data-rows";
import { clientOf, serverOptions, spent, tellEstimate, type ServerOptions } from "./data-server";
import { replyOptions, type ReplyOptions } from "./data-reply";
import { say, withInput, writeRow } from "./io";

interface JudgeCommandOptions extends ServerOptions, ReplyOptions {
  in: string;
  out: string;
  model: string;
}

export const judgeCommand = replyOptions(serverOptions(new Command("judge")))
  .description("Lets a model score the reasoning of attempts, from 1 to 5.")
  .requiredOption("--in <file>", "attempts as srpo data attempt writes them, or - for stdin")
  .requiredOption("--out <file>", "the same rows with a quality at each attempt")
  .requiredOption("--model <name>", "the judge, on an OpenAI-compatible server")
  .addHelpText(
    "after",
    `
Example:
  npx srpo data judge --in attempts.jsonl --out judged.jsonl --model NAME --base-url http://127.0.0.1:8000/v1`,
  )
  .action(async (options: JudgeCommandOptions) => {
    keepHeapSmall();
    const { format, extra, out } = options;
    await withInput(options.in, (file) =>
      interruptible(async (signal) => {
        const rows = attemptedIn(file);
        const client = clientOf(options, options.model);
        const judge = createServerJudge(client, { format, extra, signal });
        const estimate = tellEstimate(await judge.estimate(openAttempts(rows)));
        if (options.estimate) return writeRow(estimate);
        const total = estimate.calls + estimate.cached;
        const report = await interruptedAt("the judge", signal, () =>
          writingJsonl(out, (keep) =>
            judgeInto(keep, judge, rows, {
              ...{ concurrency: client.concurrency, signal },
              onProgress: (done) => {
                if (done % 50 === 0 || done === total) say(`${done} of ${total}${spent(client)}`);
              },
            }),
          ),
        );
        await writeRow({ out: shownPath(out), ...report, ...client.totals() });
      }),
    );
  });
