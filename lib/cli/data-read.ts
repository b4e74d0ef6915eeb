/** `srpo data read`: problems from the user's own copies of data sets, as JSON lines. */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { sources } from "../../datasets/sources/index";
import { readSources, type SourceInput, type SourceReport } from "../../datasets/sources/read";
import { appendJsonl, writeFileAtomic } from "../engine/files";
import { interruptible } from "../engine/interrupt";
import { say, UsageError, writeRow } from "./io";
import { wholeNumber } from "./numbers";

interface ReadCommandOptions {
  source: string[];
  path: string[];
  images: string[];
  limit?: number;
  seed: string;
  balance: "proportional" | "even";
  benchmark: string[];
  report?: string;
  drops?: string;
}

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

export const readCommand = new Command("read")
  .description("Reads problems from your own copies of data sets: one JSON line each, on stdout.")
  .addOption(
    new Option(
      "--source <name>",
      `what is read, one of ${sources.map((s) => s.name).join(", ")}; repeatable`,
    )
      .argParser((value: string, earlier: string[]) => collect(sourceName(value), earlier))
      .default([], "none"),
  )
  .option("--path <file>", "the source's file or folder, once a source", collect, [])
  .option(
    "--images <dir>",
    "the pictures' root, once a source (default: the file's folder)",
    collect,
    [],
  )
  .option("--limit <n>", "problems to take at most", wholeNumber(1))
  .option("--seed <seed>", "which ones a limit takes", "1")
  .addOption(
    new Option("--balance <how>", "how a limit is spread over sources, subsets and subjects")
      .choices(["proportional", "even"])
      .default("proportional"),
  )
  .option(
    "--benchmark <file>",
    "leave out what stands in this benchmark's file; repeatable",
    collect,
    [],
  )
  .option("--report <file>", "write the counts as JSON")
  .option("--drops <file>", "write a JSON line for every record that is not used")
  .addHelpText(
    "after",
    `
Paths, by source:
${sources.map((s) => `  ${s.name.padEnd(11)} ${s.path}`).join("\n")}

Example:
  npx srpo data read --source llava-cot --path train.jsonl --images images --limit 1000 > problems.jsonl`,
  )
  .action(async (options: ReadCommandOptions) => {
    const { drops } = options;
    if (drops !== undefined) rmSync(drops, { force: true });
    const sample = await interruptible((signal) =>
      readSources({
        inputs: inputsOf(options),
        ...{ limit: options.limit, seed: options.seed, balance: options.balance, signal },
        benchmarks: options.benchmark,
        ...(drops === undefined ? {} : { onDrop: (drop) => appendJsonl(drops, drop) }),
        onProgress: (what, done) => {
          if (done % 10_000 === 0) say(`${done} ${what}`);
        },
      }),
    );
    if (options.report !== undefined) {
      writeFileAtomic(options.report, JSON.stringify(sample.report, null, 2) + "\n");
    }
    for await (const problem of sample.problems()) await writeRow(problem);
    tell(sample.report);
  });

function sourceName(value: string): string {
  if (sources.some(({ name }) => name === value)) return value;
  throw new InvalidArgumentError(`Allowed are ${sources.map(({ name }) => name).join(", ")}.`);
}

/** The n-th source with the n-th path and the n-th root. @throws UsageError when they do not match */
function inputsOf({ source, path, images }: ReadCommandOptions): SourceInput[] {
  if (source.length === 0 || path.length !== source.length) {
    throw new UsageError("every --source needs its --path; at least one is wanted");
  }
  if (images.length > 0 && images.length !== source.length) {
    throw new UsageError("give --images once a source, or not at all");
  }
  return source.map((name, i) => ({
    ...{ source: name, path: path[i] },
    images: images[i] ?? dirname(path[i]),
  }));
}

function tell({ sources: read, strata, drops, benchmarks }: SourceReport): void {
  for (const { name, items, pictures } of benchmarks) {
    say(`compared with ${items} items of ${name}, ${pictures} of them with their picture`);
  }
  for (const { title, records, kept, dropped } of read) {
    const counts = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
    say(`${title}: ${kept} of ${records} records taken; ${counts.join(", ") || "none unusable"}`);
  }
  for (const { source, family, subject, available, kept } of strata) {
    say(`  ${source} · ${family} · ${subject}: ${kept} of ${available}`);
  }
  for (const { source, record, reason, detail } of drops.slice(0, 5)) {
    say(`  e.g. ${source} record ${record}, ${reason}: ${detail}`);
  }
}
