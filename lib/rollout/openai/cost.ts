/** What requests cost: tokens before a call, estimated; tokens and money after it, as the server counts them. */
import sharp from "sharp";
import { LabError } from "../../engine/errors";
import type { ChatRequest } from "./protocol";

export interface Usage {
  promptTokens: number;
  completionTokens: number;
}

/** Dollars a million tokens, as the provider's price list says. */
export interface Prices {
  input: number;
  output: number;
}

export interface Budget {
  /** Needs prices. */
  dollars?: number;
  /** Prompt and completion tokens together. */
  tokens?: number;
}

/** The budget is used up; what was paid for is in the cache. */
export class BudgetReached extends LabError {
  override name = "BudgetReached";
}

/** Characters a token in English text; other languages and formulas take more tokens. */
const CHARACTERS = 3.5;
/** Tokens around each message. */
const MESSAGE = 4;
/** A merged patch of 28 × 28 pixels is a token of Qwen2.5-VL; other models take fewer for a large picture. */
const PATCH = 28;
const FEWEST = 4;
const MOST = 16384;

/**
 * About how many tokens a request takes at most: text by its length, pictures by their size as Qwen2.5-VL counts them, and
 * all of the completion that it allows.
 */
export async function estimateUsage({ messages, maxTokens }: ChatRequest): Promise<Usage> {
  let promptTokens = 0;
  for (const { content } of messages) {
    promptTokens += MESSAGE;
    for (const part of typeof content === "string"
      ? [{ type: "text", text: content } as const]
      : content) {
      promptTokens +=
        part.type === "text" ? countText(part.text) : await pictureTokens(part.image_url.url);
    }
  }
  return { promptTokens, completionTokens: maxTokens };
}

/** About how many tokens a text has. */
export const countText = (text: string): number => Math.ceil(text.length / CHARACTERS);

/** About how long a text of so many tokens is. */
export const charactersOf = (tokens: number): number => Math.floor(tokens * CHARACTERS);

async function pictureTokens(url: string): Promise<number> {
  const [, base64] = /^data:[^,]*;base64,(.*)$/s.exec(url) ?? [];
  if (base64 === undefined) return MOST;
  try {
    const { width, height } = await sharp(Buffer.from(base64, "base64")).metadata();
    const tokens = Math.ceil(width / PATCH) * Math.ceil(height / PATCH);
    return Math.min(MOST, Math.max(FEWEST, tokens));
  } catch {
    return MOST;
  }
}

/** In dollars. */
export function costOf(
  { promptTokens, completionTokens }: Usage,
  { input, output }: Prices,
): number {
  return (promptTokens * input + completionTokens * output) / 1e6;
}

/** Adds up. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
  };
}
