/** A judge model behind an OpenAI-compatible server; cache, retries, budget and cost are its client's. */
import { RequestFailed, type ChatClient } from "../rollout/openai/client";
import type { Judge } from "./judge";

/** Extractions and verdicts are short; an extracted set or matrix may have some lines. */
const MAX_TOKENS = 512;

/** @throws (when called) whatever ends every request: a wrong key, a budget that is reached, an interrupt */
export function createJudge(client: ChatClient, { signal }: { signal?: AbortSignal } = {}): Judge {
  return async ({ prompt, temperature, attempt }) => {
    try {
      const { text } = await client.complete(
        {
          messages: [{ role: "user", content: prompt }],
          ...{ temperature, maxTokens: MAX_TOKENS, sample: attempt },
        },
        { signal },
      );
      return text;
    } catch (error) {
      if (error instanceof RequestFailed) return null;
      throw error;
    }
  };
}
