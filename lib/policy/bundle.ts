/** A checkpoint folder opened whole: weights, tokenizer and image processor that belong together. */
import { fault } from "../engine/errors";
import { loadPolicy } from "./checkpoint";
import { loadImageProcessor, type ImageProcessor } from "./image-processor";
import { absorbAdapters, freshAdapters, withAdaptersOfNow, type LoraConfig } from "./lora";
import { checkpointOf } from "./peft";
import type { Policy } from "./policy";
import { checkTokenizerFits, loadTokenizer, type Tokenizer } from "./tokenizer";

export interface PolicyBundle extends Policy {
  tokenizer: Tokenizer;
  processor: ImageProcessor;
  /** Where the files came from; the tokenizer's are copied from here when the policy is saved elsewhere. */
  folder: string;
}

/**
 * Opens a checkpoint, or adapters with the checkpoint that they name. The caller disposes of `weights`.
 * @throws LabError naming the file when one is missing or broken, or when tokenizer, processor and weights do not fit
 */
export function openPolicy(folder: string): PolicyBundle {
  const home = checkpointOf(folder);
  const tokenizer = loadTokenizer(home);
  const processor = loadImageProcessor(home);
  const policy = loadPolicy(folder);
  try {
    checkTokenizerFits(tokenizer, policy.config);
    checkProcessorFits(processor, policy);
  } catch (error) {
    policy.weights.dispose();
    throw error;
  }
  return { ...policy, tokenizer, processor, folder };
}

/**
 * The policy as a training takes it, its weights taken over: with adapters to train, or without any. Adapters that it came
 * with are trained on; where all weights are trained they are added to these first.
 * @param seed of fresh adapters
 * @throws LabError when it came with adapters of another rank, alpha or targets
 */
export function policyToTrain(bundle: PolicyBundle, lora: LoraConfig, seed: number): PolicyBundle {
  const { weights, config, folder } = bundle;
  if (lora.rank === 0) {
    return weights.adapters === undefined
      ? bundle
      : { ...bundle, weights: absorbAdapters(weights) };
  }
  if (weights.adapters === undefined) {
    return { ...bundle, weights: freshAdapters(weights, config, lora, { base: folder, seed }) };
  }
  const [have, want] = [weights.adapters.config, lora].map(({ rank, alpha, targets }) =>
    JSON.stringify({ rank, alpha, targets: [...targets].sort() }),
  );
  if (have === want) return bundle;
  throw fault("policyToTrain", `${folder} has adapters of another kind`, {
    got: have,
    expected: want,
    try: "srpo policy merge first, or the same lora settings",
  });
}

/**
 * The policy that a training is about to start from, as the KL's reference: with adapters the same frozen weights, with
 * the adapters as they are before the first step, which fresh ones add nothing to. The caller disposes of `weights`.
 */
export function copyOfStart({ config, weights, folder }: PolicyBundle): Policy {
  if (weights.adapters === undefined) return loadPolicy(folder);
  return { config, weights: withAdaptersOfNow(weights) };
}

function checkProcessorFits({ config: processor }: ImageProcessor, { config }: Policy): void {
  for (const key of ["patchSize", "temporalPatchSize", "mergeSize"] as const) {
    if (processor[key] !== config.vision[key]) {
      throw fault("openPolicy", `${key} in preprocessor_config.json does not fit config.json`, {
        got: processor[key],
        expected: String(config.vision[key]),
      });
    }
  }
}
