/** The part of a rollout that every engine in this process has in common: batches, seeds, text. */
import type { PolicyBundle } from "../policy/bundle";
import type { GenerateOptions, PreparedPrompt, SampledTokens } from "../policy/sampling";
import type { Completion, Problem } from "../types";
import type { RolloutRequest } from "./engine";
import type { PromptCache } from "./prepare";

/** Rows that are written at once unless the request says otherwise. */
const ROWS = 128;

/**
 * @param sample completes one batch of prompts
 * @returns one list of `group` completions a problem, in the problems' order
 */
export async function sampleProblems(
  problems: readonly Problem[],
  request: RolloutRequest,
  {
    prompts,
    tokenizer,
    sample,
  }: {
    prompts: PromptCache;
    tokenizer: PolicyBundle["tokenizer"];
    sample: (
      prompts: readonly PreparedPrompt[],
      options: GenerateOptions,
    ) => Promise<SampledTokens[][]>;
  },
): Promise<Completion[][]> {
  const { style, messages, group, maxNewTokens, temperature, seed } = request;
  const { signal, record, onProgress } = request;
  const batch = request.batch ?? Math.max(1, Math.floor(ROWS / group));
  const out: Completion[][] = [];
  for (let at = 0; at < problems.length; at += batch) {
    signal?.throwIfAborted();
    const slice = problems.slice(at, at + batch);
    const sampled = await sample(await prompts.prepare(slice, style, messages), {
      group,
      maxNewTokens,
      temperature,
      keys: slice.map((problem) => `${seed}/${problem.id}`),
      signal,
      record,
    });
    for (const rows of sampled) {
      out.push(
        rows.map(({ ids, logprobs, entropies, truncated }) => ({
          ids,
          logprobs,
          entropies,
          truncated,
          text: tokenizer.decode(ids, { skipSpecial: true }),
        })),
      );
    }
    onProgress?.(out.length, problems.length);
  }
  return out;
}
