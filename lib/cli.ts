#!/usr/bin/env node
/**
 * `srpo …`: everything a notebook does, as a command. JSON lines on stdout and nothing else there, words on stderr.
 * Exit status: 0 success; 1 something is wrong with the data or the machine; 2 the command was called wrongly; 130 stopped
 * by Ctrl-C.
 */
import { Command, CommanderError } from "commander";
import { reserveStdout, say, Unsuccessful, UsageError } from "./cli/io";
import { LabError } from "./engine/errors";
import { Interrupted } from "./engine/interrupt";
import { labVersion } from "./paths";

/** One file a command. Only the one that is called is loaded: some bring the whole library with them. */
const commands: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  doctor: () => import("./cli/doctor"),
  data: () => import("./cli/data"),
  sft: () => import("./cli/sft"),
  grpo: () => import("./cli/grpo"),
  eval: () => import("./cli/eval"),
  "paper-mini": () => import("./cli/paper-mini"),
  reward: () => import("./cli/reward"),
  "reward-bench": () => import("./cli/reward-bench"),
  "serve-reward": () => import("./cli/serve-reward"),
  export: () => import("./cli/export"),
  preflight: () => import("./cli/preflight"),
  submit: () => import("./cli/submit"),
  logs: () => import("./cli/logs"),
  jobs: () => import("./cli/jobs"),
  stop: () => import("./cli/stop"),
  equal: () => import("./cli/equal"),
  score: () => import("./cli/score"),
  bench: () => import("./cli/bench"),
  parity: () => import("./cli/parity"),
  generate: () => import("./cli/generate"),
  policy: () => import("./cli/policy"),
  onnx: () => import("./cli/onnx"),
  runs: () => import("./cli/runs"),
  perf: () => import("./cli/perf"),
};

/** Runs a command line. @param words without node and script @returns the exit status */
async function main(words: readonly string[]): Promise<number> {
  const program = new Command("srpo")
    .description("Reflection-aware reinforcement learning: the lab's stages and tools.")
    .version(labVersion())
    .helpCommand(false)
    // `srpo data attempt --policy` is the part's option, not the stage's.
    .enablePositionalOptions()
    .showHelpAfterError("Add --help to see what there is.")
    .exitOverride();
  const [name] = words;
  const called = Object.hasOwn(commands, name ?? "") ? [name] : Object.keys(commands);
  try {
    for (const { command } of await Promise.all(called.map((key) => commands[key]()))) {
      program.addCommand(command.copyInheritedSettings(program));
      for (const inner of command.commands) inner.copyInheritedSettings(program);
    }
    await program.parseAsync(words, { from: "user" });
    return 0;
  } catch (error) {
    return statusOf(error);
  }
}

/** Says what went wrong, unless it has been said, and how the process ends. */
function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Interrupted) {
    say(error.message);
    return 130;
  }
  if (error instanceof UsageError) {
    say(`error: ${error.message}`);
    return 2;
  }
  if (error instanceof LabError || error instanceof Unsuccessful) say(`✗ ${error.message}`);
  else say(`✗ ${(error as Error)?.stack ?? String(error)}`);
  return 1;
}

reserveStdout();
void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
