/** Rollouts from a policy in this process, on tfjs. */
import type { PolicyBundle } from "../policy/bundle";
import { generate } from "../policy/generate";
import type { RolloutEngine } from "./engine";
import { createPromptCache, type PromptCache } from "./prepare";
import { sampleProblems } from "./sampled";

/**
 * @param bundle stays the caller's: closing the engine leaves its weights alone, and an update between two rollouts shows
 * at once
 */
export function createTfjsEngine(
  bundle: PolicyBundle,
  {
    name = "tfjs",
    prompts = createPromptCache(bundle),
  }: { name?: string; prompts?: PromptCache } = {},
): RolloutEngine {
  return {
    name,
    rollout: (problems, request) =>
      sampleProblems(problems, request, {
        prompts,
        tokenizer: bundle.tokenizer,
        sample: (prepared, options) => generate(bundle, prepared, options),
      }),
    close: () => undefined,
  };
}
