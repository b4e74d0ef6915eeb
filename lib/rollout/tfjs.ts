/** Rollouts from a policy in this process, on tfjs. */
import type { PolicyBundle } from "../policy/bundle";
import { generate } from "../policy/generate";
import type { Completion } from "../types";
import type { RolloutEngine } from "./engine";
import { createPromptCache, type PromptCache } from "./prepare";

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
    rollout: async (problems, request) => {
      const { style, group, maxNewTokens, temperature, seed, signal, onProgress } = request;
      const batch = request.batch ?? Math.max(1, Math.floor(128 / group));
      const out: Completion[][] = [];
      for (let at = 0; at < problems.length; at += batch) {
        const slice = problems.slice(at, at + batch);
        const sampled = await generate(bundle, await prompts.prepare(slice, style), {
          group,
          maxNewTokens,
          temperature,
          keys: slice.map((problem) => `${seed}/${problem.id}`),
          signal,
        });
        for (const rows of sampled) {
          out.push(
            rows.map((row) => ({
              ids: row.ids,
              logprobs: row.logprobs,
              truncated: row.truncated,
              text: bundle.tokenizer.decode(row.ids, { skipSpecial: true }),
            })),
          );
        }
        onProgress?.(out.length, problems.length);
      }
      return out;
    },
    close: () => undefined,
  };
}
