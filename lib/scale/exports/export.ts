/**
 * Turns a spec and problems into a folder that a cluster can launch, and reads such a folder back.
 *
 *     data/            the target's own columns
 *     launch.sh        starts the training; what is appended goes to the target's program
 *     …                the target's configuration
 *     prompts/         the system prompt, as text
 *     reward.json      what is paid; `srpo serve-reward --config` reads it
 *     srpo_reward.py   the client of the reward server, for targets that call a function
 *     export.json      what was exported from what; written last, so that a folder without it is no export
 *     README.md
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { extractPicture } from "../../../datasets/sources/images";
import type { Spec } from "../../config";
import { fault } from "../../engine/errors";
import { contentHash, writeFileAtomic } from "../../engine/files";
import { questionText, SYSTEM_PROMPTS, type PromptStyle } from "../../reflection/prompts";
import { toSharegpt } from "../../reflection/records";
import { rewardConfig, type RewardPreset } from "../../reflection/reward-config";
import type { Problem, ReflectionSample } from "../../types";
import { packGold } from "../gold-label";
import { rewardIdentity } from "../reward-server/server";
import { pythonShim, SHIM_FILE, type ShimTarget } from "../shims";
import { exportTarget } from "./index";
import { exportReadme } from "./readme";
import type {
  ExportImage,
  ExportPlan,
  ExportRow,
  ExportTarget,
  ReadRow,
  SetName,
  TargetFiles,
} from "./target";

export interface ExportOptions {
  spec: Spec;
  /** An empty or new folder. */
  folder: string;
  train?: readonly Problem[];
  test?: readonly Problem[];
  /** For SFT. */
  samples?: readonly ReflectionSample[];
  reward?: RewardPreset;
  /** How the policy is asked; by default as a large model is for as many solutions as the reward wants. */
  style?: PromptStyle;
  rewardUrl?: string;
  /** The version of the target's program on the cluster. */
  version?: string;
}

export interface ExportManifest {
  target: string;
  program: string;
  version: string;
  rows: Record<SetName, number>;
  reward: string;
  style: PromptStyle;
  differences: readonly string[];
  spec: Spec;
}

/** A problem as an export holds it; SFT exports have what is imitated as well. */
export interface ExportedProblem {
  problem: Problem;
  system: string;
  reply?: string;
}

/**
 * Writes an export.
 * @throws LabError for a setting or version that the target cannot do, a picture that is missing, or a folder that is not empty
 */
export async function writeExport(
  targetName: string,
  options: ExportOptions,
): Promise<ExportManifest> {
  const target = exportTarget(targetName);
  const plan = planOf(target, options);
  // Settings are refused before anything is written.
  const { rank } = plan.spec.lora;
  if (rank > 0) {
    throw fault("writeExport", "exports train all weights, the spec asks for adapters", {
      got: { "lora.rank": rank },
      try: "lora.rank=0; the program's own LoRA settings can be added to what is written",
    });
  }
  const { files, differences } = target.files(plan);
  const { folder } = options;
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw fault("writeExport", `${folder} is not empty`, { try: "another --out" });
  }
  try {
    return await fill(folder, plan, target, { files, differences });
  } catch (error) {
    // Half an export is none, and would be in the way of the next.
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    throw error;
  }
}

async function fill(
  folder: string,
  plan: ExportPlan,
  target: ExportTarget,
  { files, differences }: TargetFiles,
): Promise<ExportManifest> {
  mkdirSync(join(folder, "data"), { recursive: true });
  const rows: Record<SetName, number> = { train: 0, test: 0 };
  for (const set of ["train", "test"] as const) {
    const records = recordsOf(plan, target, set);
    if (records.length === 0) continue;
    await target.writeRows(join(folder, target.dataFile(set)), rowsOf(plan, set, records), folder);
    rows[set] = records.length;
  }
  const { preset, config, identity } = plan.reward;
  const manifest: ExportManifest = {
    ...{ target: target.name, program: target.program, version: plan.version, rows },
    ...{ reward: identity, style: plan.style, differences, spec: plan.spec },
  };
  const common: Record<string, string> = {
    "prompts/system.txt": SYSTEM_PROMPTS[plan.style],
    "README.md": exportReadme(target, manifest, plan),
  };
  if (target.trains === "rl") {
    common["reward.json"] = JSON.stringify({ preset, config }, null, 2) + "\n";
    if (target.name !== "openrlhf") {
      const options = { reward: identity, url: plan.rewardUrl };
      common[SHIM_FILE] = pythonShim(target.name as ShimTarget, options);
    }
  }
  for (const [name, text] of Object.entries({ ...files, ...common })) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, text);
    if (name.endsWith(".sh")) chmodSync(path, 0o755);
  }
  writeFileAtomic(join(folder, "export.json"), JSON.stringify(manifest, null, 2) + "\n");
  return manifest;
}

function planOf(target: ExportTarget, options: ExportOptions): ExportPlan {
  const { spec, train = [], test = [], samples = [], version = target.version } = options;
  if (version !== target.version && !target.alsoReads.test(version)) {
    throw fault("writeExport", `${target.program} ${version} reads something else`, {
      expected: `${target.version}, or a version that fits ${String(target.alsoReads)}`,
      try: `install ${target.program} ${target.version} on the cluster`,
    });
  }
  const records = target.trains === "sft" ? samples : train;
  if (records.length === 0) {
    throw fault("writeExport", `nothing to train on`, {
      expected: target.trains === "sft" ? "reflection samples" : "problems",
    });
  }
  const preset = options.reward ?? "paper";
  const config = rewardConfig(preset, preset === "task-only" ? {} : spec.reward);
  const style = options.style ?? (config.solutions === 2 ? "paper" : "paper-direct");
  return {
    ...{ spec, train, test, samples, style, version },
    reward: { preset, config, identity: rewardIdentity(config) },
    rewardUrl: options.rewardUrl ?? "http://127.0.0.1:8977",
  };
}

interface RowSource {
  problem: Problem;
  reply?: string;
}

function recordsOf(plan: ExportPlan, target: ExportTarget, set: SetName): RowSource[] {
  if (target.trains === "rl") return plan[set].map((problem) => ({ problem }));
  if (set === "test") return [];
  return plan.samples.map((sample) => {
    const { messages } = toSharegpt(sample, { style: plan.style });
    return { problem: sample.problem, reply: messages[messages.length - 1].content };
  });
}

/** Pictures are read when their row is written: all of them may be more than fits in memory. */
async function* rowsOf(
  { style }: ExportPlan,
  set: SetName,
  records: readonly RowSource[],
): AsyncGenerator<ExportRow> {
  for (const [index, { problem, reply }] of records.entries()) {
    const { images, ...rest } = problem;
    yield {
      ...{ index, set, system: SYSTEM_PROMPTS[style] },
      question: questionText(problem),
      label: packGold(problem),
      images: await Promise.all(images.map((path) => readImage(path, problem.id))),
      ...(reply === undefined ? {} : { reply }),
      problem: JSON.stringify(rest),
    };
  }
}

async function readImage(path: string, problem: string): Promise<ExportImage> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fault("writeExport", `a picture of ${problem} cannot be read`, {
      got: (error as Error).message,
      try: "srpo data read, which drops problems without their pictures",
    });
  }
  return { name: `${contentHash(bytes, 16)}${extname(path).toLowerCase() || ".png"}`, bytes };
}

/** @throws LabError when the folder holds no whole export */
export function readManifest(folder: string): ExportManifest {
  try {
    return JSON.parse(readFileSync(join(folder, "export.json"), "utf8"));
  } catch (error) {
    throw fault("readManifest", `${folder} is no whole export (${(error as Error).message})`, {
      try: "srpo export TARGET --out FOLDER",
    });
  }
}

/**
 * Reads a set of an export back, from the columns that the target's program reads.
 * @param options.pictures folder for the pictures; each is a file named by its content
 * @throws LabError where a row's own columns say something else than the problem that was exported
 */
export async function* readExport(
  folder: string,
  set: SetName,
  { pictures }: { pictures: string },
): AsyncGenerator<ExportedProblem> {
  const target = exportTarget(readManifest(folder).target);
  const path = join(folder, target.dataFile(set));
  if (!existsSync(path)) return;
  mkdirSync(pictures, { recursive: true });
  for await (const row of target.readRows(path, folder)) {
    const rest = JSON.parse(row.problem) as Omit<Problem, "images">;
    checkRow(row, rest);
    const images = await Promise.all(row.images.map(({ bytes }) => extract(pictures, bytes)));
    const { system, reply } = row;
    yield { problem: { ...rest, images }, system, ...(reply === undefined ? {} : { reply }) };
  }
}

function checkRow({ question, label, index }: ReadRow, problem: Omit<Problem, "images">): void {
  const same = question === questionText(problem) && label === packGold(problem);
  if (same) return;
  throw fault("readExport", `row ${index} has another question or answer than ${problem.id}`, {
    got: { question: question.slice(0, 60), label },
  });
}

async function extract(folder: string, bytes: Uint8Array): Promise<string> {
  const found = await extractPicture(folder, bytes);
  if ("path" in found) return found.path;
  throw fault("readExport", `a picture cannot be read (${found.detail})`);
}
