/** The options of a model that replies with JSON: the teacher's and the judge's. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { REPLY_FORMATS, type ReplyFormat } from "../rollout/openai/structured";

export interface ReplyOptions {
  format: ReplyFormat;
  extra?: Record<string, unknown>;
}

export function replyOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--format <how>",
        "how the server is told the reply's form: json-schema (OpenAI, vLLM, SGLang), json-object (llama.cpp), none",
      )
        .choices(REPLY_FORMATS)
        .default("json-schema"),
    )
    .option("--extra <json>", "more fields of every request's body, as a JSON object", jsonObject);
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError("Write a JSON object.");
}
