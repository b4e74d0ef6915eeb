/** How long sampling takes, prefill included, as batches grow. */
import { generate } from "../policy/generate";
import { syntheticPolicy, syntheticProblems, syntheticPrompts, type PolicySize } from "./synthetic";

export interface DecodeWork extends PolicySize {
  /** Problems at once. */
  prompts: number;
  /** Completions a problem. */
  group: number;
  promptTokens: number;
  newTokens: number;
  /** Batches that are timed, after one that is not. */
  repeats: number;
}

/** Seconds of each batch of completions, all of them `newTokens` long. */
export async function decodeSeconds(work: DecodeWork): Promise<number[]> {
  const { prompts, group, promptTokens, newTokens, repeats } = work;
  const bundle = syntheticPolicy(work);
  const cache = syntheticPrompts(bundle, promptTokens);
  const seconds: number[] = [];
  try {
    const prepared = await cache.prepare(syntheticProblems(prompts), "direct");
    const keys = prepared.map((_prompt, i) => i);
    for (let round = 0; round <= repeats; round++) {
      const begun = performance.now();
      await generate(bundle, prepared, { group, maxNewTokens: newTokens, temperature: 1, keys });
      seconds.push((performance.now() - begun) / 1000);
    }
  } finally {
    bundle.weights.dispose();
  }
  return seconds.slice(1);
}
