/**
 * What an export target is: one file of this folder, with the same exported name. A target says which columns its program reads,
 * which settings it has for those of the spec, and what it does otherwise.
 */
import type { Spec } from "../../config";
import { fault } from "../../engine/errors";
import type { PromptStyle } from "../../reflection/prompts";
import type { RewardConfig, RewardPreset } from "../../reflection/reward-config";
import type { ReflectionSample, Problem } from "../../types";
import type { LineReader } from "../logs/lines";
import type { MetricNames } from "../logs/names";

export type SetName = "train" | "test";

/** One record of an export: what all targets' columns are made of. */
export interface ExportRow {
  index: number;
  set: SetName;
  system: string;
  /** The question with its choices, no marks for pictures. */
  question: string;
  /** The gold answer as a reward label. */
  label: string;
  images: ExportImage[];
  /** Only for SFT: what is imitated. */
  reply?: string;
  /** The whole problem but its pictures, as JSON, so that the export can be read back. */
  problem: string;
}

export interface ExportImage {
  /** The file's name: a hash of its bytes and its ending. */
  name: string;
  bytes: Uint8Array;
}

/** What is read back of a row from the target's own columns. */
export type ReadRow = Omit<ExportRow, "set">;

export interface ExportPlan {
  spec: Spec;
  reward: { preset: RewardPreset; config: RewardConfig; identity: string };
  style: PromptStyle;
  train: readonly Problem[];
  test: readonly Problem[];
  /** For SFT in place of `train`. */
  samples: readonly ReflectionSample[];
  /** Where the reward server will be. */
  rewardUrl: string;
  /** The version of the target's program that the user named. */
  version: string;
}

export type Scalar = string | number | boolean;

/** The parts of an export that only its target knows, beside the data. */
export interface TargetFiles {
  /** Texts by name; a name ending in `.sh` becomes executable. */
  files: Readonly<Record<string, string>>;
  /** What the target does otherwise than the lab, one sentence each. */
  differences: readonly string[];
}

export interface ExportTarget {
  /** As on the command line. */
  name: string;
  title: string;
  /** The program's Python package and the version that the export is written for. */
  program: string;
  version: string;
  /** Other versions that read the same export. */
  alsoReads: RegExp;
  trains: "rl" | "sft";
  /** The data file of a set. */
  dataFile(set: SetName): string;
  /** @param path of the data file, @param folder of the export, for pictures beside it */
  writeRows(path: string, rows: AsyncIterable<ExportRow>, folder: string): Promise<void>;
  readRows(path: string, folder: string): AsyncIterable<ReadRow>;
  /** @throws LabError for a setting that the target cannot do */
  files(plan: ExportPlan): TargetFiles;
  /** How its program's log is read back. */
  log: TargetLog;
}

/** What a program logs of its steps. */
export interface TargetLog extends MetricNames {
  /** Starts reading a log of a training with this spec. */
  reader(spec: Spec): LineReader;
}

/** Refuses a setting that the target has nothing for. */
export function must(
  target: string,
  fits: boolean,
  setting: string,
  got: unknown,
  remedy: string,
): void {
  if (!fits)
    throw fault(`export ${target}`, `${setting} cannot be done there`, { got, try: remedy });
}

/** What no trainer but the lab's does. */
export function checkCommon(target: string, { grpo, cluster }: Spec): void {
  const refuse = (fits: boolean, setting: string, got: unknown, remedy: string): void =>
    must(target, fits, setting, got, remedy);
  refuse(
    cluster.model !== "",
    "training no model",
    cluster.model,
    "--preset srpo-7b, or --set cluster.model=NAME",
  );
  refuse(
    grpo.firstSolutionMask === "never",
    "grpo.firstSolutionMask",
    grpo.firstSolutionMask,
    "never",
  );
  refuse(
    grpo.aggregation === "sum_then_normalize",
    "grpo.aggregation",
    grpo.aggregation,
    "sum_then_normalize",
  );
  refuse(grpo.overlongBuffer === 0, "grpo.overlongBuffer", grpo.overlongBuffer, "0");
  refuse(
    grpo.importanceSampling === "none",
    "grpo.importanceSampling",
    grpo.importanceSampling,
    "none",
  );
  refuse(grpo.beta === 0 || grpo.klIn === "loss", "grpo.klIn", grpo.klIn, "loss");
  refuse(grpo.kl === "k3" || grpo.beta === 0, "grpo.kl", grpo.kl, "k3");
  refuse(
    (grpo.prompts * grpo.group) % grpo.miniBatches === 0 && grpo.prompts % grpo.miniBatches === 0,
    "a batch that its optimiser steps do not divide",
    { prompts: grpo.prompts, miniBatches: grpo.miniBatches },
    "grpo.miniBatches that divides grpo.prompts",
  );
}

/** What a target has for the spec's loss. @throws LabError where it has none */
export function lossOf<Loss>(
  target: string,
  { grpo }: Spec,
  losses: Readonly<Record<string, Loss | undefined>>,
): Loss {
  const loss = losses[grpo.loss];
  if (loss !== undefined) return loss;
  throw fault(`export ${target}`, "grpo.loss cannot be done there", {
    got: grpo.loss,
    try: Object.keys(losses).join(", "),
  });
}

/** Whether a filter of groups is on. */
export function filters({ grpo }: Spec): boolean {
  return grpo.filterLow > 0 || grpo.filterHigh < 1;
}

/**
 * Whether the filter drops the groups that are all right or all wrong and no others, which is what a filter by variance does.
 */
export function filtersUniform({ grpo: { filterLow, filterHigh, group } }: Spec): boolean {
  return filterLow > 0 && filterLow <= 1 / group && filterHigh < 1 && filterHigh >= 1 - 1 / group;
}

/** Passes over the data that the steps make. */
export function epochs({ grpo }: Spec, problems: number): number {
  return Math.max(1, Math.ceil((grpo.steps * grpo.prompts) / Math.max(1, problems)));
}

/** A sentence about groups that the filter drops, for programs that draw others in their place. */
export function replacedGroupsNote(spec: Spec, dropped: string): string[] {
  if (!filters(spec)) return [];
  return [`Groups that ${dropped} are replaced by others, where the lab leaves them out.`];
}

/** A sentence about the size of pictures, for programs without limits of their own. */
export const pixelNote = ({ cluster }: Spec): string =>
  `Pictures are resized within the limits of the checkpoint's preprocessor_config.json; set min_pixels ${cluster.minPixels} and max_pixels ${cluster.maxPixels} there.`;

/** Sentences about the divisor of advantages, which every program writes in its own way. */
export function divisorNote({ grpo }: Spec, epsilon: string): string[] {
  if (grpo.scaleRewards === "none") return [];
  const floor = grpo.stdFloor > 0 ? ` The spec's floor of ${grpo.stdFloor} is not applied.` : "";
  return [`Advantages are divided by the deviation plus ${epsilon}.${floor}`];
}
