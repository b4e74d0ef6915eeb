/** `srpo reward-bench`: a reward on trial, the lab's or anybody's, before a GPU hour is spent on it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { fault } from "../engine/errors";
import { guards } from "../reflection/guards";
import { benchReward, type BenchReport } from "../reflection/reward-bench/bench";
import { rewardFunction, type RewardFunction } from "../reflection/reward-bench/trial";
import { rewardPresets, type RewardPreset } from "../reflection/reward-config";
import { say, UsageError, writeRow } from "./io";
import { guardedConfig } from "./reward";

const SECTIONS = {
  findings: "findings",
  "truth-table": "truthTable",
  orders: "orders",
  attacks: "attacks",
  advantages: "advantages",
  weights: "weights",
  policies: "policies",
  boundaries: "boundaries",
} as const satisfies Record<string, keyof BenchReport>;

type Section = keyof typeof SECTIONS;

interface Options {
  preset: RewardPreset;
  guard?: string[];
  reward?: string;
  boxed?: boolean;
  section?: Section[];
}

export const command = new Command("reward-bench")
  .description(
    "Puts a reward on trial: truth table, attacks, advantages, and which policy it wants. " +
      "One JSON line a result, the findings in words on stderr.",
  )
  .addOption(
    new Option("--preset <name>", "the lab's reward")
      .choices(Object.keys(rewardPresets))
      .default("paper"),
  )
  .option("--guard <names...>", `guards that are on: ${Object.keys(guards).join(", ")} or all`)
  .option(
    "--reward <file>",
    "a JavaScript module that exports a function reward(response, problem)",
  )
  .option("--boxed", "answers in LaTeX boxes, for a reward that reads no others")
  .addOption(
    new Option("--section <names...>", "only these results").choices(Object.keys(SECTIONS)),
  )
  .addHelpText(
    "after",
    `
A reward is a function of one object, the same as in training: ({ response, problem }) => a number, or an object of
numbers, at once or as a promise. The response is taken apart: response.text, .first.answer, .reflection, .second.answer,
.faults; problem.answer is the gold answer.

Example:
  npx srpo reward-bench --preset paper --guard length-gate copying --section findings`,
  )
  .action(async ({ preset, guard = [], reward: file, boxed, section }: Options) => {
    const config = guardedConfig(preset, guard);
    if (file !== undefined && guard.length > 0) {
      throw new UsageError("--guard belongs to the lab's presets, not to a reward of your own.");
    }
    const name = file ?? [preset, ...guard].join(" + ");
    const reward = file === undefined ? rewardFunction(config) : loadReward(file);
    const report = await benchReward({ name, reward, boxed });
    for (const key of section ?? (Object.keys(SECTIONS) as Section[])) {
      for (const row of report[SECTIONS[key]]) await writeRow({ section: key, ...row });
    }
    say(name);
    for (const { bad, text } of report.findings) say(`${bad ? "✗" : "✓"} ${text}`);
  });

/** @throws LabError naming the file when it is not there or exports no reward */
function loadReward(file: string): RewardFunction {
  if (!existsSync(file)) throw fault("reward-bench", `no file at ${file}`);
  const loaded = require(resolve(file)) as { reward?: unknown; default?: unknown };
  const reward = [loaded, loaded.reward, loaded.default].find((part) => typeof part === "function");
  if (reward !== undefined) return reward as RewardFunction;
  throw fault("reward-bench", `${file} exports no reward`, {
    got: Object.keys(loaded).join(", ") || "nothing",
    expected: "a function, exported as reward or as default",
  });
}
