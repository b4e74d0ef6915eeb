/**
 * Adapters on disk as PEFT writes them: `adapter_model.safetensors` and `adapter_config.json`, which names the folder of
 * the checkpoint that they belong to.
 */
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import { fault } from "../engine/errors";
import { writeFileAtomic } from "../engine/files";
import { openSafetensors, writeSafetensors } from "../engine/safetensors";
import { tensorStream } from "../engine/stream";
import { tf } from "../engine/backend";
import { adaptWeights, LORA_TARGETS, type Adapters, type LoraConfig } from "./lora";
import type { Weights } from "./weights";

const CONFIG = "adapter_config.json";
const TENSORS = "adapter_model.safetensors";

export interface AdapterFolder {
  folder: string;
  /** Folder of the checkpoint that the adapters belong to. */
  base: string;
  config: LoraConfig;
}

/** Whether a folder holds adapters and no checkpoint of its own. */
export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG)) && !existsSync(join(folder, "config.json"));
}

/** The folder that a policy's `config.json`, tokenizer and image processor are in. @throws LabError as {@link readAdapterConfig} */
export function checkpointOf(folder: string): string {
  return isAdapterFolder(folder) ? readAdapterConfig(folder).base : folder;
}

/**
 * Reads `adapter_config.json`.
 * @param base the checkpoint's folder, where it is another than the file says
 * @throws LabError for a kind of adapter that is not plain LoRA, or where the checkpoint is not there
 */
export function readAdapterConfig(folder: string, base?: string): AdapterFolder {
  const path = join(folder, CONFIG);
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw fault("readAdapterConfig", `cannot read ${path} (${(error as Error).message})`, {
      expected: "adapters as PEFT saves them",
    });
  }
  const must = (ok: boolean, key: string, expected: string): void => {
    if (!ok) throw fault("readAdapterConfig", `${key} in ${path}`, { got: json[key], expected });
  };
  const empty = (value: unknown): boolean =>
    value === undefined ||
    value === null ||
    value === false ||
    (typeof value === "object" && Object.keys(value).length === 0);
  must(json.peft_type === "LORA", "peft_type", '"LORA"');
  must(Number.isInteger(json.r) && (json.r as number) > 0, "r", "a whole number from 1");
  must(typeof json.lora_alpha === "number", "lora_alpha", "a number");
  must(json.bias === undefined || json.bias === "none", "bias", '"none"');
  for (const key of ["use_dora", "fan_in_fan_out", "lora_bias", "modules_to_save"]) {
    must(empty(json[key]), key, "none: plain LoRA alone is read");
  }
  for (const key of ["rank_pattern", "alpha_pattern", "target_parameters"]) {
    must(empty(json[key]), key, "none: one rank and one alpha for all layers");
  }
  const rank = json.r as number;
  // Rank-stabilised LoRA (arXiv 2312.03732) divides by the root.
  const alpha = (json.lora_alpha as number) * (json.use_rslora === true ? Math.sqrt(rank) : 1);
  const named = String(json.base_model_name_or_path ?? "");
  const found = base ?? (isAbsolute(named) ? named : resolve(folder, named));
  if (!existsSync(join(found, "config.json"))) {
    throw fault("readAdapterConfig", `the checkpoint that ${folder} belongs to is not here`, {
      got: base ?? named,
      expected: "a folder with config.json and the weights",
      try: "set base_model_name_or_path in adapter_config.json to its folder",
    });
  }
  return { folder, base: found, config: { rank, alpha, targets: targetsOf(folder) } };
}

/** Which of the decoder's layers the stored tensors adapt. */
function targetsOf(folder: string): string[] {
  const reader = openSafetensors(join(folder, TENSORS));
  reader.close();
  const modules = reader.names.map((name) => canonicalAdapter(name));
  return LORA_TARGETS.filter((target) => modules.some((name) => name.includes(`.${target}.`)));
}

/**
 * PEFT puts `base_model.model.` before a parameter's name in the model's class, which transformers has changed. Of a name
 * the lab's own: `model.layers.0.self_attn.q_proj.lora_A.weight`.
 */
function canonicalAdapter(name: string): string {
  return name
    .replace(/^base_model\.model\./, "")
    .replace(/\.lora_([AB])\.default\.weight$/, ".lora_$1.weight")
    .replace(/^model\.language_model\./, "model.")
    .replace(/^model\.visual\./, "visual.");
}

/**
 * A and B by the lab's names. The caller disposes of them.
 * @throws LabError for tensors that are no adapter of a linear layer
 */
export function loadAdapterTensors(folder: string): Record<string, Tensor> {
  const reader = openSafetensors(join(folder, TENSORS));
  const tensors: Record<string, Tensor> = {};
  try {
    const read = tensorStream(reader);
    for (const name of reader.names) {
      if (!/\.lora_[AB](\.default)?\.weight$/.test(name)) {
        throw fault("loadAdapterTensors", `${name} in ${folder} is no adapter of a linear layer`, {
          expected: "names that end in lora_A.weight or lora_B.weight",
          try: "merge it with PEFT, and load the checkpoint that this makes",
        });
      }
      tensors[canonicalAdapter(name)] = read(name);
    }
    return tensors;
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  } finally {
    reader.close();
  }
}

/**
 * The weights with the folder's adapters beside them; takes them over.
 * @throws LabError when they do not fit, or adapt something else than the decoder's linear layers
 */
export function loadAdapters(weights: Weights, { folder, base, config }: AdapterFolder): Weights {
  const tensors = loadAdapterTensors(folder);
  try {
    const stray = Object.keys(tensors).find((name) => !/^model\.layers\.\d+\./.test(name));
    if (stray !== undefined) {
      throw fault("loadAdapters", `${stray} in ${folder} is not one of the decoder's layers`, {
        expected: `adapters of ${LORA_TARGETS.join(", ")}`,
        try: "srpo policy merge, and train the checkpoint that this makes",
      });
    }
    return adaptWeights(weights, config, { base, tensors });
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}

/** Saves adapters so that PEFT loads them; `adapter_config.json` comes last. */
export function saveAdapters(adapters: Adapters, weights: Weights, folder: string): void {
  const tensors = adapters.names.map((name) => {
    const tensor = weights.get(name);
    const stored = `base_model.model.${name.replace(/^model\./, "model.language_model.")}`;
    return [stored, { shape: tensor.shape, data: () => tensor.dataSync<"float32">() }];
  });
  writeSafetensors(join(folder, TENSORS), Object.fromEntries(tensors), { format: "pt" });
  const { rank, alpha, targets } = adapters.config;
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: adapters.base,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
    // A pattern, because the vision tower has layers of the same names.
    target_modules: `.*language_model\\.layers\\.\\d+\\.(self_attn|mlp)\\.(${targets.join("|")})`,
  };
  writeFileAtomic(join(folder, CONFIG), JSON.stringify(json, null, 2) + "\n");
}
