/** Holds the policy against what `transformers` computed on the same checkpoint (`srpo parity`). */
import { readFileSync } from "node:fs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { groupBatch } from "./batch";
import { decode, decoderEnds, logits } from "./decoder";
import { generate } from "./generate";
import { chosenLogprobs } from "./head";
import type { Policy } from "./policy";
import { imageFeatures, type Grid } from "./vision";
import type { Tensor2D } from "@tensorflow/tfjs";

/** One case as `make_policy_fixture.py` writes it. */
export interface ParityCase {
  input_ids: number[];
  image_grid_thw: [number, number, number][];
  /** Flattened patches, or `null` without pictures. */
  pixel_values: number[] | null;
  last_logits: number[];
  /** Of every token after the first. */
  logprobs: number[];
  greedy: number[];
}

export interface ParityResult {
  maxAbsLogit: number;
  maxAbsLogprob: number;
  greedyEqual: boolean;
}

/** @throws LabError when the file is not a list of parity cases */
export function readParityCases(path: string): ParityCase[] {
  let cases: unknown;
  try {
    cases = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw fault("readParityCases", `cannot read ${path} (${(error as Error).message})`);
  }
  if (!Array.isArray(cases) || cases.some((c: ParityCase) => !Array.isArray(c?.input_ids))) {
    throw fault("readParityCases", `${path} does not hold parity cases`, {
      expected: "a JSON list of {input_ids, image_grid_thw, pixel_values, last_logits, …}",
    });
  }
  return cases as ParityCase[];
}

/** Runs one case: logits at the last position, log-probabilities of all tokens, and the greedy continuation. */
export async function checkParity(policy: Policy, example: ParityCase): Promise<ParityResult> {
  const { config, weights } = policy;
  const ids = example.input_ids;
  const grids = example.image_grid_thw as readonly Grid[];
  const features = imageFeatures(policy, example.pixel_values ?? [], grids);
  const [lastLogits, logprobs] = tf.tidy(() => {
    const images =
      features.length === 0
        ? undefined
        : tf.tensor2d(features, [
            features.length / config.decoder.hiddenSize,
            config.decoder.hiddenSize,
          ]);
    const hidden = decode(
      weights,
      config.decoder,
      groupBatch([{ ids, grids }], undefined, config),
      images,
    );
    const scores = logits(decoderEnds(weights, config.decoder), config.decoder, hidden);
    const before = scores.slice([0, 0], [ids.length - 1, -1]) as Tensor2D;
    return [
      scores.slice([ids.length - 1, 0]).dataSync(),
      chosenLogprobs(before, Int32Array.from(ids.slice(1))).dataSync(),
    ];
  });
  const [[sampled]] = await generate(policy, [{ ids, grids, features }], {
    group: 1,
    maxNewTokens: example.greedy.length,
    temperature: 0,
    keys: [0],
  });
  return {
    maxAbsLogit: maxAbsDifference(lastLogits, example.last_logits),
    maxAbsLogprob: maxAbsDifference(logprobs, example.logprobs),
    greedyEqual: sampled.ids.join() === example.greedy.join(),
  };
}

function maxAbsDifference(ours: ArrayLike<number>, theirs: readonly number[]): number {
  return theirs.reduce((worst, value, i) => Math.max(worst, Math.abs(value - ours[i])), 0);
}
