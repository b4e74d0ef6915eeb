/** `srpo data judge`: a model's scores of the attempts' reasoning. */
import { Command } from "commander";
import { writeJsonl } from "../engine/files";
import { interruptedAt, interruptible } from "../engine/interrupt";
import { shownPath } from "../paths";
import { judgeAttempts, openAttempts } from "../rollout/judging";
import { createServerJudge } from "../rollout/openai/teacher";
import { readAttempted } from "./data-rows";
import { clientOf, serverOptions, spent, tellEstimate, type ServerOptions } from "./data-server";
import { replyOptions, type ReplyOptions } from "./data-reply";
import { say, writeRow } from "./io";

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
    const rows = await readAttempted(options.in);
    const client = clientOf(options, options.model);
    const { format, extra } = options;
    await interruptible(async (signal) => {
      const judge = createServerJudge(client, { format, extra, signal });
      const open = openAttempts(rows).map(({ row, member }) => ({
        problem: row.problem,
        ...row.attempts[member],
      }));
      const estimate = tellEstimate(await judge.estimate(open));
      if (options.estimate) return writeRow(estimate);
      const onProgress = (done: number, total: number): void => {
        if (done % 50 === 0 || done === total) say(`${done} of ${total}${spent(client)}`);
      };
      const { concurrency } = client;
      const result = await interruptedAt("the judge", signal, () =>
        judgeAttempts(judge, rows, { concurrency, signal, onProgress }),
      );
      writeJsonl(options.out, result.rows);
      const { judged, unjudged } = result;
      await writeRow({ out: shownPath(options.out), judged, unjudged, ...client.totals() });
    });
  });
