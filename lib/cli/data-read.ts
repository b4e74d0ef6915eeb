/** `srpo data read`: problems from the user's own copies of data sets, as JSON lines. */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Command, InvalidArgumentError, Option } from "commander";
import { sources } from "../../datasets/sources/index";
import {
  readSources,
  type ReadOptions,
  type SourceInput,
  type SourceReport,
} from "../../datasets/sources/read";
import { appendJsonl, writeFileAtomic } from "../engine/files";
import { interruptible } from "../engine/interrupt";
import { say, Unsuccessful, UsageError, writeRow } from "./io";
import { wholeNumber } from "./numbers";

export interface SourceOptions {
  source: string[];
  path: string[];
  images: string[];
  limit?: number;
  seed: string;
  balance: "proportional" | "even";
  benchmark: string[];
}

interface ReadCommandOptions extends SourceOptions {
  report?: string;
  drops?: string;
}

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

/** A command with the options of sources. */
export function sourceOptions(command: Command): Command {
  return command
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
    );
}

/** What each source's path is, for a command's help. */
export const sourcePaths = `Paths, by source:
${sources.map((s) => `  ${s.name.padEnd(11)} ${s.path}`).join("\n")}`;

export const readCommand = sourceOptions(new Command("read"))
  .description("Reads problems from your own copies of data sets: one JSON line each, on stdout.")
  .option("--report <file>", "write the counts as JSON")
  .option("--drops <file>", "write a JSON line for every record that is not used")
  .addHelpText(
    "after",
    `
${sourcePaths}

Example:
  npx srpo data read --source llava-cot --path train.jsonl --images images --limit 1000 > problems.jsonl`,
  )
  .action(async (options: ReadCommandOptions) => {
    keepHeapSmall();
    const { drops } = options;
    if (drops !== undefined) rmSync(drops, { force: true });
    const sample = await interruptible((signal) =>
      readSources({
        ...readOptions(options),
        signal,
        ...(drops === undefined ? {} : { onDrop: (drop) => appendJsonl(drops, drop) }),
      }),
    );
    if (options.report !== undefined) {
      writeFileAtomic(options.report, JSON.stringify(sample.report, null, 2) + "\n");
    }
    for await (const problem of sample.problems()) await writeRow(problem);
    tellSources(sample.report);
    const { sources: read } = sample.report;
    if (read.some(({ kept }) => kept > 0)) return;
    const missing = read.some(({ dropped }) => (dropped.missing ?? 0) > 0);
    throw new Unsuccessful(
      "No record could be taken." +
        (missing ? " Is --images the folder that the records' paths start from?" : ""),
    );
  });

/**
 * Lets V8 collect once the heap has grown by a quarter. By default it waits until it has doubled and more, and every record leaves
 * garbage: for a third of a million of them that is 300 MB in the place of 170, in the same time. A judge's requests leave more: 3,000
 * attempts of 75 KB take 250 MB in the place of 153.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--heap-growing-percent=25");
}

function sourceName(value: string): string {
  if (sources.some(({ name }) => name === value)) return value;
  throw new InvalidArgumentError(`Allowed are ${sources.map(({ name }) => name).join(", ")}.`);
}

/** What the options say of the reading. @throws UsageError when sources, paths and roots do not match */
export function readOptions(options: SourceOptions): ReadOptions {
  return {
    inputs: inputsOf(options),
    ...{ limit: options.limit, seed: options.seed, balance: options.balance },
    benchmarks: options.benchmark,
    onProgress: (what, done) => {
      if (done % 10_000 === 0) say(`${done} ${what}`);
    },
  };
}

/** The n-th source with the n-th path and the n-th root. @throws UsageError when they do not match */
function inputsOf({ source, path, images }: SourceOptions): SourceInput[] {
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

/** Says on stderr what became of the records. */
export function tellSources({ sources: read, strata, drops, benchmarks }: SourceReport): void {
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
