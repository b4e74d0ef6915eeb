/** How much memory the engine may still take. */
import { spawnSync } from "node:child_process";
import { describeEngine } from "./backend";

/** Bytes free on the engine's device; `undefined` where nobody says (WebGPU, or no `nvidia-smi`). */
export function freeMemory(): number | undefined {
  const { device } = describeEngine();
  if (device === "webgpu") return undefined;
  // Of the container's limit, too, where there is one.
  if (device === "cpu") return process.availableMemory();
  const { CUDA_VISIBLE_DEVICES: visible } = process.env;
  const asked = ["--query-gpu=memory.free", "--format=csv,noheader,nounits"];
  const which = visible === undefined ? [] : [`--id=${visible.split(",")[0]}`];
  const { status, stdout } = spawnSync("nvidia-smi", [...which, ...asked], { encoding: "utf8" });
  const mebibytes = Number(stdout?.split("\n")[0]);
  return status === 0 && mebibytes > 0 ? mebibytes * 2 ** 20 : undefined;
}
