/** What all stages share: where a policy comes from, where runs go, who watches, and how a stage is stopped. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "../config";
import { ready } from "../engine/backend";
import { contentHash } from "../engine/files";
import { interruptible } from "../engine/interrupt";
import { basePolicyFolder, runsFolder } from "../paths";
import { openPolicy, policyToTrain, type PolicyBundle } from "../policy/bundle";
import { readPolicyConfig } from "../policy/config";
import { checkpointOf } from "../policy/peft";
import type { PromptStyle } from "../reflection/prompts";
import type { RolloutEngine } from "../rollout/engine";
import { createLocalEngine } from "../rollout/local";
import type { HealthNote } from "../train/health";
import type { Rollout } from "../train/rollouts";
import { openRun, type Run, type RunSummary } from "../train/run";

/** A policy on disk, as one stage hands it to the next. */
export interface PolicyRef {
  /** Short name for tables and figures, e.g. `SRPO`. */
  name: string;
  /** Hugging Face layout. */
  folder: string;
  /** What determined it; part of the inputs of every stage that uses it. */
  hash: string;
  /** How it is asked: a policy that learned to reflect is asked to. */
  style: "direct" | "reflect" | "two-step";
}

/** A policy that answers behind an engine of the user's own, a server for instance; it can be asked and not trained. */
export interface ServedPolicy {
  name: string;
  engine: RolloutEngine;
  /** What determines its answers, as far as anybody knows: its name. */
  hash: string;
  style: PromptStyle;
}

/** @param style `paper-direct` suits large instruction-tuned models */
export function servedPolicy(
  engine: RolloutEngine,
  { style = "paper-direct" }: { style?: PromptStyle } = {},
): ServedPolicy {
  return { name: engine.name, engine, style, hash: contentHash(engine.name) };
}

/** Somebody who watches a stage; a notebook passes the lab's monitor. */
export interface Watcher {
  /** Hears, before a large policy is loaded, what memory the stage needs and what is free. */
  memory?(line: string): void;
  /** Hears once of the number of steps, and of what an earlier attempt had already logged. */
  begin?(total: number, earlier: readonly Record<string, number>[]): void;
  /** @param notes what is wrong with the training so far, if anything */
  step?(step: number, metrics: Record<string, number>, notes?: readonly HealthNote[]): void;
  /** The rollouts of a step of reinforcement learning. */
  rollouts?(step: number, rollouts: readonly Rollout[]): void;
  /** The stage ended (`reason` undefined), or was stopped, or failed. */
  end?(reason?: string): void | Promise<void>;
}

export interface StageOptions {
  watch?: Watcher;
  signal?: AbortSignal;
  /** Runs the stage again although its run directory says that it is finished. */
  force?: boolean;
  /** Trains although the memory that is free is less than what was computed to be needed. */
  anyMemory?: boolean;
}

/** The result of a stage, new or found on disk. */
export interface StageResult {
  run: Run;
  summary: RunSummary;
  /** True when nothing was computed because the run was already finished. */
  cached: boolean;
}

/**
 * The embedded base policy, or a checkpoint or adapters of the user's own. Named by the content of its files.
 * @throws LabError when the folder holds no checkpoint
 */
export function basePolicy(folder: string = basePolicyFolder): PolicyRef {
  const home = checkpointOf(folder);
  readPolicyConfig(home);
  const hash = home === folder ? hashOf(folder) : contentHash(hashOf(home) + hashOf(folder));
  return { name: "base", folder, hash, style: "direct" };
}

/** Hashes of folders by what they were made of: weights of gigabytes are read once, not at every cell. */
const hashes = new Map<string, { stamp: string; hash: string }>();

function hashOf(folder: string): string {
  const files = readdirSync(folder).filter((name) => /\.(json|safetensors|jinja)$/.test(name));
  const stamp = files
    .sort()
    .map((file) => {
      const { mtimeMs, size } = statSync(join(folder, file));
      return `${file} ${mtimeMs} ${size}`;
    })
    .join("\n");
  const known = hashes.get(folder);
  if (known?.stamp === stamp) return known.hash;
  const sha = createHash("sha256");
  for (const file of files) {
    sha.update(file);
    eachPiece(join(folder, file), (bytes) => sha.update(bytes));
  }
  const hash = sha.digest("hex").slice(0, 12);
  hashes.set(folder, { stamp, hash });
  return hash;
}

/** Shards are larger than what one read takes, and than what should be in memory for a hash. */
function eachPiece(path: string, take: (bytes: Uint8Array) => void): void {
  const handle = openSync(path, "r");
  const buffer = Buffer.alloc(2 ** 22);
  try {
    for (;;) {
      const count = readSync(handle, buffer);
      if (count === 0) return;
      take(buffer.subarray(0, count));
    }
  } finally {
    closeSync(handle);
  }
}

/** The policy that a finished training run left. */
export function trainedPolicy(run: Run, name: string, style: PolicyRef["style"]): PolicyRef {
  return { name, folder: join(run.folder, "policy"), hash: run.hash, style };
}

/** Opens a policy for the time of `work`, with the engine started, and disposes of its weights afterwards. */
export async function withPolicy<T>(
  ref: PolicyRef,
  work: (bundle: PolicyBundle) => Promise<T>,
): Promise<T> {
  await ready();
  const bundle = openPolicy(ref.folder);
  try {
    return await work(bundle);
  } finally {
    bundle.weights.dispose();
  }
}

/**
 * {@link withPolicy} for a training: adapters where the spec asks for them.
 * @throws LabError where the policy has adapters of another kind
 */
export async function withPolicyToTrain<T>(
  ref: PolicyRef,
  { lora, seed }: Pick<Spec, "lora" | "seed">,
  work: (bundle: PolicyBundle) => Promise<T>,
): Promise<T> {
  await ready();
  let bundle = openPolicy(ref.folder);
  try {
    bundle = policyToTrain(bundle, lora, seed);
    return await work(bundle);
  } finally {
    bundle.weights.dispose();
  }
}

/** Settings of adapters as a run's inputs hold them: absent where there are none, so that runs without them keep their names. */
export function loraInputs({ lora }: Pick<Spec, "lora">): { lora?: Spec["lora"] } {
  return lora.rank === 0 ? {} : { lora };
}

/** Opens an engine that samples from the policy and closes it after `work`; a served policy's stays open. */
export async function withEngine<T>(
  ref: PolicyRef | ServedPolicy,
  work: (engine: RolloutEngine) => Promise<T>,
): Promise<T> {
  if ("engine" in ref) return work(ref.engine);
  return withPolicy(ref, async (bundle) => {
    const engine = createLocalEngine(bundle, { name: ref.name });
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  });
}

/**
 * Runs a stage's work under its options: the watcher hears of the end whatever it is, and Ctrl-C or a notebook's stop
 * button ends it between two steps.
 */
export async function supervise<T>(
  { watch, signal }: StageOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    const result = await interruptible(work, signal);
    await watch?.end?.();
    return result;
  } catch (error) {
    await watch?.end?.((error as Error).message);
    throw error;
  }
}

/** Opens the run of a stage under the default root. */
export function openStage(
  spec: Spec,
  stage: string,
  inputs: Record<string, unknown>,
  { force }: StageOptions,
): Run {
  const { preset, seed } = spec;
  return openRun({ root: runsFolder(), stage, preset, inputs: { seed, ...inputs }, force });
}
