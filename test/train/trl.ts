/** What TRL 1.16 computed for the GRPO family; `make_trl_fixture.py` beside the numbers made them, in float64. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { objectiveDefaults, type ObjectiveConfig } from "../../lib/train/objective";
import { lossWeights, type BatchSize } from "../../lib/train/weights";
import { FIXTURES } from "../policy/fixture";

type Metrics = Record<string, number>;
type CaseConfig = Partial<ObjectiveConfig> & { importance?: "token" | "sequence" };

interface LossCase {
  config: CaseConfig;
  masks: "all" | "some";
  gradient: number[];
  metrics: Metrics;
  /** The loss with four ways to pad the same completions. */
  padded: number[];
  /** The sum over two micro-batches; TRL's `bnpo` has none that equals the whole. */
  accumulated?: number;
}

interface Golden {
  batch: {
    lengths: number[];
    maxNewTokens: number;
    /** Optimiser steps that the batch of rollouts is made into, and its tokens. */
    steps: number;
    rolloutTokens: number;
    masks: Record<"all" | "some", number[][]>;
    logprobs: number[];
    oldLogprobs: number[];
    refLogprobs: number[];
    samplerLogprobs: number[];
    /** One a completion. */
    advantages: number[];
    importance: Record<"token" | "sequence", number[]>;
    logits: number[][];
    targets: number[];
  };
  losses: LossCase[];
  entropy: {
    config: CaseConfig;
    masks: "all" | "some";
    loss: number;
    gradient: number[][];
    metrics: Metrics;
  }[];
  advantages: {
    parts: number[][][];
    stdEpsilon: number;
    cases: (Pick<ObjectiveConfig, "aggregation" | "scaleRewards"> & { advantages: number[][] })[];
  };
  importance: {
    config: Pick<ObjectiveConfig, "importanceSampling" | "importanceMin" | "importanceMax">;
    maskTruncated: boolean;
    mask: number[];
    activeTokens: number;
    ratios: number[];
    metrics: Metrics;
  }[];
  klInReward: { rewards: number[]; beta: number; leaveOneOut: number[]; kl: number };
  overlong: { maxNewTokens: number; overlongBuffer: number; lengths: number[]; rewards: number[] };
}

export const golden = JSON.parse(readFileSync(join(FIXTURES, "train/trl.json"), "utf8")) as Golden;

/** Float32 on numbers of size 1, against float64. */
export const CLOSE = 1e-6;

export function configOf(config: CaseConfig): ObjectiveConfig {
  return { ...objectiveDefaults, ...config };
}

export function masksOf(name: "all" | "some"): Float32Array[] {
  return golden.batch.masks[name].map((mask) => Float32Array.from(mask));
}

/** The size of the golden batch. */
export function sizeOf(masks: readonly Float32Array[]): BatchSize {
  const { maxNewTokens, rolloutTokens, steps } = golden.batch;
  const tokens = masks.reduce((sum, mask) => mask.reduce((a, b) => a + b, sum), 0);
  return { sequences: masks.length, tokens, tokensPerStep: rolloutTokens / steps, maxNewTokens };
}

/** Tokens of the completions `[from, to)` of the golden batch, weighted by the size of the whole of it. */
export function termsOf(
  config: CaseConfig & { loss: ObjectiveConfig["loss"] },
  masks: readonly Float32Array[],
  [from, to]: [number, number] = [0, masks.length],
) {
  const { batch } = golden;
  const lengths = batch.lengths.slice(from, to);
  const start = batch.lengths.slice(0, from).reduce((a, b) => a + b, 0);
  const end = lengths.reduce((a, b) => a + b, start);
  const part = (values: readonly number[]): Float32Array =>
    Float32Array.from(values.slice(start, end));
  const size = sizeOf(masks);
  return {
    logprobs: part(batch.logprobs),
    terms: {
      lengths,
      oldLogprobs: part(batch.oldLogprobs),
      refLogprobs: part(batch.refLogprobs),
      advantages: part(
        batch.lengths.flatMap((length, r) => new Array<number>(length).fill(batch.advantages[r])),
      ),
      weights: lossWeights(config.loss, masks.slice(from, to), size),
      entropyWeights: lossWeights("bnpo", masks.slice(from, to), size),
      importance:
        config.importance === undefined ? undefined : part(batch.importance[config.importance]),
    },
  };
}
