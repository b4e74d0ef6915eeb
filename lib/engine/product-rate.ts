/** How fast the engine multiplies matrices, here or on another device: what `srpo doctor` compares devices by. */
import { spawnSync } from "node:child_process";
import { ready, tf } from "./backend";

export interface ProductRate {
  /** The GPU's name, or the device. */
  on: string;
  /** A software GPU or plain CPU. */
  software: boolean;
  /** Billions of multiplications and additions a second, the best of a few products of float32. */
  gflops: number;
}

const SIDE = 1024;
const TRIES = 5;

/** Measures the engine of this process, for about a tenth of a second on a CPU. */
export async function productRate(): Promise<ProductRate> {
  const { adapter, device, warning } = await ready();
  const a = tf.randomUniform([SIDE, SIDE]);
  let best = Infinity;
  try {
    for (let i = 0; i < TRIES; i++) {
      const start = performance.now();
      // Reading one number waits for the whole product.
      tf.tidy(() => tf.matMul(a, a).slice([0, 0], [1, 1]).dataSync());
      best = Math.min(best, performance.now() - start);
    }
  } finally {
    a.dispose();
  }
  const software = device === "cpu" || (device === "webgpu" && warning !== undefined);
  return { on: adapter ?? device, software, gflops: (2 * SIDE ** 3) / (best * 1e6) };
}

/** The same with `SRPO_DEVICE` set, in a process of its own: a driver that crashes takes nothing along. */
export function productRateOn(device: "webgpu" | "cuda" | "cpu"): ProductRate | undefined {
  const { status, stdout } = spawnSync(process.execPath, [__filename], {
    encoding: "utf8",
    env: { ...process.env, SRPO_DEVICE: device, SRPO_ENGINE: "" },
    timeout: 60_000,
  });
  return status === 0 ? (JSON.parse(stdout) as ProductRate) : undefined;
}

if (require.main === module) {
  productRate().then(
    (rate) => process.stdout.write(JSON.stringify(rate)),
    () => (process.exitCode = 1),
  );
}
