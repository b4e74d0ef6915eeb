/** `srpo export`: spec and data as a folder that a cluster can launch. */
import { Argument, Option } from "commander";
import { existsSync } from "node:fs";
import { fault } from "../engine/errors";
import { isRow } from "../engine/rows";
import { SYSTEM_PROMPTS, type PromptStyle } from "../reflection/prompts";
import { rewardPresets, type RewardPreset } from "../reflection/reward-config";
import { writeExport } from "../scale/exports/export";
import { exportTarget, exportTargets } from "../scale/exports/index";
import { jsonlRows } from "../scale/exports/jsonl";
import { loadProblems } from "../stages/problems";
import type { Problem, ReflectionSample } from "../types";
import { say, UsageError, writeRow } from "./io";
import { specCommand, specOf, type SpecOptions } from "./stage";

interface Options extends SpecOptions {
  in?: string;
  test?: string;
  embedded?: boolean;
  out: string;
  reward: RewardPreset;
  style?: PromptStyle;
  rewardUrl?: string;
  targetVersion?: string;
}

export const command = specCommand("export", { force: false })
  .description(
    "Writes a folder that another trainer launches: data, configuration, prompts, reward client, README.",
  )
  .addArgument(
    new Argument("<target>", "the trainer").choices(exportTargets.map(({ name }) => name)),
  )
  .option(
    "--in <file>",
    "problems as JSON lines (srpo data read); for llamafactory reflection samples (samples.jsonl of srpo data)",
  )
  .option("--test <file>", "problems to test on while training")
  .option("--embedded", "the spec's embedded problems in place of files")
  .requiredOption("--out <dir>", "an empty or new folder")
  .addOption(
    new Option("--reward <preset>", "what is paid")
      .choices(Object.keys(rewardPresets))
      .default("paper"),
  )
  .addOption(
    new Option(
      "--style <style>",
      "how the policy is asked (default: paper, or paper-direct for one solution)",
    ).choices(Object.keys(SYSTEM_PROMPTS)),
  )
  .option("--reward-url <url>", "where srpo serve-reward will be", "http://127.0.0.1:8977")
  .option("--target-version <version>", "of the target's program on the cluster")
  .addHelpText(
    "after",
    `
Targets:
${exportTargets.map(({ name, title, program, version }) => `  ${name.padEnd(13)}${title} (${program} ${version})`).join("\n")}

Examples:
  npx srpo export verl --preset srpo-7b --in problems.jsonl --test test.jsonl --out exports/verl
  npx srpo export trl --preset small --set cluster.model=Qwen/Qwen2.5-VL-3B-Instruct --set cluster.gpusPerNode=1 --embedded --out exports/trl`,
  )
  .action(async (name: string, options: Options) => {
    const spec = specOf(options);
    const target = exportTarget(name);
    if ((options.in === undefined) === (options.embedded === undefined)) {
      throw new UsageError("give --in, or --embedded");
    }
    if (options.embedded && target.trains === "sft") {
      throw new UsageError(
        "--embedded has problems only; --in takes the samples.jsonl that srpo data wrote",
      );
    }
    const records = options.in === undefined ? [] : await readRows(options.in);
    const test = options.test === undefined ? [] : await readRows(options.test);
    const manifest = await writeExport(name, {
      ...{ spec, folder: options.out, reward: options.reward, style: options.style },
      ...(target.trains === "sft"
        ? { samples: records as unknown as ReflectionSample[] }
        : { train: options.embedded ? await loadProblems(spec, "rl") : checkProblems(records) }),
      test: options.embedded ? await loadProblems(spec, "test") : checkProblems(test),
      ...{ rewardUrl: options.rewardUrl, version: options.targetVersion },
    });
    for (const line of manifest.differences) say(`otherwise than the lab: ${line}`);
    const { program, version, rows, reward } = manifest;
    await writeRow({ target: name, program, version, out: options.out, rows, reward });
  });

async function readRows(path: string): Promise<Problem[]> {
  if (!existsSync(path)) throw fault("srpo export", `no file at ${path}`);
  const rows: unknown[] = [];
  for await (const row of jsonlRows(path)) rows.push(row);
  return rows as Problem[];
}

/** @throws LabError naming the row that is no problem */
function checkProblems(rows: readonly Problem[]): readonly Problem[] {
  rows.forEach((row, at) => {
    const { id, question, images, answer, answerType } = row;
    const texts = [id, question, answer, answerType].every((value) => typeof value === "string");
    if (isRow(row) && texts && Array.isArray(images)) return;
    throw fault("srpo export", `row ${at + 1} is no problem`, {
      got: row,
      expected: "id, question, images, answer and answerType, as srpo data read writes them",
    });
  });
  return rows;
}
