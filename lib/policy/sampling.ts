/**
 * Sampling's bookkeeping, which does not depend on what computes the policy: random streams, stop tokens, and when
 * finished rows leave the batch. Every engine that samples from a policy in this process shares it, and so draws the same
 * tokens from the same seed.
 */
import { fault } from "../engine/errors";
import { createRandom, type Random } from "../engine/random";
import type { PromptTokens } from "./batch";
import type { DecoderConfig } from "./config";
import type { Tape } from "./tape";

/** A prompt with its pictures' merged tokens, `[tokens · D]` as the vision tower computed them. */
export interface PreparedPrompt extends PromptTokens {
  features: Float32Array;
}

export interface GenerateOptions {
  /** Completions a prompt (G). */
  group: number;
  maxNewTokens: number;
  /** 0 takes the most likely token. */
  temperature: number;
  /** One key a prompt; the stream of member g of prompt p is seeded by `${keys[p]}/${g}`. */
  keys: readonly (string | number)[];
  /** Tokens that end a completion; the config's end-of-sequence token by default. */
  stopIds?: readonly number[];
  signal?: AbortSignal;
  /**
   * Receives what the first update on these completions can use again, and owns it; not called where there is none.
   */
  record?: (tape: Tape) => void;
}

/** A completion before its tokens are turned into text. */
export interface SampledTokens {
  /** The stop token included when there was one. */
  ids: number[];
  /** Natural logarithms of each token's probability under the policy at temperature 1. */
  logprobs: number[];
  /** Entropy of the policy at temperature 1 at each token, in nats. */
  entropies: number[];
  truncated: boolean;
}

/** One token a row, with its log-probability and the entropy it was drawn at, both at temperature 1. */
export interface DrawnTokens {
  ids: ArrayLike<number>;
  logprobs: ArrayLike<number>;
  entropies: ArrayLike<number>;
}

/** The completions of a batch while they are written; rows are numbered prompt by prompt, member by member. */
export interface Ledger {
  results: SampledTokens[];
  streams: Random[];
  stops: ReadonlySet<number>;
}

/** Rows are compacted when fewer than this share of them are still being written. */
const COMPACT_BELOW = 0.75;

/** @throws LabError for an empty batch or options out of range */
export function openLedger(
  prompts: readonly PreparedPrompt[],
  options: GenerateOptions,
  { eosTokenId }: DecoderConfig,
): Ledger {
  checkOptions(prompts, options);
  const { group, keys, stopIds = [eosTokenId] } = options;
  return {
    results: Array.from({ length: prompts.length * group }, () => ({
      ids: [],
      logprobs: [],
      entropies: [],
      truncated: true,
    })),
    streams: keys.flatMap((key) =>
      Array.from({ length: group }, (_unused, g) => createRandom(`${key}/${g}`)),
    ),
    stops: new Set(stopIds),
  };
}

/** The next number in [0, 1) of each row's own stream, cut to float32's 24 bits because rounding could make it 1. */
export function nextUniforms({ streams }: Ledger, rows: readonly number[]): Float32Array {
  return new Float32Array(rows.map((row) => Math.floor(streams[row].next() * 2 ** 24) / 2 ** 24));
}

/**
 * Writes down one step's tokens; rows that have ended before are passed over.
 * @param rows the rows that the tokens were drawn for
 * @returns places in `rows` of those that go on
 * @throws LabError when the policy gave no probabilities
 */
export function writeDown(
  { results, stops }: Ledger,
  rows: readonly number[],
  drawn: DrawnTokens,
): number[] {
  const alive: number[] = [];
  rows.forEach((row, i) => {
    const result = results[row];
    if (!result.truncated) return;
    if (Number.isNaN(drawn.logprobs[i])) {
      throw fault("generate", "the policy gives no probabilities (NaN)", {
        expected: "finite weights and picture features",
        try: "a checkpoint from before the training diverged",
      });
    }
    result.ids.push(drawn.ids[i]);
    result.logprobs.push(drawn.logprobs[i]);
    result.entropies.push(drawn.entropies[i]);
    if (stops.has(drawn.ids[i])) result.truncated = false;
    else alive.push(i);
  });
  return alive;
}

/** Whether so many rows have ended that moving the others together pays. */
export function compactionPays(alive: number, rows: number): boolean {
  return alive < COMPACT_BELOW * rows;
}

/** The completions, one list a prompt. */
export function closeLedger({ results }: Ledger, group: number): SampledTokens[][] {
  return Array.from({ length: results.length / group }, (_unused, p) =>
    results.slice(p * group, (p + 1) * group),
  );
}

/** The batch's merged image tokens end to end, `[sum · D]`; empty when no prompt has a picture. */
export function joinFeatures(prompts: readonly PreparedPrompt[]): Float32Array {
  const values = new Float32Array(prompts.reduce((sum, { features }) => sum + features.length, 0));
  let at = 0;
  for (const { features } of prompts) {
    values.set(features, at);
    at += features.length;
  }
  return values;
}

function checkOptions(prompts: readonly PreparedPrompt[], options: GenerateOptions): void {
  const { group, maxNewTokens, temperature, keys } = options;
  const must = (ok: boolean, what: string, got: unknown, expected: string): void => {
    if (!ok) throw fault("generate", what, { got, expected });
  };
  must(prompts.length > 0, "no prompts", prompts.length, "at least one");
  must(Number.isInteger(group) && group > 0, "group", group, "a whole number from 1");
  const whole = Number.isInteger(maxNewTokens) && maxNewTokens > 0;
  must(whole, "maxNewTokens", maxNewTokens, "a whole number from 1");
  must(temperature >= 0, "temperature", temperature, "0 (greedy) or more");
  must(keys.length === prompts.length, "keys", keys.length, `one a prompt, ${prompts.length}`);
}
