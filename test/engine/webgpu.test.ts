import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import type { Worked } from "./webgpu-child";

/**
 * WebGPU against the CPU on the same work. A machine without a GPU computes it on SwiftShader, the software GPU that comes
 * with Chromium together with a Vulkan loader; `SRPO_TEST_CHROMIUM` names its folder.
 */
const CHROMIUM = process.env.SRPO_TEST_CHROMIUM ?? "/usr/lib/chromium";
const swiftshader = {
  LD_LIBRARY_PATH: [CHROMIUM, process.env.LD_LIBRARY_PATH ?? ""].filter(Boolean).join(":"),
  VK_DRIVER_FILES: join(CHROMIUM, "vk_swiftshader_icd.json"),
};
const webgpu = join(__dirname, "../../lib/engine/webgpu.js");
const backend = join(__dirname, "../../lib/engine/backend.js");

/** What WebGPU finds with this environment, in a process of its own. */
function adapterName(env: NodeJS.ProcessEnv): string {
  const code = `require(${JSON.stringify(webgpu)}).findAdapter()
    .then((found) => process.stdout.write(found?.name ?? ""), () => undefined)`;
  return spawnSync(process.execPath, ["-e", code], { encoding: "utf8", env }).stdout;
}

function say(code: string, env: NodeJS.ProcessEnv): { stdout: string; stderr: string } {
  const script = `const B = require(${JSON.stringify(backend)});
    (async () => { ${code} })().catch((error) => { console.error(error.message); process.exitCode = 1; });`;
  return spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
}

/** `|a - b| / |b|` over all weights of two saved policies, each less what both started from. */
function relativeDistance(ours: string, theirs: string, start: string): number {
  const [a, b, s] = [ours, theirs, start].map((folder) => loadPolicy(folder).weights);
  let [off, moved] = [0, 0];
  for (const name of s.names) {
    const [x, y, z] = [a, b, s].map((weights) => weights.get(name).dataSync());
    for (let i = 0; i < z.length; i++) {
      off += (x[i] - y[i]) ** 2;
      moved += (y[i] - z[i]) ** 2;
    }
  }
  for (const weights of [a, b, s]) weights.dispose();
  return Math.sqrt(off / moved);
}

describe("engine/webgpu", () => {
  const own = adapterName(process.env) !== "";
  const there = own || existsSync(swiftshader.VK_DRIVER_FILES);
  const env = { SRPO_DEVICE: "webgpu", ...(own ? {} : swiftshader) };

  it("without a driver everything starts, and SRPO_DEVICE=webgpu says what is missing", () => {
    const none = { VK_DRIVER_FILES: "/nowhere", VK_ICD_FILENAMES: "/nowhere", LD_LIBRARY_PATH: "" };
    const chosen = say("console.log((await B.ready()).backend)", { ...none, SRPO_DEVICE: "" });
    assert.notEqual(chosen.stdout.trim(), "webgpu", chosen.stderr);
    assert.notEqual(chosen.stdout.trim(), "", chosen.stderr);
    if (process.platform !== "linux") return;
    const asked = say("await B.ready()", { ...none, SRPO_DEVICE: "webgpu" });
    assert.match(asked.stderr, /WebGPU finds no GPU.*SRPO_DEVICE=cpu/);
    assert.match(say("await B.ready()", { SRPO_DEVICE: "tpu" }).stderr, /SRPO_DEVICE.*tpu.*webgpu/);
  });

  const title = there ? "" : " (skipped: no GPU, and no SwiftShader in SRPO_TEST_CHROMIUM)";
  describe(`on ${adapterName({ ...process.env, ...env }) || "a GPU"}${title}`, function () {
    this.timeout(900_000);
    let root: string;
    let [gpu, cpu]: Worked[] = [];

    before(async function () {
      if (!there) return this.skip();
      root = temporaryFolder();
      const policy = join(root, "policy");
      writeTinyPolicy(policy);
      const work = async (device: string, more: NodeJS.ProcessEnv): Promise<Worked> => {
        const args = [join(__dirname, "webgpu-child.js"), policy, join(root, device)];
        const options = { env: { ...process.env, ...more } };
        const { stdout } = await promisify(execFile)(process.execPath, args, options);
        return JSON.parse(stdout) as Worked;
      };
      [gpu, cpu] = [await work("webgpu", env), await work("cpu", { SRPO_DEVICE: "cpu" })];
    });

    it("reads a tensor while Dawn's own callbacks wait, and reads it the same later", () => {
      const { stdout, stderr } = say(
        `await B.ready();
         const { tf } = B;
         const product = tf.matMul(tf.ones([40, 50]), tf.ones([50, 40]));
         const first = product.dataSync()[7];
         const mask = tf.greater(product, tf.fill([40, 40], 49)).dataSync();
         const later = await tf.matMul(product, product).data();
         await new Promise(setImmediate);
         console.log(first, mask.constructor.name, mask[1599], later[3], (await product.data())[0]);`,
        env,
      );
      assert.equal(stdout.trim(), "50 Uint8Array 1 100000 50", stderr);
    });

    it("agrees with transformers, pictures and greedy tokens included", () => {
      assert.equal(gpu.engine.backend, "webgpu");
      // The tolerance and its reasons are those of the CPU's parity test.
      assert.ok(gpu.parity.maxAbsLogit < 1e-4, `logits differ by ${gpu.parity.maxAbsLogit}`);
      assert.ok(gpu.parity.maxAbsLogprob < 1e-4, `log-probs differ by ${gpu.parity.maxAbsLogprob}`);
      assert.ok(gpu.parity.greedyEqual);
    });

    it("an SFT step has the CPU's loss, gradient and new weights", () => {
      closeTo(gpu.sft.loss, cpu.sft.loss, 1e-5);
      closeTo(gpu.sft.grad_norm, cpu.sft.grad_norm, 1e-4);
      assert.ok(cpu.sft.grad_norm > 0.1, "there is a gradient");
      const off = relativeDistance(...folders("sft"));
      assert.ok(off < MOVED, `the step is off by ${off} of its length`);
    });

    it("a GRPO step draws the CPU's tokens and has its loss, gradient and new weights", () => {
      assert.equal(gpu.completions.length, 4);
      assert.deepEqual(gpu.completions, cpu.completions);
      closeTo(gpu.grpo.reward, cpu.grpo.reward, 1e-6);
      closeTo(gpu.grpo.grad_norm, cpu.grpo.grad_norm, 1e-3);
      assert.ok(cpu.grpo.grad_norm > 1e-3, "there is a gradient");
      const off = relativeDistance(...folders("grpo"));
      assert.ok(off < MOVED, `both steps are off by ${off} of their length`);
    });

    it("gives its memory back, and says how much it holds", () => {
      assert.equal(gpu.leaked, cpu.leaked);
      assert.ok((gpu.gpuBytes ?? 0) > 0);
    });

    const folders = (stage: string): [string, string, string] => [
      join(root, "webgpu", stage),
      join(root, "cpu", stage),
      join(root, "policy"),
    ];
  });
});

/**
 * Adam's first step moves every parameter by the learning rate in the direction of its gradient's sign, so that the few
 * whose gradient is rounding noise go one way on the one device and another way on the other: each of them off by 2 of 1,
 * a share s of them by 2·√s of the whole length. One in 2,500 is 4 %; a wrong operation turns every second one.
 */
const MOVED = 0.04;

function closeTo(ours: number, theirs: number, tolerance: number): void {
  const off = Math.abs(ours - theirs) / Math.max(1e-9, Math.abs(theirs));
  assert.ok(off < tolerance, `${ours} and ${theirs} differ by ${off} of their size`);
}
