/** ONNX models on disk as a contestant of a benchmark: an export of the lab's own, or a published one. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { AskKind } from "../bench/ask";
import { fault } from "../engine/errors";
import type { RolloutEngine } from "../rollout/engine";
import { ONNX_FILES } from "../rollout/onnx/export";
import { openOnnxEngine } from "../rollout/onnx/open";
import { openTransformersJs, type TransformersJsOptions } from "../rollout/transformers-js/engine";

export interface ExportedModel {
  kind: "export";
  /** The folder's name. */
  name: string;
  /** Hash of the models' files: other files are another model. */
  of: string;
  /** How it is asked unless told otherwise: a policy of the lab as it was trained, any other with the benchmark's prompt. */
  ask: AskKind;
  open(): Promise<RolloutEngine>;
}

/**
 * Finds out what a folder holds: `vision.onnx` and `decoder.onnx` of `exportOnnx`'s, or `onnx/` in transformers.js's layout.
 * @throws LabError when it holds neither
 */
export async function exportedModel(
  folder: string,
  options: TransformersJsOptions = {},
): Promise<ExportedModel> {
  const name = options.name ?? basename(resolve(folder));
  if (existsSync(join(folder, ONNX_FILES.decoder))) {
    const { device } = options;
    return {
      ...{ kind: "export", name, ask: "lab", of: await hashModels(folder) },
      open: () => openOnnxEngine(folder, { name, device }),
    };
  }
  if (existsSync(join(folder, "onnx"))) {
    return {
      ...{ kind: "export", name, ask: "cot" },
      of: `${await hashModels(join(folder, "onnx"))} ${options.dtype ?? "fp32"}`,
      open: () => openTransformersJs(folder, { ...options, name }),
    };
  }
  throw fault("exportedModel", `no ONNX models in ${folder}`, {
    expected: `${ONNX_FILES.decoder} and ${ONNX_FILES.vision}, or a folder onnx/ as transformers.js has it`,
    try: "npx srpo onnx export --policy DIR --out DIR",
  });
}

/** Opens the models for the time of `work`. */
export async function withExported<T>(
  model: ExportedModel,
  work: (engine: RolloutEngine) => Promise<T>,
): Promise<T> {
  const engine = await model.open();
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

async function hashModels(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of readdirSync(folder).sort()) {
    if (!/\.onnx/.test(file)) continue;
    hash.update(file);
    for await (const bytes of createReadStream(join(folder, file))) hash.update(bytes as Buffer);
  }
  return hash.digest("hex").slice(0, 12);
}
