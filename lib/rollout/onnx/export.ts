/** The decoder as a file for other programs that run ONNX. */
import { writeFileAtomic } from "../../engine/files";
import type { Policy } from "../../policy/policy";
import { buildModel } from "./model";

/**
 * Writes the decoder with its present weights; the file's own description says what goes in and what comes out.
 * @throws LabError when the weights exceed protobuf's 2 GB
 */
export function exportOnnx(policy: Policy, path: string): void {
  writeFileAtomic(path, buildModel(policy));
}
