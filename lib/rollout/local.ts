/**
 * The engine that a stage takes for a policy in this process. Both give the same tokens. tfjs with the lab's own operations
 * is the fastest on a CPU; without them ONNX Runtime takes about half of tfjs's time to decode; on a GPU, and
 * for a policy too large for a second copy, tfjs stays where the weights are.
 */
import { describeEngine } from "../engine/backend";
import { fault } from "../engine/errors";
import type { PolicyBundle } from "../policy/bundle";
import { tooLargeToCopy } from "../policy/fused-decoder";
import { slotOps } from "../policy/slot-sampler";
import type { RolloutEngine } from "./engine";
import { createOnnxEngine } from "./onnx/engine";
import type { PromptCache } from "./prepare";
import { createTfjsEngine } from "./tfjs";

/** `SRPO_ROLLOUT` (`onnx`, `tfjs`) decides where it is set. @throws LabError when it names no engine */
export function createLocalEngine(
  bundle: PolicyBundle,
  options: { name?: string; prompts?: PromptCache } = {},
): RolloutEngine {
  const wanted = process.env.SRPO_ROLLOUT ?? "";
  if (wanted !== "" && wanted !== "onnx" && wanted !== "tfjs") {
    throw fault("createLocalEngine", "unknown rollout engine in SRPO_ROLLOUT", {
      got: wanted,
      expected: "onnx or tfjs",
      try: "unset SRPO_ROLLOUT to let the lab choose",
    });
  }
  const { device, backend } = describeEngine();
  const { decoder } = bundle.config;
  const fused = slotOps(decoder) !== undefined;
  const copies = !fused && device === "cpu" && backend !== "cpu" && !tooLargeToCopy(decoder);
  const onnx = wanted === "onnx" || (wanted === "" && copies);
  return onnx ? createOnnxEngine(bundle, options) : createTfjsEngine(bundle, options);
}
