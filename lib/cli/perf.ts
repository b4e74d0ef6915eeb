/** `srpo perf`: how fast this machine is, on work of a given size. */
import { join, resolve } from "node:path";
import { Argument, Command, Option } from "commander";
import { ready } from "../engine/backend";
import { runBench } from "../perf/bench";
import { grpoSpeed, pictureSteps, syntheticSteps, type SyntheticWork } from "../perf/grpo";
import { benchParts } from "../perf/parts";
import { comparePeers, type PeerWork } from "../perf/peers";
import { measureDrawing } from "../perf/pictures";
import { measureLoad, type LoadWork } from "../perf/load";
import { measureStart } from "../perf/start";
import { announceEngine } from "./engine";
import { say, writeRow } from "./io";
import { wholeNumber } from "./numbers";

const grpo = new Command("grpo")
  .description("Full GRPO steps: rollout, reward, update of all weights of the decoder.")
  .option("--hidden <n>", "width", wholeNumber(1), 128)
  .option("--layers <n>", "decoder layers", wholeNumber(1), 4)
  .option("--prompts <n>", "problems a step", wholeNumber(1), 16)
  .option("--group <n>", "completions a problem", wholeNumber(1), 8)
  .option("--prompt-tokens <n>", "tokens of every prompt", wholeNumber(1), 32)
  .option("--new-tokens <n>", "tokens of every completion", wholeNumber(1), 96)
  .option("--steps <n>", "steps that are measured, after two that are not", wholeNumber(1), 10)
  .option("--threads <n>", "threads of the engine (default: as the engine chooses)", wholeNumber(1))
  .option(
    "--pictures",
    "the embedded policy and its own problems; completions end where it ends them",
  )
  .addHelpText(
    "after",
    `
A line: {s_per_step, rollout_s, update_s, tok_per_s, tokens_per_step, threads}, medians over the measured steps. Weights are
random and prompts are words unless --pictures is given.

Example:
  npx srpo perf grpo --hidden 128 --layers 4 --prompts 16 --group 8 --new-tokens 96 --steps 10 --threads 1`,
  )
  .action(async ({ threads, pictures, ...work }: GrpoOptions) => {
    if (threads !== undefined) process.env.SRPO_THREADS = String(threads);
    await ready();
    announceEngine();
    await writeRow(grpoSpeed(await (pictures ? pictureSteps(work) : syntheticSteps(work))));
  });

type GrpoOptions = SyntheticWork & { threads?: number; pictures?: boolean };

const peers = new Command("peers")
  .description("The same GRPO steps by the lab and by TRL, in turn, each in its own process.")
  .addOption(
    new Option("--work <name...>", "random words, or pictures and the lab's own problems")
      .choices(["text", "pictures"] satisfies PeerWork[])
      .default(["text", "pictures"]),
  )
  .option("--threads <n...>", "numbers of threads", counts, Object.freeze([1, 2]) as number[])
  .option("--rounds <n>", "turns that each side has", wholeNumber(1), 3)
  .addHelpText(
    "after",
    `
A line a work and number of threads: {work, threads, lab_s_per_step, trl_s_per_step, ratio, ratios, …}. TRL is installed into
.cache/peers/trl at the first call, unless SRPO_TRL_PYTHON names a Python that has it.

Example:
  npx srpo perf peers --work text --threads 1 --rounds 3`,
  )
  .action(async (options: { work: PeerWork[]; threads: number[]; rounds: number }) => {
    const { work: works, ...rest } = options;
    for (const row of await comparePeers({ works, ...rest, onProgress: say })) await writeRow(row);
  });

const pictures = new Command("pictures")
  .description("The lab's own pictures: drawn, read, and found on disk.")
  .option("--pictures <n>", "how many", wholeNumber(1), 1000)
  .addHelpText(
    "after",
    `
A line: {pictures, rendered_per_s, decoded_per_s, cached_per_s}, a second of processor time.

Example:
  npx srpo perf pictures --pictures 1000`,
  )
  .action(async (options: { pictures: number }) => writeRow(await measureDrawing(options)));

const start = new Command("start")
  .description("From nothing to a policy that can be used.")
  .option("--runs <n>", "fresh processes", wholeNumber(1), 5)
  .addHelpText(
    "after",
    `
A line: {node_s, library_s, engine_s, policy_s, total_s}, medians over the runs.

Example:
  npx srpo perf start --runs 5`,
  )
  .action(async (options: { runs: number }) => writeRow(measureStart(options)));

const load = new Command("load")
  .description("A checkpoint loaded and trained with LoRA: memory computed beside memory taken.")
  .requiredOption("--policy <dir>", "checkpoint in Hugging Face layout, sharded or not")
  .option("--rank <n>", "of the adapters; 0 trains all of the decoder", wholeNumber(0), 8)
  .option("--prompts <n>", "prompts a step, of 32 text tokens", wholeNumber(1), 2)
  .option("--group <n>", "completions a prompt", wholeNumber(1), 2)
  .option("--new-tokens <n>", "tokens of every completion", wholeNumber(1), 16)
  .option("--steps <n>", "GRPO steps; 0 only loads", wholeNumber(0), 1)
  .addHelpText(
    "after",
    `
Two lines, what the operating system counted as this process's largest memory in each: {phase, computed_gb, peak_gb, seconds}.

Example:
  npx srpo perf load --policy Qwen2.5-VL-3B-Instruct --rank 8`,
  )
  .action(async (options: LoadWork) => {
    await ready();
    announceEngine();
    for await (const row of measureLoad(options)) await writeRow(row);
  });

const bench = new Command("bench")
  .description("Everything above and more, with tables and pictures, into one folder.")
  .addArgument(
    new Argument("[part...]", "what to measure; all but npm-start unless named").choices(
      benchParts.map(({ name }) => name),
    ),
  )
  .option("--out <dir>", "where bench.json, pictures and README.md go", "lib/perf/measured")
  .option("--threads <n>", "threads of the engine (default: as the engine chooses)", wholeNumber(1))
  .addHelpText(
    "after",
    `
A line a part: {part, seconds, findings}. Parts that are not measured keep the numbers that they had. Run it on a quiet machine.

Example:
  npx srpo perf bench decode update --threads 1`,
  )
  .action(async (names: string[], { out, threads }: { out: string; threads?: number }) => {
    const results = await runBench({ names, folder: resolve(out), threads, onProgress: say });
    for (const [part, { seconds, findings }] of Object.entries(results)) {
      if (names.length === 0 || names.includes(part)) await writeRow({ part, seconds, findings });
    }
    say(`read ${join(out, "README.md")}`);
  });

export const command = new Command("perf")
  .description("Measures how fast this machine is: the trainers, pictures, the start.")
  .addHelpText("after", "\nExample:\n  npx srpo perf grpo --steps 10 --threads 1")
  .addCommand(grpo)
  .addCommand(peers)
  .addCommand(pictures)
  .addCommand(start)
  .addCommand(load)
  .addCommand(bench);

function counts(text: string, before: number[] | undefined): number[] {
  // The default counts as what came before.
  const own = before === undefined || Object.isFrozen(before) ? [] : before;
  return [...own, wholeNumber(1)(text)];
}
