/** The tiny random-weight checkpoint that the policy's tests share, and what `transformers` computed on it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tf } from "../../lib/engine/backend";
import { createRandom, type Random } from "../../lib/engine/random";
import { groupBatch, type GroupedBatch } from "../../lib/policy/batch";
import { loadPolicy, savePolicy } from "../../lib/policy/checkpoint";
import { parsePolicyConfig } from "../../lib/policy/config";
import { imageTensor, type PreparedPrompt } from "../../lib/policy/generate";
import { readParityCases, type ParityCase } from "../../lib/policy/parity";
import { completionLogprobs, type Policy } from "../../lib/policy/policy";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { imageFeatures, type Grid } from "../../lib/policy/vision";
import { initialWeights } from "../../lib/policy/weights";

const REPOSITORY = join(__dirname, "../../..");

export const FIXTURES = join(REPOSITORY, "test/fixtures");
export const CHECKPOINT = join(FIXTURES, "policy/checkpoint");
export const CASES = join(FIXTURES, "policy/case.json");
export const BASE_POLICY = join(REPOSITORY, "datasets/base-policy");
/** A larger case, there only where the project's shared folder is. */
export const SHARED_PARITY = join(REPOSITORY, "../shared/parity");

export const loadFixture = (): Policy => loadPolicy(CHECKPOINT);
export const fixtureCases = (): ParityCase[] => readParityCases(CASES);

/** A Python that has `transformers`: the one in `SRPO_TEST_PYTHON`, or the repository's `.venv-test`. */
export function pythonWithTransformers(): string | undefined {
  const named = process.env.SRPO_TEST_PYTHON;
  if (named !== undefined && named !== "") return named;
  const local = join(REPOSITORY, ".venv-test/bin/python");
  return existsSync(local) ? local : undefined;
}

/** Random weights of the embedded policy's kind, narrow, with its tokenizer and image processor. */
export function writeTinyPolicy(folder: string): void {
  const { vocabSize, endId, padId, idOf } = loadTokenizer(BASE_POLICY);
  const json = JSON.parse(readFileSync(join(CHECKPOINT, "config.json"), "utf8"));
  const config = parsePolicyConfig({
    ...json,
    image_token_id: idOf("<|image_pad|>"),
    video_token_id: idOf("<|video_pad|>"),
    vision_start_token_id: idOf("<|vision_start|>"),
    vision_end_token_id: idOf("<|vision_end|>"),
    text_config: {
      ...json.text_config,
      ...{ vocab_size: vocabSize, eos_token_id: endId, pad_token_id: padId },
      // Widths that the fused operations take, so that trainings are tested on them.
      ...{ hidden_size: 32, intermediate_size: 64, num_attention_heads: 1, num_key_value_heads: 1 },
      rope_parameters: { ...json.text_config.rope_parameters, mrope_section: [4, 6, 6] },
    },
    vision_config: {
      ...json.vision_config,
      ...{ patch_size: 14, window_size: 56 },
    },
  });
  const weights = initialWeights(config, createRandom("tiny"));
  savePolicy({ config, weights }, folder, BASE_POLICY);
  weights.dispose();
}

/** A case's prompt as {@link generate} takes it, its pictures through this policy's vision tower. */
export function prepare(policy: Policy, example: ParityCase): PreparedPrompt {
  const grids = example.image_grid_thw as readonly Grid[];
  const features = imageFeatures(policy, example.pixel_values ?? [], grids);
  return { ids: example.input_ids, grids, features };
}

/** Text tokens only: no special ones, no placeholders. */
export function randomText(random: Random, length: number): number[] {
  return Array.from({ length }, () => random.int(3, 315));
}

/** A prompt with pictures of random pixels, placeholders expanded and framed as in the fixture's cases. */
export function randomPrompt(
  policy: Policy,
  seed: string,
  grids: readonly Grid[],
  text = 5,
): PreparedPrompt & { pixels: Float32Array } {
  const random = createRandom(seed);
  const { config } = policy;
  const { channels, temporalPatchSize, patchSize, mergeSize } = config.vision;
  const patches = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  const length = patches * channels * temporalPatchSize * patchSize ** 2;
  const pixels = Float32Array.from({ length }, () => random.normal());
  const ids = randomText(random, text);
  for (const [t, h, w] of grids) {
    const tokens = new Array<number>((t * h * w) / mergeSize ** 2).fill(config.imageTokenId);
    ids.push(config.visionStartTokenId, ...tokens, config.visionEndTokenId);
    ids.push(...randomText(random, 2));
  }
  return { ids, grids, pixels, features: imageFeatures(policy, pixels, grids) };
}

/** Log-probabilities of completions as plain numbers, in the order of `predictionIndices`. */
export function scoreCompletions(
  policy: Policy,
  prompts: readonly PreparedPrompt[],
  completions: readonly (readonly (readonly number[])[])[],
): Float32Array {
  const batch: GroupedBatch = groupBatch(prompts, completions, policy.config);
  return tf.tidy(() =>
    completionLogprobs(policy, batch, imageTensor(prompts, policy.config))
      .dataSync<"float32">()
      .slice(),
  );
}

export function maxAbsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Infinity;
  // Written so that a NaN counts as different.
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** A temporary folder that is gone after the enclosing suite. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "srpo-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
