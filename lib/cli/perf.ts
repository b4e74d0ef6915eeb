/** `srpo perf`: how fast this machine is, on work of a given size. */
import { Command, InvalidArgumentError, Option } from "commander";
import { measurePictures, measureSynthetic, type SyntheticWork } from "../perf/grpo";
import { comparePeers, type PeerWork } from "../perf/peers";
import { announceEngine } from "./engine";
import { say, writeRow } from "./io";

const grpo = new Command("grpo")
  .description("Full GRPO steps: rollout, reward, update of all weights of the decoder.")
  .option("--hidden <n>", "width", count, 128)
  .option("--layers <n>", "decoder layers", count, 4)
  .option("--prompts <n>", "problems a step", count, 16)
  .option("--group <n>", "completions a problem", count, 8)
  .option("--prompt-tokens <n>", "tokens of every prompt", count, 32)
  .option("--new-tokens <n>", "tokens of every completion", count, 96)
  .option("--steps <n>", "steps that are measured, after two that are not", count, 10)
  .option("--threads <n>", "threads of the engine (default: as the engine chooses)", count)
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
    announceEngine();
    await writeRow(await (pictures ? measurePictures(work) : measureSynthetic(work)));
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
  .option("--rounds <n>", "turns that each side has", count, 3)
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

export const command = new Command("perf")
  .description("Measures the speed of the trainers on this machine.")
  .addCommand(grpo)
  .addCommand(peers)
  .addHelpText("after", "\nExample:\n  npx srpo perf grpo --threads 1");

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("A whole number from 1 is needed.");
}

function counts(text: string, before: number[] | undefined): number[] {
  // The default counts as what came before.
  const own = before === undefined || Object.isFrozen(before) ? [] : before;
  return [...own, count(text)];
}
