/**
 * Checkpoints in Hugging Face layout: `config.json`, `model.safetensors` (or shards), and beside them the tokenizer's and
 * the image processor's files, which are copied along so that `transformers` can load what the lab saves.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { writeFileAtomic } from "../engine/files";
import { openCheckpoint, writeSafetensors } from "../engine/safetensors";
import { formatPolicyConfig, readPolicyConfig, type PolicyConfig } from "./config";
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
 * @throws LabError naming the file for a missing, truncated or unfitting checkpoint
 */
export function loadPolicy(folder: string): Policy {
  const config = readPolicyConfig(folder);
  const reader = openCheckpoint(folder);
  const tensors: Record<string, Tensor> = {};
  try {
    const stored = new Map(reader.names.map((name) => [canonicalName(name), name]));
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
      tensors[name] = tf.tensor(reader.read(source), shape, "float32");
    }
    return { config, weights: createWeights(config, tensors) };
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  } finally {
    reader.close();
  }
}

/**
 * Saves a policy so that `transformers` loads it; `config.json` comes last and marks the folder as whole.
 * @param companions folder whose tokenizer and processor files are copied along
 */
export function savePolicy(policy: Policy, folder: string, companions?: string): void {
  const tensors = Object.fromEntries(
    policy.weights.names.map((name) => {
      const tensor = policy.weights.get(name);
      return [name, { shape: tensor.shape, data: tensor.dataSync<"float32">() }];
    }),
  );
  writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
  describePolicy(policy.config, folder, companions);
}

/** Writes what a checkpoint holds beside its weights; `config.json` last. @param companions as for {@link savePolicy} */
export function describePolicy(config: PolicyConfig, folder: string, companions?: string): void {
  for (const file of companions === undefined ? [] : COMPANIONS) {
    const source = join(companions as string, file);
    if (existsSync(source)) writeFileAtomic(join(folder, file), readFileSync(source));
  }
  writeFileAtomic(
    join(folder, "config.json"),
    JSON.stringify(formatPolicyConfig(config), null, 2) + "\n",
  );
}

/** transformers has named the same parameters in several ways; the lab uses the published checkpoints' names. */
function canonicalName(name: string): string {
  return name.replace(/^model\.language_model\./, "model.").replace(/^model\.visual\./, "visual.");
}
