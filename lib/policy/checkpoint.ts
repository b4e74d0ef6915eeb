/**
 * Checkpoints in Hugging Face layout: `config.json`, `model.safetensors` (or shards), and beside them the tokenizer's and
 * the image processor's files, which are copied along so that `transformers` can load what the lab saves. Weights go from
 * the file to the engine and back a tensor at a time. A folder with adapters alone is a policy too: that of its base.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { writeFileAtomic } from "../engine/files";
import { openCheckpoint, writeSafetensors, type TensorReader } from "../engine/safetensors";
import { tensorStream } from "../engine/stream";
import { formatPolicyConfig, readPolicyConfig, type PolicyConfig } from "./config";
import {
  checkpointOf,
  isAdapterFolder,
  loadAdapters,
  readAdapterConfig,
  saveAdapters,
} from "./peft";
import type { Policy } from "./policy";
import { createWeights, parameterShapes } from "./weights";

/** Files beside the weights that make a checkpoint whole. */
const COMPANIONS = [
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "preprocessor_config.json",
  "generation_config.json",
];

/**
 * Loads a policy's weights as float32. The caller disposes of `weights`.
 * @param folder a checkpoint, or adapters that name theirs
 * @throws LabError naming the file for a missing, truncated or unfitting checkpoint
 */
export function loadPolicy(folder: string): Policy {
  if (isAdapterFolder(folder)) {
    const adapters = readAdapterConfig(folder);
    const { config, weights } = loadPolicy(adapters.base);
    try {
      return { config, weights: loadAdapters(weights, adapters) };
    } catch (error) {
      weights.dispose();
      throw error;
    }
  }
  const config = readPolicyConfig(folder);
  const tensors: Record<string, Tensor> = {};
  try {
    eachStoredWeight(folder, config, (name, tensor) => {
      tensors[name] = tensor;
    });
    return { config, weights: createWeights(config, tensors) };
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}

/**
 * Reads a checkpoint's parameters one after another.
 * @param take owns the tensor
 * @throws LabError naming the file for a missing, truncated or unfitting checkpoint
 */
export function eachStoredWeight(
  folder: string,
  config: PolicyConfig,
  take: (name: string, tensor: Tensor) => void,
): void {
  const reader = openCheckpoint(folder);
  try {
    const stored = storedNames(reader);
    const read = tensorStream(reader);
    for (const [name, shape] of Object.entries(parameterShapes(config))) {
      const source = stored.get(name);
      if (source === undefined) {
        throw fault("loadPolicy", `parameter ${name} is not in the checkpoint ${folder}`, {
          try: "a checkpoint whose weights belong to its config.json",
        });
      }
      const found = reader.info(source).shape;
      if (found.join() !== shape.join()) {
        throw fault("loadPolicy", `parameter ${name} in ${folder} does not fit config.json`, {
          got: found,
          expected: JSON.stringify(shape),
        });
      }
      take(name, read(source));
    }
  } finally {
    reader.close();
  }
}

/** Under which name the file has each parameter. */
export function storedNames(reader: Pick<TensorReader, "names">): Map<string, string> {
  return new Map(reader.names.map((name) => [canonicalName(name), name]));
}

/**
 * Saves a policy so that `transformers` loads it; `config.json` comes last and marks the folder as whole. Of a policy with
 * adapters these alone are saved, so that PEFT loads them.
 * @param companions folder whose tokenizer and processor files are copied along
 */
export function savePolicy(policy: Policy, folder: string, companions?: string): void {
  const { config, weights } = policy;
  if (weights.adapters !== undefined) {
    copyCompanions(folder, companions);
    saveAdapters(weights.adapters, weights, folder);
    return;
  }
  const tensors = weights.names.map((name) => {
    const tensor = weights.get(name);
    return [name, { shape: tensor.shape, data: () => tensor.dataSync<"float32">() }];
  });
  const path = join(folder, "model.safetensors");
  writeSafetensors(path, Object.fromEntries(tensors), { format: "pt" });
  describePolicy(config, folder, companions);
}

/** Writes what a checkpoint holds beside its weights; `config.json` last. @param companions as for {@link savePolicy} */
export function describePolicy(config: PolicyConfig, folder: string, companions?: string): void {
  copyCompanions(folder, companions);
  writeFileAtomic(
    join(folder, "config.json"),
    JSON.stringify(formatPolicyConfig(config), null, 2) + "\n",
  );
}

function copyCompanions(folder: string, companions?: string): void {
  if (companions === undefined) return;
  const from = checkpointOf(companions);
  for (const file of COMPANIONS) {
    const source = join(from, file);
    if (existsSync(source)) writeFileAtomic(join(folder, file), readFileSync(source));
  }
}

/** transformers has named the same parameters in several ways; the lab uses the published checkpoints' names. */
function canonicalName(name: string): string {
  return name.replace(/^model\.language_model\./, "model.").replace(/^model\.visual\./, "visual.");
}
