/** What the stage commands share: the spec from options, progress on stderr, and a row that says what a stage left. */
import { Command, InvalidArgumentError, Option } from "commander";
import { loadSpec, type Spec, type SpecChanges } from "../config";
import { stageViews, watch } from "../lab/watch";
import { basePolicyFolder } from "../paths";
import { basePolicy, type PolicyRef, type StageResult } from "../stages/context";
import type { Pipeline, StageName } from "../stages/pipeline";
import { announceEngine } from "./engine";
import { say, UsageError } from "./io";

export interface SpecOptions {
  preset?: string;
  set: Record<string, unknown>;
  force?: true;
}

export interface StageOptions extends SpecOptions {
  policy: string;
  anyMemory?: true;
}

/** A command with the options that make a spec, and unless told otherwise the one that runs a stage again. */
export function specCommand(name: string, { force = true } = {}): Command {
  const command = new Command(name)
    .option(
      "--preset <name>",
      "small, smoke or paper-mini, for clusters srpo-7b or srpo-32b (default: LAB_PRESET, else small)",
    )
    .addOption(
      new Option("--set <key=value>", "a setting, e.g. sft.learningRate=1e-4; repeatable")
        .argParser(addSetting)
        .default({}, "none"),
    );
  return force ? command.option("--force", "run it again although it is finished") : command;
}

/** A command with the options that every stage of the pipeline has. */
export function stageCommand(name: string): Command {
  return specCommand(name).option(
    "--policy <dir>",
    "checkpoint folder that the pipeline starts from (default: the embedded policy)",
    basePolicyFolder,
  );
}

/** A command that trains. */
export function trainingCommand(name: string): Command {
  return stageCommand(name).option(
    "--any-memory",
    "train although less memory is free than was computed to be needed",
  );
}

/** `sft.learningRate=1e-4` into `{ sft: { learningRate: 0.0001 } }`; what is no JSON is a text. */
function addSetting(text: string, known: Record<string, unknown>): Record<string, unknown> {
  const [, path, value] = /^([a-z]\w*(?:\.[a-z]\w*)*)=(.+)$/is.exec(text) ?? [];
  if (path === undefined) throw new InvalidArgumentError("Write key=value, e.g. grpo.steps=20.");
  const settings = structuredClone(known);
  const keys = path.split(".");
  const last = keys.pop() as string;
  let group = settings;
  for (const key of keys) {
    if (typeof group[key] !== "object" || group[key] === null) group[key] = {};
    group = group[key] as Record<string, unknown>;
  }
  group[last] = parseValue(value);
  return settings;
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws UsageError when a preset or a setting cannot be */
export function specOf({ preset, set }: SpecOptions): Spec {
  try {
    return loadSpec(set as SpecChanges, preset);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/**
 * The pipeline of a spec from a checkpoint, shown on stderr while it runs.
 * @throws UsageError where the preset is for a cluster and the policy the embedded one
 */
export function openPipeline(spec: Spec, folder: string): Pipeline {
  if (spec.preset.startsWith("srpo-") && folder === basePolicyFolder) {
    throw new UsageError(
      `preset ${spec.preset} is not for the embedded policy: srpo export takes it to a cluster, --policy names a checkpoint`,
    );
  }
  let base: PolicyRef | undefined;
  return {
    spec,
    // Read when it is asked for: a stage that starts from a folder of its own needs no base.
    get base() {
      return (base ??= basePolicy(folder));
    },
    watch: watchStage,
  };
}

/** The lab's monitor; the engine is named before the first stage that computes something. */
export function watchStage(stage: StageName, title: string): ReturnType<typeof watch> {
  const watcher = watch(title, stageViews[stage]);
  return {
    ...watcher,
    begin: (total, earlier) => {
      announceEngine();
      watcher.begin(total, earlier);
    },
  };
}

/** The fields that every stage's row begins with. */
export function stageRow(stage: string, { run, cached, summary }: StageResult) {
  say(`${cached ? "Finished before, nothing to do" : "Done"}: ${run.folder}`);
  return { stage, run: run.folder, hash: run.hash, cached, ...summary };
}
