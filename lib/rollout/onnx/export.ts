/** A policy as ONNX models in a folder, for {@link openOnnxEngine} and for other programs that run ONNX. */
import { join } from "node:path";
import { writeFileAtomic } from "../../engine/files";
import { describePolicy } from "../../policy/checkpoint";
import type { Policy } from "../../policy/policy";
import { buildModel } from "./model";
import { buildVisionModel } from "./vision-model";

/** The files that hold the two models. */
export const ONNX_FILES = { vision: "vision.onnx", decoder: "decoder.onnx" } as const;

/**
 * Writes `vision.onnx` (pictures to decoder tokens) and `decoder.onnx` (prefill and decoding with a KV cache in one graph),
 * with the policy's present weights, and beside them its configuration, tokenizer and image processor. Each model's own
 * description says what goes in and what comes out.
 * @param policy where it knows its own folder, tokenizer and image processor are copied from there
 * @throws LabError when a model's weights exceed protobuf's 2 GB
 */
export function exportOnnx(policy: Policy & { folder?: string }, folder: string): void {
  writeFileAtomic(join(folder, ONNX_FILES.vision), buildVisionModel(policy));
  writeFileAtomic(join(folder, ONNX_FILES.decoder), buildModel(policy));
  describePolicy(policy.config, folder, policy.folder);
}
