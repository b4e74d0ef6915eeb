/** How fast this machine computes what the lab computes, so that a notebook can say how long it will take here. */
import type { Rank, Tensor2D } from "@tensorflow/tfjs";
import { ready, tf } from "./backend";

const ROWS = 256;
const WIDTH = 128;
const INNER = 384;
const LAYERS = 4;
/** Rounds are repeated for so long, at least once after the one that warms up. */
const BUDGET_MS = 200;

/**
 * Seconds for a fixed piece of work of the kind that training spends its time on: products with small weights, and
 * element-wise functions between them. The quickest of a few rounds, because a machine may be busy with something else
 * meanwhile.
 */
export async function probeSeconds(): Promise<number> {
  await ready();
  const input = tf.randomNormal<Rank.R2>([ROWS, WIDTH], 0, 1, "float32", 1);
  const up = tf.randomNormal<Rank.R2>([WIDTH, INNER], 0, 0.1, "float32", 2);
  const down = tf.randomNormal<Rank.R2>([INNER, WIDTH], 0, 0.05, "float32", 3);
  let quickest = Infinity;
  try {
    const round = async (): Promise<number> => {
      const begun = performance.now();
      const result = tf.tidy(() => layers(input, up, down));
      await result.data();
      result.dispose();
      return (performance.now() - begun) / 1000;
    };
    await round();
    const end = performance.now() + BUDGET_MS;
    do quickest = Math.min(quickest, await round());
    while (performance.now() < end);
  } finally {
    tf.dispose([input, up, down]);
  }
  return quickest;
}

function layers(input: Tensor2D, up: Tensor2D, down: Tensor2D): Tensor2D {
  let x = input;
  for (let layer = 0; layer < LAYERS; layer++) {
    const inner = tf.matMul(x, up);
    x = tf.add(x, tf.matMul(tf.mul(inner, tf.sigmoid(inner)), down));
    x = tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6)));
  }
  return x;
}
