/** Requests whose reply is to be a JSON object of a schema. */
import { LabError } from "../../engine/errors";
import { TeacherStopped } from "../../reflection/teacher";
import type { Problem } from "../../types";
import { RequestFailed, type ChatClient } from "./client";
import { pictureParts } from "./pictures";
import type { ChatPart, ChatRequest } from "./protocol";

/**
 * How a server is told the form: `json-schema` as OpenAI, vLLM and SGLang take it, `json-object` as llama.cpp does, `none` where
 * the words of the prompt must do.
 */
export const REPLY_FORMATS = ["json-schema", "json-object", "none"] as const;
export type ReplyFormat = (typeof REPLY_FORMATS)[number];

export interface StructuredOptions {
  format?: ReplyFormat;
  temperature?: number;
  /** Of one reply. */
  maxTokens?: number;
  /** Sent where it is given; not every server takes one. */
  seed?: number;
  /** More fields of every request's body. */
  extra?: Readonly<Record<string, unknown>>;
}

export interface Question {
  system: string;
  problem: Problem;
  /** What stands below the pictures. */
  text: string;
  /** The conversation after that: what the model wrote, and what it was told. */
  turns?: readonly { reply: string; answer: string }[];
  schema: Record<string, unknown>;
}

/** @throws LabError when a picture cannot be read */
export async function structuredRequest(
  { system, problem, text, turns = [], schema }: Question,
  { format = "json-schema", temperature = 0.7, maxTokens = 1500, seed, extra }: StructuredOptions,
): Promise<ChatRequest> {
  const content: ChatPart[] = [...(await pictureParts(problem.images)), { type: "text", text }];
  return {
    messages: [
      { role: "system", content: system },
      { role: "user", content },
      ...turns.flatMap(({ reply, answer }) => [
        { role: "assistant" as const, content: reply },
        { role: "user" as const, content: answer },
      ]),
    ],
    ...{ temperature, maxTokens },
    ...(seed === undefined ? {} : { seed }),
    extra: { ...extra, ...formatField(format, schema) },
  };
}

function formatField(format: ReplyFormat, schema: Record<string, unknown>) {
  switch (format) {
    case "json-schema":
      return {
        response_format: {
          type: "json_schema",
          json_schema: { name: "reply", strict: true, schema },
        },
      };
    case "json-object":
      return { response_format: { type: "json_object", schema } };
    case "none":
      return {};
  }
}

/** @throws RequestFailed when this request cannot be answered; TeacherStopped when none can; Interrupted */
export async function askForText(
  client: ChatClient,
  request: ChatRequest,
  signal?: AbortSignal,
): Promise<{ text: string; truncated: boolean }> {
  try {
    const { text, finishReason } = await client.complete(request, { signal });
    return { text, truncated: finishReason === "length" };
  } catch (error) {
    const lasting = error instanceof LabError && !(error instanceof RequestFailed);
    throw lasting ? new TeacherStopped(error.message) : error;
  }
}
