/** `srpo bench compare`: two results on the same problems. */
import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { compareResults } from "../bench/compare-results";
import type { BenchResults } from "../bench/results";
import { comparisonLines } from "../lab/bench-view";
import { say, UsageError, writeRow } from "./io";
import { numberFrom } from "./numbers";

export const compareCommand = new Command("compare")
  .description("Compares two models problem by problem: the difference, its interval and a test.")
  .argument("<a>", "results of srpo bench run")
  .argument("<b>", "results of another model on the same benchmark")
  .option(
    "--points <n>",
    "say how many problems it takes to see a difference of so many points",
    numberFrom(0),
  )
  .addHelpText(
    "after",
    "\nExample:\n  npx srpo bench compare base/results.json srpo/results.json --points 3",
  )
  .action(async (a: string, b: string, { points }: { points?: number }) => {
    const compared = compareResults(readResults(a), readResults(b), {
      ...(points === undefined ? {} : { points: [points] }),
    });
    for (const line of comparisonLines(compared)) say(line);
    await writeRow(compared);
  });

function readResults(file: string): BenchResults {
  if (!existsSync(file)) throw new UsageError(`no file at ${file}`);
  let results: unknown;
  try {
    results = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    results = null;
  }
  if ((results as { kind?: unknown } | null)?.kind === "srpo-bench") return results as BenchResults;
  throw new UsageError(`${file} holds no results of srpo bench run`);
}
