/** `srpo data suite`: the embedded problems as files of seven benchmarks, in their own record formats. */
import { Command, Option } from "commander";
import { containers, type SuiteContainer } from "../../datasets/visual-math/suite/containers";
import { writeSuite } from "../../datasets/visual-math/suite/write";
import { writeRow } from "./io";
import { wholeNumber } from "./numbers";

interface Options {
  out: string;
  count: number;
  seed: string;
  container: SuiteContainer;
}

export const suiteCommand = new Command("suite")
  .description("Writes embedded problems as seven benchmarks' own files: nothing to download.")
  .requiredOption("--out <dir>", "where each benchmark gets a folder")
  .option("--count <n>", "problems a benchmark", wholeNumber(1), 48)
  .option("--seed <seed>", "which problems", "1")
  .addOption(
    new Option("--container <form>", "the authors' JSON, the hub's parquet, VLMEvalKit's TSV")
      .choices(Object.keys(containers))
      .default("repository"),
  )
  .addHelpText(
    "after",
    `
One line a benchmark on stdout: {benchmark, records, files}. The problems are drawn ones, not the benchmarks' own.

Example:
  npx srpo data suite --out suite --count 48 --container hub`,
  )
  .action(async ({ out, ...options }: Options) => {
    for (const row of await writeSuite({ folder: out, ...options })) await writeRow(row);
  });
