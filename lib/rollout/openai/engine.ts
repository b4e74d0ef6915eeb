/** Rollouts from any OpenAI-compatible server, pictures included. */
import { contentHash } from "../../engine/files";
import { mapBounded } from "../../engine/lists";
import { buildMessages } from "../../reflection/prompts";
import type { Completion, Problem } from "../../types";
import type { RolloutEngine, RolloutRequest } from "../engine";
import { RequestFailed, type ChatClient } from "./client";
import { pictureParts } from "./pictures";
import type { ChatPart, ChatRequest } from "./protocol";

export interface OpenAiEngineOptions {
  name?: string;
  /** Some servers refuse a seed. */
  sendSeed?: boolean;
  /** More fields of every request's body. */
  extra?: Readonly<Record<string, unknown>>;
}

/** Some problems' samples failed. */
export class SamplesFailed extends RequestFailed {
  constructor(
    message: string,
    /** Why, by the problem's place in the batch; all others are answered, and in the client's cache. */
    readonly reasons: ReadonlyMap<number, string>,
  ) {
    super(message);
  }
}

/**
 * An engine whose completions have text and a token count, but no token ids and no log-probabilities: enough to judge, not to train
 * on. Every sample is a request of its own, so that a group that was cut short goes on at its next sample.
 *
 * `rollout` answers what can be answered before it throws SamplesFailed; asked again, it pays for the rest only.
 */
export function createOpenAiEngine(
  client: ChatClient,
  { name = client.model, sendSeed = true, extra }: OpenAiEngineOptions = {},
): RolloutEngine {
  return {
    name,
    rollout: async (problems, request) => {
      const { group, signal, onProgress } = request;
      const completions: Completion[][] = problems.map(() => new Array<Completion>(group));
      const missing = problems.map(() => group);
      const tasks = problems.flatMap((_problem, at) =>
        Array.from({ length: group }, (_unused, member) => ({ at, member })),
      );
      const failed: string[] = [];
      const reasons = new Map<number, string>();
      let stop: unknown;
      let done = 0;
      // Twice as many as the client lets through: the next ones' pictures are read while those wait.
      await mapBounded(tasks, 2 * client.concurrency, async ({ at, member }) => {
        if (stop !== undefined) return;
        try {
          const asked = await chatRequest(problems[at], request, member, { sendSeed, extra });
          const reply = await client.complete(asked, { signal });
          completions[at][member] = {
            ...{ ids: [], logprobs: [], text: reply.text },
            ...{ truncated: reply.finishReason === "length" },
            tokenCount: reply.usage.completionTokens,
            promptTokens: reply.usage.promptTokens,
          };
          if (--missing[at] === 0) onProgress?.(++done, problems.length);
        } catch (error) {
          if (!(error instanceof RequestFailed)) return void (stop ??= error);
          failed.push(error.message);
          reasons.set(at, reasons.get(at) ?? error.message);
        }
      });
      if (stop !== undefined) throw stop;
      if (failed.length > 0) {
        throw new SamplesFailed(
          `${failed.length} of ${tasks.length} samples failed. The first: ${failed[0]}`,
          reasons,
        );
      }
      return completions;
    },
    close: () => undefined,
  };
}

/** The requests that a rollout makes, for an estimate of what it costs. */
export async function* rolloutRequests(
  problems: Iterable<Problem>,
  request: RolloutRequest,
): AsyncGenerator<ChatRequest> {
  for (const problem of problems) {
    for (let member = 0; member < request.group; member++) {
      yield await chatRequest(problem, request, member);
    }
  }
}

/** The request of one sample. @throws LabError when a picture cannot be read */
export async function chatRequest(
  problem: Problem,
  request: RolloutRequest,
  member: number,
  { sendSeed = true, extra }: Pick<OpenAiEngineOptions, "sendSeed" | "extra"> = {},
): Promise<ChatRequest> {
  const { style, seed, temperature, topP, maxNewTokens } = request;
  const pictures = await pictureParts(problem.images);
  const asked = request.messages?.(problem) ?? buildMessages(problem, style);
  const messages = asked.map(({ role, content }) => ({
    role,
    content:
      typeof content === "string"
        ? content
        : content.map((part) => (part.type === "text" ? part : (pictures.shift() as ChatPart))),
  }));
  return {
    ...{ messages, temperature, topP, maxTokens: maxNewTokens, sample: member },
    ...(extra === undefined ? {} : { extra }),
    ...(sendSeed ? { seed: sampleSeed(`${seed}/${problem.id}/${member}`) } : {}),
  };
}

/** 31 bits: what servers take for a seed. */
const sampleSeed = (text: string): number => parseInt(contentHash(text, 8), 16) >>> 1;
