/** A policy's parameters under their Hugging Face names. */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import type { Random } from "../engine/random";
import type { PolicyConfig } from "./config";
import type { Adapters } from "./lora";

export interface Weights {
  /** Names in a fixed order: the order of {@link parameterShapes}. */
  readonly names: readonly string[];
  get(name: string): Tensor;
  /** The parameter as `[out, in]`; leading dimensions beyond two stay as they are stored. */
  matrix(name: string): Tensor2D;
  vector(name: string): Tensor1D;
  /** Puts `tensor` in place of the parameter and disposes of the old one. Takes ownership. */
  replace(name: string, tensor: Tensor): void;
  /** Numbers in all parameters together. */
  readonly size: number;
  /** What is trained in the parameters' place, where they are frozen. */
  readonly adapters?: Adapters;
  dispose(): void;
}

/** Wraps tensors as weights and takes ownership of them. @throws LabError for a missing or misshapen parameter */
export function createWeights(config: PolicyConfig, tensors: Record<string, Tensor>): Weights {
  const shapes = parameterShapes(config);
  const names = Object.keys(shapes);
  for (const name of names) {
    const tensor = tensors[name];
    if (tensor === undefined) {
      throw fault("createWeights", `parameter ${name} is missing`, {
        try: "a checkpoint whose model.safetensors belongs to its config.json",
      });
    }
    if (tensor.shape.join() !== shapes[name].join()) {
      throw fault("createWeights", `parameter ${name} has another shape than config.json says`, {
        got: tensor.shape,
        expected: JSON.stringify(shapes[name]),
      });
    }
  }
  const get = (name: string): Tensor => {
    const tensor = tensors[name];
    if (tensor === undefined) throw fault("weights.get", `no parameter ${name}`);
    return tensor;
  };
  return {
    names,
    get,
    matrix: (name) => get(name) as Tensor2D,
    vector: (name) => get(name) as Tensor1D,
    replace: (name, tensor) => {
      get(name).dispose();
      tensors[name] = tf.keep(tensor);
    },
    size: Object.values(shapes).reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0),
    dispose: () => names.forEach((name) => tensors[name].dispose()),
  };
}

/** Every parameter's name and shape, as `transformers` saves Qwen2.5-VL. */
export function parameterShapes({ decoder, vision }: PolicyConfig): Record<string, number[]> {
  const shapes: Record<string, number[]> = {};
  const [v, f] = [vision.hiddenSize, vision.intermediateSize];
  const { channels, temporalPatchSize, patchSize, mergeSize } = vision;
  shapes["visual.patch_embed.proj.weight"] = [v, channels, temporalPatchSize, patchSize, patchSize];
  for (let i = 0; i < vision.depth; i++) {
    const block = `visual.blocks.${i}`;
    shapes[`${block}.norm1.weight`] = [v];
    shapes[`${block}.norm2.weight`] = [v];
    shapes[`${block}.attn.qkv.weight`] = [3 * v, v];
    shapes[`${block}.attn.qkv.bias`] = [3 * v];
    shapes[`${block}.attn.proj.weight`] = [v, v];
    shapes[`${block}.attn.proj.bias`] = [v];
    for (const part of ["gate_proj", "up_proj"]) {
      shapes[`${block}.mlp.${part}.weight`] = [f, v];
      shapes[`${block}.mlp.${part}.bias`] = [f];
    }
    shapes[`${block}.mlp.down_proj.weight`] = [v, f];
    shapes[`${block}.mlp.down_proj.bias`] = [v];
  }
  const square = v * mergeSize ** 2;
  shapes["visual.merger.ln_q.weight"] = [v];
  shapes["visual.merger.mlp.0.weight"] = [square, square];
  shapes["visual.merger.mlp.0.bias"] = [square];
  shapes["visual.merger.mlp.2.weight"] = [vision.outputSize, square];
  shapes["visual.merger.mlp.2.bias"] = [vision.outputSize];

  const d = decoder.hiddenSize;
  const [q, kv] = [decoder.heads * decoder.headDim, decoder.kvHeads * decoder.headDim];
  shapes["model.embed_tokens.weight"] = [decoder.vocabSize, d];
  for (let i = 0; i < decoder.layers; i++) {
    const layer = `model.layers.${i}`;
    shapes[`${layer}.input_layernorm.weight`] = [d];
    shapes[`${layer}.self_attn.q_proj.weight`] = [q, d];
    shapes[`${layer}.self_attn.q_proj.bias`] = [q];
    for (const part of ["k_proj", "v_proj"]) {
      shapes[`${layer}.self_attn.${part}.weight`] = [kv, d];
      shapes[`${layer}.self_attn.${part}.bias`] = [kv];
    }
    shapes[`${layer}.self_attn.o_proj.weight`] = [d, q];
    shapes[`${layer}.post_attention_layernorm.weight`] = [d];
    shapes[`${layer}.mlp.gate_proj.weight`] = [decoder.intermediateSize, d];
    shapes[`${layer}.mlp.up_proj.weight`] = [decoder.intermediateSize, d];
    shapes[`${layer}.mlp.down_proj.weight`] = [d, decoder.intermediateSize];
  }
  shapes["model.norm.weight"] = [d];
  if (!decoder.tiedHead) shapes["lm_head.weight"] = [decoder.vocabSize, d];
  return shapes;
}

/**
 * Fresh parameters: matrices normal with standard deviation `1/√in` (0.02 for embeddings), those that write into the
 * residual stream divided by `√(2·layers)` as in GPT-2, gains 1, biases 0.
 */
export function initialWeights(config: PolicyConfig, random: Random): Weights {
  const tensors: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    if (shape.length === 1) {
      tensors[name] = name.endsWith("bias") ? tf.zeros(shape) : tf.ones(shape);
      continue;
    }
    const size = tf.util.sizeFromShape(shape);
    const fanIn = size / shape[0];
    const depth = name.startsWith("visual") ? config.vision.depth : config.decoder.layers;
    const intoResidual = /(o_proj|attn\.proj|down_proj)\.weight$/.test(name);
    const deviation = /embed_tokens|lm_head/.test(name)
      ? 0.02
      : 1 / Math.sqrt(fanIn * (intoResidual ? 2 * depth : 1));
    const stream = random.fork(name);
    const values = Float32Array.from({ length: size }, () => deviation * stream.normal());
    tensors[name] = tf.tensor(values, shape);
  }
  return createWeights(config, tensors);
}
