/**
 * A policy of random weights and prompts of random words, of any size: what speed is measured on, where nothing of the
 * result matters. No token ends a completion, so that every one is exactly as long as it may be.
 */
import { createRandom } from "../engine/random";
import { basePolicyFolder } from "../paths";
import type { PolicyBundle } from "../policy/bundle";
import { readPolicyConfig, type PolicyConfig } from "../policy/config";
import { loadImageProcessor } from "../policy/image-processor";
import { loadTokenizer } from "../policy/tokenizer";
import { initialWeights } from "../policy/weights";
import type { PromptCache } from "../rollout/prepare";
import type { Problem } from "../types";

export interface PolicySize {
  /** Width of the residual stream; heads are 32 wide, two query heads share a key/value head, the MLP is 3 times as wide. */
  hidden: number;
  layers: number;
}

const HEAD = 32;

/** The embedded policy's architecture and vocabulary at another size. The caller disposes of the weights. */
export function syntheticPolicy({ hidden, layers }: PolicySize): PolicyBundle {
  const folder = basePolicyFolder;
  const embedded = readPolicyConfig(folder);
  const heads = Math.max(1, Math.floor(hidden / HEAD));
  const config: PolicyConfig = {
    ...embedded,
    decoder: {
      ...embedded.decoder,
      ...{ hiddenSize: hidden, layers, heads, headDim: HEAD, intermediateSize: 3 * hidden },
      kvHeads: Math.max(1, Math.floor(heads / 2)),
      eosTokenId: -1,
    },
    vision: { ...embedded.vision, depth: 1, outputSize: hidden },
  };
  return {
    config,
    weights: initialWeights(config, createRandom("synthetic")),
    tokenizer: loadTokenizer(folder),
    processor: loadImageProcessor(folder),
    folder,
  };
}

/** Problems without pictures, told apart by their ids. */
export function syntheticProblems(count: number): Problem[] {
  return Array.from({ length: count }, (_unused, i) => ({
    id: `synthetic-${i}`,
    question: "",
    images: [],
    answer: "1",
    answerType: "number",
    family: "synthetic",
    level: 1,
    subject: "none",
    source: "synthetic",
  }));
}

/** Prompts of `length` random text tokens, the same ones for the same problem. */
export function syntheticPrompts({ tokenizer }: PolicyBundle, length: number): PromptCache {
  // Special tokens come last in the vocabulary.
  const words = tokenizer.padId;
  return {
    prepare: async (problems) =>
      problems.map(({ id }) => {
        const random = createRandom(id);
        const ids = Array.from({ length }, () => random.int(0, words - 1));
        return { ids, grids: [], features: new Float32Array() };
      }),
  };
}
