/**
 * The policy's architecture, read from and written to a Hugging Face `config.json` of type `qwen2_5_vl`.
 *
 * Both layouts are read: the nested one (`text_config`, `rope_parameters`; transformers 5) and the flat one that the
 * published Qwen2.5-VL checkpoints use (decoder fields at the top, `rope_scaling`, `rope_theta`).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fault } from "../engine/errors";

export interface DecoderConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  /** Key/value heads; each serves `heads / kvHeads` query heads. */
  kvHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** How many rotary frequencies rotate by the temporal, the height and the width position; sums to `headDim / 2`. */
  mropeSection: [number, number, number];
  tiedHead: boolean;
  maxPositions: number;
  eosTokenId: number;
  padTokenId: number;
}

export interface VisionConfig {
  depth: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  channels: number;
  /** Pixels along a patch's side. */
  patchSize: number;
  /** Frames in a patch; a still picture is repeated. */
  temporalPatchSize: number;
  /** Patches along the side of the square that the merger turns into one decoder token. */
  mergeSize: number;
  /** Pixels along a window's side. */
  windowSize: number;
  fullAttentionBlocks: number[];
  /** Must equal the decoder's hidden size. */
  outputSize: number;
}

export interface PolicyConfig {
  decoder: DecoderConfig;
  vision: VisionConfig;
  imageTokenId: number;
  videoTokenId: number;
  visionStartTokenId: number;
  visionEndTokenId: number;
}

type Json = Record<string, unknown>;

/** Reads `config.json` in `folder`. @throws LabError naming the file and the key */
export function readPolicyConfig(folder: string): PolicyConfig {
  const path = join(folder, "config.json");
  if (!existsSync(path)) {
    throw fault("readPolicyConfig", `no config.json in ${folder}`, {
      expected: "a Hugging Face checkpoint folder",
      try: "the folder that holds config.json and model.safetensors",
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw fault("readPolicyConfig", `${path} is not JSON (${(error as Error).message})`);
  }
  if (typeof json !== "object" || json === null) {
    throw fault("readPolicyConfig", `${path} is not a JSON object`, { got: json });
  }
  return parsePolicyConfig(json as Json, path);
}

/** @param origin names the file in error messages */
export function parsePolicyConfig(json: Json, origin = "config.json"): PolicyConfig {
  if (json.model_type !== "qwen2_5_vl") {
    throw fault("parsePolicyConfig", `model_type in ${origin} is not supported`, {
      got: json.model_type,
      expected: '"qwen2_5_vl"',
    });
  }
  const text = (json.text_config ?? json) as Json;
  const visual = json.vision_config as Json | undefined;
  if (visual === undefined) {
    throw fault("parsePolicyConfig", `vision_config is missing in ${origin}`);
  }
  const number = (from: Json, key: string, fallback?: number): number => {
    const value = from[key] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw fault("parsePolicyConfig", `${key} in ${origin}`, {
        got: value,
        expected: "a number",
      });
    }
    return value;
  };
  const rope = (text.rope_parameters ?? text.rope_scaling ?? {}) as Json;
  const heads = number(text, "num_attention_heads");
  const hiddenSize = number(text, "hidden_size");
  const headDim = number(text, "head_dim", hiddenSize / heads);
  const eos = Array.isArray(text.eos_token_id) ? (text.eos_token_id as number[])[0] : undefined;
  const config: PolicyConfig = {
    decoder: {
      vocabSize: number(text, "vocab_size"),
      hiddenSize,
      intermediateSize: number(text, "intermediate_size"),
      layers: number(text, "num_hidden_layers"),
      heads,
      kvHeads: number(text, "num_key_value_heads", heads),
      headDim,
      rmsNormEps: number(text, "rms_norm_eps", 1e-6),
      ropeTheta: number({ ...text, ...rope }, "rope_theta", 10000),
      mropeSection: rope.mrope_section as [number, number, number],
      tiedHead: (json.tie_word_embeddings ?? text.tie_word_embeddings ?? false) as boolean,
      maxPositions: number(text, "max_position_embeddings", 32768),
      eosTokenId: eos ?? number(text, "eos_token_id", number(json, "eos_token_id", 151645)),
      padTokenId: number(text, "pad_token_id", number(json, "pad_token_id", 151643)),
    },
    vision: {
      depth: number(visual, "depth"),
      hiddenSize: number(visual, "hidden_size"),
      intermediateSize: number(visual, "intermediate_size"),
      heads: number(visual, "num_heads"),
      channels: number(visual, "in_channels", number(visual, "in_chans", 3)),
      patchSize: number(visual, "patch_size"),
      temporalPatchSize: number(visual, "temporal_patch_size", 2),
      mergeSize: number(visual, "spatial_merge_size", 2),
      windowSize: number(visual, "window_size"),
      fullAttentionBlocks: (visual.fullatt_block_indexes as number[] | undefined) ?? [],
      outputSize: number(visual, "out_hidden_size"),
    },
    imageTokenId: number(json, "image_token_id"),
    videoTokenId: number(json, "video_token_id", -1),
    visionStartTokenId: number(json, "vision_start_token_id"),
    visionEndTokenId: number(json, "vision_end_token_id", -1),
  };
  validate(config, origin);
  return config;
}

/** The `config.json` that transformers 5 reads. */
export function formatPolicyConfig(config: PolicyConfig): Json {
  const { decoder, vision } = config;
  return {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: "qwen2_5_vl",
    dtype: "float32",
    tie_word_embeddings: decoder.tiedHead,
    image_token_id: config.imageTokenId,
    video_token_id: config.videoTokenId,
    vision_start_token_id: config.visionStartTokenId,
    vision_end_token_id: config.visionEndTokenId,
    text_config: {
      model_type: "qwen2_5_vl_text",
      hidden_act: "silu",
      vocab_size: decoder.vocabSize,
      hidden_size: decoder.hiddenSize,
      intermediate_size: decoder.intermediateSize,
      num_hidden_layers: decoder.layers,
      num_attention_heads: decoder.heads,
      num_key_value_heads: decoder.kvHeads,
      // Where it is what the other two make of it, transformers does not write it either.
      ...(decoder.headDim * decoder.heads === decoder.hiddenSize
        ? {}
        : { head_dim: decoder.headDim }),
      max_position_embeddings: decoder.maxPositions,
      rms_norm_eps: decoder.rmsNormEps,
      rope_parameters: {
        rope_type: "default",
        type: "mrope",
        rope_theta: decoder.ropeTheta,
        mrope_section: decoder.mropeSection,
      },
      tie_word_embeddings: decoder.tiedHead,
      use_sliding_window: false,
      eos_token_id: decoder.eosTokenId,
      pad_token_id: decoder.padTokenId,
      bos_token_id: decoder.padTokenId,
    },
    vision_config: {
      model_type: "qwen2_5_vl_vision",
      hidden_act: "silu",
      depth: vision.depth,
      hidden_size: vision.hiddenSize,
      intermediate_size: vision.intermediateSize,
      num_heads: vision.heads,
      in_channels: vision.channels,
      patch_size: vision.patchSize,
      temporal_patch_size: vision.temporalPatchSize,
      spatial_merge_size: vision.mergeSize,
      window_size: vision.windowSize,
      fullatt_block_indexes: vision.fullAttentionBlocks,
      out_hidden_size: vision.outputSize,
      tokens_per_second: 2,
    },
  };
}

function validate({ decoder, vision }: PolicyConfig, origin: string): void {
  const must = (ok: boolean, what: string, got: unknown, expected: string): void => {
    if (!ok) throw fault("parsePolicyConfig", `${what} in ${origin}`, { got, expected });
  };
  const { heads, kvHeads, headDim, hiddenSize, mropeSection } = decoder;
  must(heads % kvHeads === 0, "num_key_value_heads", kvHeads, `a divisor of ${heads} heads`);
  must(
    Array.isArray(mropeSection) && 2 * mropeSection.reduce((a, b) => a + b, 0) === headDim,
    "mrope_section",
    mropeSection,
    `three numbers that sum to half the head size, ${headDim / 2}`,
  );
  must(
    vision.hiddenSize % vision.heads === 0 && (vision.hiddenSize / vision.heads) % 4 === 0,
    "vision_config.num_heads",
    vision.heads,
    `heads whose size is a multiple of 4 (vision hidden_size ${vision.hiddenSize})`,
  );
  must(
    vision.outputSize === hiddenSize,
    "vision_config.out_hidden_size",
    vision.outputSize,
    `the decoder's hidden_size, ${hiddenSize}`,
  );
}
