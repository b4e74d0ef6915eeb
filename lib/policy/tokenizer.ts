/**
 * Text to token ids and back, and chat messages to prompts, from a checkpoint's own files: `tokenizer.json`,
 * `tokenizer_config.json` and its chat template. Hugging Face's JavaScript libraries do the work.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { fault } from "../engine/errors";
import type { PolicyConfig } from "./config";
import { createTokenCounter } from "./token-count";
import type { Grid } from "./vision";

/** One turn, in the form that chat templates of vision models expect. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string | ContentPart[];
}

export type ContentPart = { type: "text"; text: string } | { type: "image" };

export interface Tokenizer {
  /** Number of ids: the highest one plus one. */
  vocabSize: number;
  /** The token that ends a turn, and the one that fills short rows. */
  endId: number;
  padId: number;
  /** The texts of the tokens that {@link decode} skips. */
  specialTokens: readonly string[];
  /** Ids without special tokens around them; special tokens written in the text become their ids. */
  encode(text: string): number[];
  /** Ids that the tokenizer does not know (a model's vocabulary may be padded) become nothing. */
  decode(ids: readonly number[], options?: { skipSpecial?: boolean }): string;
  /** @throws LabError when `token` is not a single token */
  idOf(token: string): number;
  /** The token as the vocabulary spells it; `undefined` beyond its end. */
  tokenOf(id: number): string | undefined;
  countTokens(text: string): number;
  /** The prompt's text. @throws LabError when there is no chat template or it refuses the messages */
  applyChatTemplate(
    messages: readonly Message[],
    options?: { addGenerationPrompt?: boolean },
  ): string;
}

type Json = Record<string, unknown>;

/**
 * Loads the tokenizer of a checkpoint folder.
 * @throws LabError naming the file when it is missing, not JSON or not a tokenizer
 */
export function loadTokenizer(dir: string): Tokenizer {
  const path = join(dir, "tokenizer.json");
  const config = readJson(join(dir, "tokenizer_config.json"));
  const definition = readJson(path);
  let hub: HubTokenizer;
  try {
    hub = new HubTokenizer(definition, config);
  } catch (error) {
    throw fault("loadTokenizer", `${path} is not a tokenizer (${(error as Error).message})`, {
      expected: "the tokenizer.json that Hugging Face's fast tokenizers write",
      try: "copy or download the file again",
    });
  }
  const ids = [...hub.get_vocab(true).values()];
  const idOf = (token: string): number => {
    const id = hub.token_to_id(token);
    if (id !== undefined) return id;
    throw fault("idOf", `${JSON.stringify(token)} is not a token of ${path}`, {
      try: "use the tokenizer that belongs to the checkpoint",
    });
  };
  const endId = idOf(tokenName(config.eos_token) ?? "<|im_end|>");
  const padToken = tokenName(config.pad_token);
  const encode = (text: string): number[] =>
    text === "" ? [] : hub.encode(text, { add_special_tokens: false }).ids;
  const template = chatTemplate(dir, config);
  return {
    vocabSize: ids.reduce((highest, id) => Math.max(highest, id), -1) + 1,
    endId,
    padId: padToken === undefined ? endId : idOf(padToken),
    specialTokens: [...hub.get_added_tokens_decoder().values()]
      .filter(({ special }) => special)
      .map(({ content }) => content),
    encode,
    decode: (all, { skipSpecial = false } = {}) => {
      const known = all.filter((id) => hub.id_to_token(id) !== undefined);
      if (known.length === 0) return "";
      // The library would tidy spaces before punctuation unless told; transformers 5 does not.
      const clean = config.clean_up_tokenization_spaces === true;
      return hub.decode(known, {
        skip_special_tokens: skipSpecial,
        clean_up_tokenization_spaces: clean,
      });
    },
    idOf,
    tokenOf: (id) => hub.id_to_token(id),
    countTokens: createTokenCounter(hub, definition, config) ?? ((text) => encode(text).length),
    applyChatTemplate: (messages, { addGenerationPrompt = false } = {}) =>
      template({
        messages,
        add_generation_prompt: addGenerationPrompt,
        bos_token: tokenName(config.bos_token),
        eos_token: tokenName(config.eos_token),
      }),
  };
}

/** What {@link encodePrompt} needs to know of the policy. */
export interface PromptOptions {
  imageTokenId: number;
  /** Patches a side of the square that becomes one token. */
  mergeSize: number;
  /** On by default: a prompt is there to be continued. */
  addGenerationPrompt?: boolean;
}

/**
 * Renders messages and gives every picture as many image tokens as the vision tower will emit for it:
 * `gridT * gridH * gridW / mergeSize^2` (Qwen2_5_VLProcessor).
 * @param grids one a picture, in the order in which the messages show them
 * @throws LabError when messages and grids disagree on the number of pictures
 */
export function encodePrompt(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  grids: readonly Grid[],
  { imageTokenId, mergeSize, addGenerationPrompt = true }: PromptOptions,
): number[] {
  const ids = tokenizer.encode(tokenizer.applyChatTemplate(messages, { addGenerationPrompt }));
  const places = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (places !== grids.length) {
    throw fault("encodePrompt", "the prompt and the pictures do not match", {
      got: `${places} image tokens for ${grids.length} pictures`,
      expected: "one image token a picture",
      try: 'give the message one {type: "image"} part a picture and keep image tokens out of its text',
    });
  }
  let picture = 0;
  return ids.flatMap((id) => {
    if (id !== imageTokenId) return [id];
    const [t, h, w] = grids[picture++];
    return new Array<number>((t * h * w) / mergeSize ** 2).fill(imageTokenId);
  });
}

/**
 * Checks that a tokenizer and a policy speak of the same ids, before anything is computed with the wrong ones.
 * @throws LabError naming what does not fit
 */
export function checkTokenizerFits(tokenizer: Tokenizer, config: PolicyConfig): void {
  const hint = "use the tokenizer files that were saved with the checkpoint";
  if (tokenizer.vocabSize > config.decoder.vocabSize) {
    throw fault("checkTokenizerFits", "the tokenizer has more tokens than the policy", {
      got: tokenizer.vocabSize,
      expected: `at most vocab_size ${config.decoder.vocabSize}`,
      try: hint,
    });
  }
  const agreed = {
    image_token_id: [config.imageTokenId, "<|image_pad|>"],
    vision_start_token_id: [config.visionStartTokenId, "<|vision_start|>"],
    vision_end_token_id: [config.visionEndTokenId, "<|vision_end|>"],
  } as const;
  for (const [key, [id, token]] of Object.entries(agreed)) {
    if (tokenizer.tokenOf(id) !== token) {
      throw fault("checkTokenizerFits", `${key} ${id} of the policy is another token here`, {
        got: tokenizer.tokenOf(id) ?? "no token",
        expected: token,
        try: hint,
      });
    }
  }
}

/** The renderer of the folder's template; a folder without one fails only when a template is asked for. */
function chatTemplate(dir: string, config: Json): (values: Json) => string {
  const path = join(dir, "chat_template.jinja");
  const source = existsSync(path) ? readFileSync(path, "utf8") : namedTemplate(config);
  const where = existsSync(path) ? path : `chat_template of ${join(dir, "tokenizer_config.json")}`;
  let compiled: Template | undefined;
  return (values) => {
    if (source === undefined) {
      throw fault("applyChatTemplate", `no chat template in ${dir}`, {
        expected: "chat_template.jinja, or chat_template in tokenizer_config.json",
        try: "copy chat_template.jinja of the instruction-tuned model into the folder",
      });
    }
    try {
      compiled ??= new Template(source);
      return compiled.render(values);
    } catch (error) {
      throw fault("applyChatTemplate", `${where} failed (${(error as Error).message})`, {
        try: "check the template and that it knows these roles and content parts",
      });
    }
  };
}

/** `chat_template` is a string, or a list of named ones of which `default` counts. */
function namedTemplate(config: Json): string | undefined {
  const value = config.chat_template;
  if (!Array.isArray(value)) return typeof value === "string" ? value : undefined;
  const named = value as { name?: string; template?: string }[];
  return named.find(({ name }) => name === "default")?.template;
}

/** Older files spell a token as an object with its `content`. */
function tokenName(value: unknown): string | undefined {
  const name = typeof value === "object" && value !== null ? (value as Json).content : value;
  return typeof name === "string" ? name : undefined;
}

function readJson(path: string): Json {
  if (!existsSync(path)) {
    throw fault("loadTokenizer", `no file at ${path}`, {
      expected: "tokenizer.json and tokenizer_config.json",
      try: "name the folder that holds the checkpoint's tokenizer files",
    });
  }
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null) return value as Json;
  } catch (error) {
    throw fault("loadTokenizer", `${path} is not JSON (${(error as Error).message})`, {
      try: "copy or download the file again",
    });
  }
  throw fault("loadTokenizer", `${path} is not a JSON object`);
}
