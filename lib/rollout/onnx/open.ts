/** Rollouts from an exported policy: both models run in ONNX Runtime, and no weights are in tfjs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fault } from "../../engine/errors";
import { contentHash } from "../../engine/files";
import { readPolicyConfig } from "../../policy/config";
import { loadImageProcessor } from "../../policy/image-processor";
import { loadTokenizer } from "../../policy/tokenizer";
import type { RolloutEngine } from "../engine";
import { cachePrompts } from "../prepare";
import { sampleProblems } from "../sampled";
import { takeTurns } from "../turns";
import { ONNX_FILES } from "./export";
import { generateOnnx } from "./generate";
import { openFirst, type OnnxDevice } from "./session";
import { encodePictures } from "./vision";

export interface OpenOnnxOptions {
  name?: string;
  /** Threads one operation may use on the CPU; all cores by default. */
  threads?: number;
  /** `auto` takes the first that starts of CUDA, WebGPU and CPU. The CPU unless told otherwise. */
  device?: OnnxDevice | "auto";
}

/** An engine that says what it runs on. */
export interface OnnxEngine extends RolloutEngine {
  device: OnnxDevice;
}

/**
 * Opens a folder of {@link exportOnnx}'s. A policy of the lab's own size is faster on the CPU than on a device, to which
 * the KV cache travels anew at every token.
 * @throws LabError naming the file that is missing or broken, or the device that is not there
 */
export async function openOnnxEngine(
  folder: string,
  { name, threads, device = "cpu" }: OpenOnnxOptions = {},
): Promise<OnnxEngine> {
  const config = readPolicyConfig(folder);
  const tokenizer = loadTokenizer(folder);
  const processor = loadImageProcessor(folder);
  const devices = device === "auto" ? (["cuda", "webgpu", "cpu"] as const) : [device];
  const decoder = await openFirst(join(folder, ONNX_FILES.decoder), devices, { threads });
  const visionFile = join(folder, ONNX_FILES.vision);
  const vision = await openFirst(visionFile, [decoder.device], { threads }).catch(
    async (error: unknown) => {
      await decoder.release();
      throw error;
    },
  );
  const prompts = cachePrompts(
    { config, tokenizer, processor },
    {
      key: `${contentHash(readFileSync(visionFile))}/${decoder.device}`,
      encode: (patches, grids) => encodePictures(vision, config.vision, patches, grids),
    },
  );
  const inTurn = takeTurns();
  let closed = false;
  return {
    name: name ?? `onnx/${decoder.device}`,
    device: decoder.device,
    rollout: (problems, request) =>
      inTurn(async () => {
        if (closed) {
          throw fault("onnx.rollout", "the engine is closed", { try: "openOnnxEngine again" });
        }
        return sampleProblems(problems, request, {
          prompts,
          tokenizer,
          sample: (prepared, options) => generateOnnx(decoder, config, prepared, options),
        });
      }),
    close: () =>
      inTurn(async () => {
        if (!closed) await Promise.all([decoder.release(), vision.release()]);
        closed = true;
      }),
  };
}
