/**
 * The part of `@huggingface/transformers` that the engine uses, typed as far as it is used. It brings no ONNX Runtime of
 * its own: the package asks for the very `onnxruntime-node` that the lab has, and its browser runtime is overridden in
 * package.json, because Node never loads it.
 */
import { fault } from "../../engine/errors";
import type { ChatMessage } from "../../reflection/prompts";

export interface IdTensor {
  dims: number[];
  tolist(): (number | bigint)[][];
  slice(rows: null, columns: [number, null]): IdTensor;
}

export interface Processor {
  (text: string, images: object[] | null): Promise<{ input_ids: IdTensor }>;
  apply_chat_template(
    messages: readonly ChatMessage[],
    options: { add_generation_prompt: true; tokenize: false },
  ): string;
  batch_decode(ids: IdTensor, options: { skip_special_tokens: boolean }): string[];
}

/** Whole numbers in plain memory. */
interface LongTensor {
  dims: number[];
  data: BigInt64Array;
}

export interface Model {
  /** Of Qwen's architectures only: positions `[3, B, T]` of prompts without pictures, and what is added to a later token's. */
  _get_text_only_rope_index?(ids: IdTensor, mask: unknown): [LongTensor, LongTensor];
  generate(inputs: Record<string, unknown>): Promise<IdTensor>;
  generation_config: { eos_token_id?: number | number[] | null };
  dispose(): Promise<unknown>;
}

export interface TransformersJs {
  env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string };
  /** Its own stream of random numbers. */
  random: { seed(seed: number): void };
  AutoProcessor: { from_pretrained(name: string): Promise<Processor> };
  AutoModelForImageTextToText: {
    from_pretrained(name: string, options: { dtype: string; device: string }): Promise<Model>;
  };
  RawImage: { read(path: string): Promise<object> };
  InterruptableStoppingCriteria: new () => { interrupt(): void };
}

/** Loaded at first use: it is large, and few need it. */
export async function loadTransformersJs(): Promise<TransformersJs> {
  try {
    return (await import("@huggingface/transformers")) as unknown as TransformersJs;
  } catch (error) {
    throw fault(
      "openTransformersJs",
      `@huggingface/transformers does not load (${String(error)})`,
      {
        try: "npm ci",
      },
    );
  }
}

/**
 * Version 4.3.1 adds a prompt's length to its last position where it must take it away, if the prompt has no picture; from
 * the second token on, the model then sees positions far beyond the text. This computes the difference anew.
 */
export function repairTextPositions(model: Model): void {
  const published = model._get_text_only_rope_index;
  if (published === undefined) return;
  model._get_text_only_rope_index = (ids, mask) => {
    const [positions, deltas] = published.call(model, ids, mask);
    const [, rows, length] = positions.dims;
    for (let row = 0; row < rows; row++) {
      const own = positions.data.subarray(row * length, (row + 1) * length);
      const last = own.reduce((most, at) => (at > most ? at : most), 0n);
      deltas.data[row] = last + 1n - BigInt(length);
    }
    return [positions, deltas];
  };
}
