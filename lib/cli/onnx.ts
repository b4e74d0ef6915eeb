/** `srpo onnx`: a policy as ONNX models, whether they write what tfjs writes, and how fast. */
import { Command, Option } from "commander";
import { describeTable } from "../lab/table-figure";
import { basePolicyFolder } from "../paths";
import { checkGreedy, measureDecode, withOnnxTrial } from "../perf/onnx";
import { openPolicy, type PolicyBundle } from "../policy/bundle";
import { exportOnnx } from "../rollout/onnx/export";
import type { OpenOnnxOptions } from "../rollout/onnx/open";
import { announceEngine, startEngine } from "./engine";
import { say, Unsuccessful, writeRow } from "./io";
import { wholeNumber } from "./numbers";

interface TrialOptions {
  policy: string;
  prompts: number;
  newTokens: number;
  device: NonNullable<OpenOnnxOptions["device"]>;
  threads?: number;
}

const DEFAULT_BATCHES = [1, 64];

const policyOption = (): Option =>
  new Option("--policy <dir>", "checkpoint in Hugging Face layout").default(basePolicyFolder);

function trialCommand(name: string): Command {
  return new Command(name)
    .addOption(policyOption())
    .option("--prompts <n>", "embedded problems to ask", wholeNumber(1), 100)
    .option("--new-tokens <n>", "of one answer at most", wholeNumber(1), 64)
    .addOption(
      new Option("--device <device>", "auto takes the first there is of CUDA, WebGPU and CPU")
        .choices(["cpu", "cuda", "webgpu", "auto"])
        .default("cpu"),
    )
    .option("--threads <n>", "threads of both engines (default: as they choose)", wholeNumber(1));
}

const exportCommand = new Command("export")
  .description("Writes vision.onnx and decoder.onnx, tokenizer and image processor beside them.")
  .addOption(policyOption())
  .requiredOption("--out <dir>", "where the files go")
  .action(async ({ policy, out }: { policy: string; out: string }) => {
    await startEngine();
    await withPolicy(policy, async (bundle) => exportOnnx(bundle, out));
    await writeRow({ policy, out });
  });

const checkCommand = trialCommand("check")
  .description("Compares greedy tokens of ONNX Runtime and tfjs, prompt by prompt.")
  .addHelpText(
    "after",
    `
A line: {engine, prompts, equal, tokens, maxAbsLogprob, different}. Fails when one prompt's tokens differ.

Example:
  npx srpo onnx check --prompts 100`,
  )
  .action(async (options: TrialOptions) => {
    await begin(options);
    const { engine, result } = await withPolicy(options.policy, (bundle) =>
      withOnnxTrial(bundle, options, async (trial) => ({
        engine: trial.onnx.name,
        result: await checkGreedy(trial, options),
      })),
    );
    await writeRow({ engine, ...result });
    const { different, prompts } = result;
    if (different.length === 0) return;
    throw new Unsuccessful(`${different.length} of ${prompts} prompts have other greedy tokens.`);
  });

const speedCommand = trialCommand("speed")
  .description("Times greedy completions of ONNX Runtime against tfjs; run it on a quiet machine.")
  .option("--batch <n...>", "prompts at once", parseMany, DEFAULT_BATCHES)
  .option("--repeats <n>", "rounds, of which the fastest counts", wholeNumber(1), 5)
  .addHelpText(
    "after",
    `
A line an engine and batch: {engine, batch, s, tok_per_s, times_tfjs}; the table goes to stderr. tfjs is measured in its own
operations, to which times_tfjs refers, and with the lab's fused ones.

Example:
  npx srpo onnx speed --threads 1 --batch 1 64`,
  )
  .action(async (options: TrialOptions & { batch: number[]; repeats: number }) => {
    await begin(options);
    const rows = await withPolicy(options.policy, (bundle) =>
      withOnnxTrial(bundle, options, (trial) =>
        measureDecode(trial, { ...options, batches: options.batch }),
      ),
    );
    for (const row of rows) await writeRow(row);
    say(
      describeTable({
        title: "Greedy completions, prefill included",
        columns: ["engine", "batch", "seconds", "tokens/s", "times tfjs"],
        lines: rows.map(({ engine, batch, s, tok_per_s, times_tfjs }) => ({
          cells: [engine, `${batch}`, s.toFixed(3), tok_per_s.toFixed(0), times_tfjs.toFixed(2)],
        })),
      }),
    );
  });

export const command = new Command("onnx")
  .description("A policy as ONNX models: export, comparison with tfjs, speed.")
  .addCommand(exportCommand)
  .addCommand(checkCommand)
  .addCommand(speedCommand)
  .addHelpText(
    "after",
    "\nExamples:\n  npx srpo onnx export --policy runs/grpo-small-…/checkpoints/step-64 --out onnx\n  npx srpo onnx check",
  );

async function begin({ threads }: TrialOptions): Promise<void> {
  if (threads !== undefined) process.env.SRPO_THREADS = String(threads);
  await startEngine();
  announceEngine();
}

async function withPolicy<T>(
  folder: string,
  work: (bundle: PolicyBundle) => Promise<T>,
): Promise<T> {
  const bundle = openPolicy(folder);
  try {
    return await work(bundle);
  } finally {
    bundle.weights.dispose();
  }
}

/** The default is what is there before the first value. */
function parseMany(text: string, earlier: number[]): number[] {
  const value = wholeNumber(1)(text);
  return earlier === DEFAULT_BATCHES ? [value] : [...earlier, value];
}
