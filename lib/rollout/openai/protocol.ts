/** The part of OpenAI's chat protocol that the client speaks: where, what is sent, what comes back. */
import { fault } from "../../engine/errors";
import { countText, type Usage } from "./cost";
import type { StoredReply } from "./reply-cache";

/** Parts of a message as the protocol has them; pictures as `data:` URLs. */
export type ChatPart =
  { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

export interface ChatRequest {
  messages: readonly {
    role: "system" | "user" | "assistant";
    content: string | readonly ChatPart[];
  }[];
  maxTokens: number;
  /** Left to the server where it is left out; some models take none. */
  temperature?: number;
  topP?: number;
  /** Sent where it is given; not every server follows it. */
  seed?: number;
  /** Which of several samples of one request this is: each is asked for, paid and kept by itself. */
  sample?: number;
  /** More fields of the body, e.g. `response_format` or vLLM's `top_k`. */
  extra?: Readonly<Record<string, unknown>>;
}

/** The body of a request. @param options the model, and how the server calls the token limit */
export function bodyOf(
  { messages, maxTokens, temperature, topP, seed, extra }: ChatRequest,
  { model, maxTokensField = "max_tokens" }: { model: string; maxTokensField?: string },
): Record<string, unknown> {
  return {
    ...extra,
    ...{ model, messages, stream: false, [maxTokensField]: maxTokens },
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** @throws LabError when there is none, or it holds a password */
export function serverAddress(given: string | undefined): string {
  const address = given ?? process.env.OPENAI_BASE_URL ?? "";
  if (address === "") {
    throw fault("createChatClient", "no server is named", {
      try: "baseUrl: 'http://127.0.0.1:8000/v1' (--base-url of a command), or OPENAI_BASE_URL in the environment",
    });
  }
  let url: URL | null = null;
  try {
    url = new URL(address);
  } catch {
    // Said below, without the address: it may hold a password.
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw fault("createChatClient", "the server's address cannot be used", {
      expected: "http:// or https:// with a path such as /v1, without a password or a query",
      try: "the key in OPENAI_API_KEY",
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** The first choice of a reply, `null` when there is none. A server that does not count tokens is taken at the estimate. */
export function readReply(body: unknown, expected: Usage): StoredReply | null {
  const { choices, usage, model } = (body ?? {}) as {
    choices?: { message?: { content?: unknown }; finish_reason?: unknown }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
    model?: unknown;
  };
  const choice = Array.isArray(choices) ? choices[0] : undefined;
  // A reply that a filter or the token limit has emptied is one; a message without a content field is not.
  const content =
    choice?.message?.content ?? (choice?.finish_reason === undefined ? undefined : "");
  if (typeof content !== "string" || choice?.message === undefined) return null;
  const count = (value: unknown, otherwise: number): number =>
    typeof value === "number" && value >= 0 ? value : otherwise;
  return {
    text: content,
    finishReason: typeof choice.finish_reason === "string" ? choice.finish_reason : "stop",
    model: typeof model === "string" ? model : "",
    usage: {
      promptTokens: count(usage?.prompt_tokens, expected.promptTokens),
      completionTokens: count(usage?.completion_tokens, countText(content)),
    },
  };
}
