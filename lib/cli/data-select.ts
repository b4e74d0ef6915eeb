/** `srpo data select`: which attempts become samples. */
import { Command } from "commander";
import { writeJsonl } from "../engine/files";
import { mapRows } from "../engine/lists";
import { shownPath } from "../paths";
import { selectCandidates } from "../reflection/selection";
import { attemptsIn, tellDrops } from "./data-rows";
import { withInput, writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";

export interface SelectOptions {
  size: number;
  rightShare: number;
  least?: number;
  seed: string;
}

/** A command with the options of a selection. */
export function selectionOptions(command: Command): Command {
  return command
    .option("--size <n>", "attempts to keep at most", wholeNumber(1))
    .option("--right-share <s>", "share of right ones among them", numberFrom(0), 0.3)
    .option("--least <score>", "leave out what the judge scored lower", wholeNumber(1))
    .option("--seed <seed>", "which ones are kept", "1");
}

export const selectCommand = selectionOptions(new Command("select"))
  .description("Keeps attempts: 30 % right, 70 % wrong, spread over sources and subjects.")
  .requiredOption("--in <file>", "attempts, judged or not, or - for stdin")
  .requiredOption("--out <file>", "the attempts that are kept, as JSON lines")
  .addHelpText(
    "after",
    "\nExample:\n  npx srpo data select --in judged.jsonl --out selected.jsonl --size 10000 --least 3",
  )
  .action(async (options: SelectOptions & { in: string; out: string }) => {
    await withInput(options.in, async (file) => {
      const { candidates, attemptAt, policy } = attemptsIn(file);
      const { size = candidates.length, rightShare, least, seed } = options;
      const rule = { size, rightShare, minQuality: least, seed };
      const { selected, dropped } = selectCandidates(candidates, rule);
      writeJsonl(
        options.out,
        mapRows(selected, ({ at }) => ({ policy, ...attemptAt(at) })),
      );
      tellDrops("Not selected", dropped);
      const right = selected.filter((candidate) => candidate.right).length;
      const wrong = selected.length - right;
      await writeRow({ out: shownPath(options.out), right, wrong, dropped });
    });
  });
