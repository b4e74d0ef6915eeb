/** The embedded policy's vision tower on pictures of a given size. */
import { createRandom } from "../engine/random";
import { basePolicyFolder } from "../paths";
import { openPolicy } from "../policy/bundle";
import { imageFeatures, mergedTokens, type Grid } from "../policy/vision";

export interface TowerWork {
  /** Pixels of a side, a multiple of 28. */
  side: number;
  /** Pictures at once. */
  pictures: number;
  /** Batches that are timed, after one that is not. */
  repeats: number;
}

/** Seconds of each batch, and the decoder's tokens that a picture becomes. */
export function measureTower({ side, pictures, repeats }: TowerWork): {
  seconds: number[];
  tokens: number;
} {
  const bundle = openPolicy(basePolicyFolder);
  const { patchSize, temporalPatchSize, mergeSize, channels } = bundle.config.vision;
  const grid: Grid = [1, side / patchSize, side / patchSize];
  const grids = Array.from({ length: pictures }, () => grid);
  const random = createRandom("tower");
  const numbers = pictures * grid[1] * grid[2] * channels * temporalPatchSize * patchSize ** 2;
  const patches = Float32Array.from({ length: numbers }, () => random.next() - 0.5);
  const seconds: number[] = [];
  try {
    for (let round = 0; round <= repeats; round++) {
      const begun = performance.now();
      imageFeatures(bundle, patches, grids);
      seconds.push((performance.now() - begun) / 1000);
    }
  } finally {
    bundle.weights.dispose();
  }
  return { seconds: seconds.slice(1), tokens: mergedTokens(grid, mergeSize) };
}
