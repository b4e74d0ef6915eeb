/** A checkpoint folder opened whole: weights, tokenizer and image processor that belong together. */
import { fault } from "../engine/errors";
import { loadPolicy } from "./checkpoint";
import { loadImageProcessor, type ImageProcessor } from "./image-processor";
import type { Policy } from "./policy";
import { checkTokenizerFits, loadTokenizer, type Tokenizer } from "./tokenizer";

export interface PolicyBundle extends Policy {
  tokenizer: Tokenizer;
  processor: ImageProcessor;
  /** Where the files came from; the tokenizer's are copied from here when the policy is saved elsewhere. */
  folder: string;
}

/**
 * Opens a checkpoint. The caller disposes of `weights`.
 * @throws LabError naming the file when one is missing or broken, or when tokenizer, processor and weights do not fit
 */
export function openPolicy(folder: string): PolicyBundle {
  const tokenizer = loadTokenizer(folder);
  const processor = loadImageProcessor(folder);
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
