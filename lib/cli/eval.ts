/** `srpo eval`: accuracy of a policy on a set of embedded problems, with 95 % intervals. */
import { Option } from "commander";
import { basePolicyFolder } from "../paths";
import { evaluate } from "../stages/evaluate";
import { findPolicy, policyNames } from "../stages/pipeline";
import { loadProblems } from "../stages/problems";
import { say, writeRow } from "./io";
import { openPipeline, specCommand, specOf, stageRow, watchStage, type SpecOptions } from "./stage";

interface Options extends SpecOptions {
  policy: string;
  base: string;
  setName: "test" | "ood";
}

export const command = specCommand("eval")
  .description("Evaluates a policy, greedily and at temperature 1; trains it first if need be.")
  .option("--policy <policy>", `${policyNames.join(", ")}, or a folder`, "srpo")
  .option(
    "--base <dir>",
    "checkpoint folder that named policies start from (default: the embedded policy)",
    basePolicyFolder,
  )
  .addOption(
    new Option("--set-name <set>", "which problems").choices(["test", "ood"]).default("test"),
  )
  .addHelpText("after", "\nExample:\n  npx srpo eval --policy sft --set-name ood")
  .action(async (options: Options) => {
    const { setName: set, force } = options;
    const spec = specOf(options);
    const policy = await findPolicy(openPipeline(spec, options.base), options.policy);
    const problems = await loadProblems(spec, set);
    const result = await evaluate(spec, policy, problems, set, {
      watch: watchStage("evaluate", `${policy.name} on ${set}`),
      force,
    });
    const row = { ...stageRow("eval", result), policy: policy.folder, set, ...result.report };
    for (const mode of ["greedy", "sampled"] as const) {
      const { accuracy, low, high, n } = result.report[mode].overall;
      const [value, from, to] = [accuracy, low, high].map((x) => (100 * x).toFixed(1));
      say(`${policy.name} on ${set}, ${mode}: ${value} % [${from}, ${to}], n = ${n}`);
    }
    await writeRow(row);
  });
