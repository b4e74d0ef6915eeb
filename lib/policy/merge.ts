/** Adapters added to the checkpoint that they were trained on, a tensor at a time: the policy itself is never loaded. */
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { openCheckpoint, writeSafetensors, type TensorToWrite } from "../engine/safetensors";
import { tensorStream } from "../engine/stream";
import { describePolicy, storedNames } from "./checkpoint";
import { readPolicyConfig } from "./config";
import { adapterNames } from "./lora";
import { loadAdapterTensors, readAdapterConfig } from "./peft";
import { parameterShapes } from "./weights";

/** What a merge did. */
export interface MergedCheckpoint {
  base: string;
  out: string;
  /** Linear layers whose weight has changed. */
  modules: number;
}

/**
 * Writes `W + s · B A` for each adapted layer, and everything else as it is, in float32. Layers of the vision tower and the
 * head can be adapted too.
 * @param adapter folder that PEFT or the lab has saved @param out folder of the new checkpoint
 * @param base the checkpoint's folder, where `adapter_config.json` names another
 * @throws LabError when the adapters are not plain LoRA or do not fit the checkpoint, or the disk is full
 */
export function mergeAdapter(adapter: string, out: string, base?: string): MergedCheckpoint {
  const found = readAdapterConfig(adapter, base);
  const config = readPolicyConfig(found.base);
  const scale = found.config.alpha / found.config.rank;
  const adapters = loadAdapterTensors(adapter);
  const shapes = parameterShapes(config);
  const modules = Object.keys(adapters)
    .filter((name) => name.endsWith(".lora_A.weight"))
    .map((name) => name.replace(/\.lora_A\.weight$/, ""));
  const reader = openCheckpoint(found.base);
  try {
    const strange = modules.find((module) => shapes[`${module}.weight`] === undefined);
    if (strange !== undefined) {
      throw fault("mergeAdapter", `${found.base} has no layer ${strange}`, {
        try: "the checkpoint that the adapters were trained on, as --base",
      });
    }
    const stored = storedNames(reader);
    const read = tensorStream(reader);
    const tensors: Record<string, TensorToWrite> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const own = adapterNames(name.replace(/\.weight$/, ""));
      const [a, b]: (Tensor | undefined)[] = [adapters[own.a], adapters[own.b]];
      const source = stored.get(name) ?? name;
      tensors[name] = {
        shape,
        data: () => {
          if (a === undefined || b === undefined) return reader.read(source);
          return tf.tidy(() => read(source).add(tf.matMul(b, a).mul(scale)).dataSync<"float32">());
        },
      };
    }
    writeSafetensors(join(out, "model.safetensors"), tensors, { format: "pt" });
  } finally {
    reader.close();
    tf.dispose(adapters);
  }
  describePolicy(config, out, found.base);
  return { base: found.base, out, modules: modules.length };
}
