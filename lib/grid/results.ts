/**
 * The results of an experiment, small enough to be committed: `datasets/paper-mini/results.jsonl`. Its first line says what was
 * run on which problems; each other line is one variant with one seed. Everything that the notebook's statistics need is
 * there, problem by problem, and no text of a policy but a few samples.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "../config";
import type { Outcome } from "../reflection/transitions";
import { fault } from "../engine/errors";
import { readJsonl, writeJsonl } from "../engine/files";
import { projectRoot } from "../paths";
import type { Variant } from "./variants";

export interface GridHeader {
  kind: "paper-mini";
  version: 1;
  /** Before a variant's own changes and with the first seed. */
  spec: Spec;
  /** Hash of the base policy's files. */
  base: string;
  /** The variants' starts, rewards and changes. */
  variants: readonly Variant[];
  seeds: readonly number[];
  /** `family-level` of each problem in order, and a hash of their ids. */
  problems: Record<EvaluationSet, { hash: string; kinds: string[] }>;
  versions: Record<string, string>;
}

export type EvaluationSet = "test" | "ood";
export type EvaluationMode = "greedy" | "sampled";

/** A value a step; `null` where a step had none. `step` is among them. */
export type Curve = Record<string, (number | null)[]>;

/** What the answers to a problem set were. */
export interface Marks {
  /** A letter an answer, see {@link OUTCOMES}; a problem's samples stand together. */
  outcomes: string;
  /** A letter an answer, see {@link RATINGS}; only of greedy answers. */
  ratings?: string;
  /** Whether the first think of an answer reads the picture whole (`y`) or not (`n`); only of greedy answers. */
  readings?: string;
  /** Mean completion length. */
  tokens: number;
  /** Share that the token limit cut off. */
  truncated: number;
}

/** One rollout to be looked at. */
export interface GridSample {
  step: number;
  question: string;
  gold: string;
  text: string;
  transition: string;
  total: number;
}

export interface RunRecord {
  variant: string;
  seed: number;
  /** Of everything that determined it. */
  hash: string;
  /** Seconds of each stage, by whichever run did it. */
  seconds: Record<string, number>;
  /** Names of the stages' run directories. */
  runs: Record<string, string>;
  /** Optimiser steps of the SFT, and tokens that it saw. */
  sft?: { steps: number; examples: number; tokens: number };
  /** The guard's baseline where the run took it from its own data. */
  firstBaseline?: number;
  grpo?: Curve;
  /** What the logged rollouts' reflections were. */
  reflections?: Curve;
  samples?: GridSample[];
  evaluation: Record<EvaluationSet, Record<EvaluationMode, Marks>>;
}

export interface GridResults {
  header: GridHeader;
  runs: RunRecord[];
}

/** Right or wrong of the first answer and the second, where there is one. */
export const OUTCOMES = {
  r: { first: true, second: null },
  w: { first: false, second: null },
  "=": { first: true, second: true },
  "+": { first: false, second: true },
  "-": { first: true, second: false },
  x: { first: false, second: false },
} as const satisfies Readonly<Record<string, Outcome>>;

export const RATINGS = { e: "effective", n: "redundant", d: "detrimental" } as const;

export function outcomeLetter(outcome: Outcome): string {
  const found = Object.entries(OUTCOMES).find(
    ([, { first, second }]) => first === outcome.first && second === outcome.second,
  );
  return (found as [string, Outcome])[0];
}

/** The outcomes of a problem set, problem by problem. @param problems how many there are */
export function readOutcomes({ outcomes }: Marks, problems: number): Outcome[][] {
  const each = outcomes.length / problems;
  if (!Number.isInteger(each)) {
    throw fault("readOutcomes", "the answers do not fit the problems", {
      got: { answers: outcomes.length, problems },
    });
  }
  return Array.from({ length: problems }, (_, i) =>
    [...outcomes.slice(i * each, (i + 1) * each)].map(
      (letter) => OUTCOMES[letter as keyof typeof OUTCOMES],
    ),
  );
}

/** Where the committed results are. */
export const resultsFile = join(projectRoot, "datasets/paper-mini/results.jsonl");

export function writeResults({ header, runs }: GridResults, file: string): void {
  writeJsonl(file, [header, ...runs]);
}

/** @throws LabError when the file is absent or of another kind */
export function readResults(file: string = resultsFile): GridResults {
  if (!existsSync(file)) {
    throw fault("readResults", `no results at ${file}`, {
      try: "npx srpo paper-mini run, then npx srpo paper-mini report",
    });
  }
  const [header, ...runs] = readJsonl<unknown>(file);
  const { kind, version } = (header ?? {}) as Partial<GridHeader>;
  if (kind !== "paper-mini" || version !== 1) {
    throw fault("readResults", `${file} holds other results`, {
      got: { kind, version },
      expected: "paper-mini, version 1",
    });
  }
  return { header: header as GridHeader, runs: runs as RunRecord[] };
}
