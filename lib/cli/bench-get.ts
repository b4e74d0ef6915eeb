/** `srpo bench get`: a benchmark's files from the hub, resumed and verified. */
import { Argument, Command } from "commander";
import { downloadFiles, type Downloaded } from "../../datasets/hub/download";
import type { Benchmark } from "../bench/benchmark";
import { benchmarkByName, benchmarks } from "../bench/benchmarks";
import { interruptible } from "../engine/interrupt";
import { watch } from "../lab/watch";
import { shownPath } from "../paths";
import { say, UsageError, writeRow } from "./io";

export const benchmarkArgument = (): Argument =>
  new Argument("<benchmark>", "which one").choices(benchmarks.map(({ name }) => name));

export const setsText = (): string =>
  benchmarks
    .flatMap(({ name, sets }) =>
      Object.entries(sets).map(
        ([set, { repository, size }]) =>
          `  ${name.padEnd(14)} ${set.padEnd(22)} ${size} of ${repository}`,
      ),
    )
    .join("\n");

export const getCommand = new Command("get")
  .description("Fetches a benchmark's files from the hub, unless they are there.")
  .addArgument(benchmarkArgument())
  .option("--set <name>", "which part of it (default: the first below)")
  .option("--to <dir>", "where to (default: .cache/hub)")
  .option("--revision <name>", "a branch, tag or commit", "main")
  .addHelpText(
    "after",
    `
A download that broke off goes on where it stopped; a file is there only once its size and hash are the hub's. Data sets that want a
login take a token from HF_TOKEN; HF_ENDPOINT names a mirror. One line on stdout: {commit, files}.

Sets:
${setsText()}`,
  )
  .action(async (name: string, options: { set?: string; to?: string; revision: string }) => {
    await writeRow(await fetchSet(benchmarkByName(name), options));
  });

/** @throws UsageError when the benchmark has no such set */
export async function fetchSet(
  { name, sets }: Benchmark,
  { set = Object.keys(sets)[0], to, revision }: { set?: string; to?: string; revision?: string },
): Promise<Downloaded> {
  if (!Object.hasOwn(sets, set)) {
    throw new UsageError(`${name} has no set ${set}; it has ${Object.keys(sets).join(", ")}`);
  }
  const { repository, files } = sets[set];
  const watcher = watch(`fetch ${repository}`, { unit: "MB" });
  let begun = false;
  const { commit, files: places } = await interruptible((signal) =>
    downloadFiles(repository, files, {
      ...{ revision, folder: to, signal },
      onProgress: (done, total) => {
        if (!begun) watcher.begin(Math.ceil(total / 1e6), []);
        begun = true;
        watcher.step(Math.ceil(done / 1e6), {});
      },
    }),
  );
  await watcher.end();
  say(`${repository} at ${commit.slice(0, 12)}: ${places.length} files`);
  return { commit, files: places.map(shownPath) };
}
