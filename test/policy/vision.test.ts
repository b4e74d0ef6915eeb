import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { createRandom } from "../../lib/engine/random";
import type { Policy } from "../../lib/policy/policy";
import { imageFeatures, layoutVision, mergedTokens, type Grid } from "../../lib/policy/vision";
import { FIXTURES, loadFixture, maxAbsDifference, randomPrompt } from "./fixture";

/** Sums in another order, in transformers or in matrix products of another shape, leave about 1e-6 on these values of size 1. */
const SAME = 1e-4;

describe("vision tower", () => {
  let policy: Policy;
  before(async () => {
    await ready();
    policy = loadFixture();
  });
  after(() => policy.weights.dispose());

  describe("layout", () => {
    it("cuts a picture into windows of 3 × 3 tokens, smaller at the edges", () => {
      // 8 × 6 patches are 4 × 3 tokens: one whole window and a row of three.
      const layout = layoutVision([[1, 8, 6]], policy.config.vision);
      assert.deepEqual(layout.windowLengths, [36, 12]);
      assert.deepEqual(layout.pictureLengths, [48]);
      assert.deepEqual([...layout.windowOrder], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      // 2 × 5 tokens: the second window's tokens come after the first window's second row.
      const wide = layoutVision([[1, 4, 10]], policy.config.vision);
      assert.deepEqual(wide.windowLengths, [24, 16]);
      assert.deepEqual([...wide.windowOrder], [0, 1, 2, 5, 6, 7, 3, 4, 8, 9]);
      // Patches of one token: (row, column) of the square's four corners.
      assert.deepEqual([...wide.positions.slice(4 * 2 * 6, 4 * 2 * 7)], [0, 6, 0, 7, 1, 6, 1, 7]);
    });

    it("names every patch once, whatever the grids", () => {
      const random = createRandom("grids");
      for (let trial = 0; trial < 200; trial++) {
        const grids = Array.from({ length: random.int(1, 4) }, (): Grid => [
          random.int(1, 2),
          2 * random.int(1, 9),
          2 * random.int(1, 9),
        ]);
        const layout = layoutVision(grids, policy.config.vision);
        const patches = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
        const add = (a: number, b: number): number => a + b;
        assert.equal(layout.patches, patches);
        assert.equal(layout.windowLengths.reduce(add), patches);
        assert.equal(layout.pictureLengths.reduce(add), patches);
        assert.equal(layout.positions.length, 2 * patches);
        assert.deepEqual(
          [...layout.windowOrder].sort((a, b) => a - b),
          Array.from({ length: patches / 4 }, (_unused, i) => i),
        );
        assert.ok(layout.windowLengths.every((length) => length > 0 && length <= 36));
        // Each patch's place in its picture, all of them once.
        let at = 0;
        for (const [t, h, w] of grids) {
          const places = new Map<number, number>();
          for (const end = at + t * h * w; at < end; at++) {
            const place = layout.positions[2 * at] * w + layout.positions[2 * at + 1];
            places.set(place, (places.get(place) ?? 0) + 1);
          }
          assert.deepEqual(new Set(places.values()), new Set([t]));
          assert.equal(places.size, h * w);
        }
      }
    });
  });

  it("encodes pictures of several windows as transformers does", () => {
    // See make_policy_fixture.py there. Windows lie side by side here, so that their order is not the tokens' own.
    const golden = JSON.parse(readFileSync(join(FIXTURES, "policy/vision.json"), "utf8")) as {
      grids: Grid[];
      tokens: number[][];
    };
    const { windowOrder } = layoutVision(golden.grids, policy.config.vision);
    assert.ok(
      windowOrder.some((from, to) => windowOrder[from] !== to),
      "not its own inverse",
    );
    const pixels = Float32Array.from({ length: windowOrder.length * 4 * 384 }, (_unused, i) =>
      Math.sin(i * 0.7 + i * i * 1e-7),
    );
    const features = imageFeatures(policy, pixels, golden.grids);
    const ours = golden.tokens.map((_unused, i) => [...features.slice(i * 32, i * 32 + 4)]);
    assert.ok(maxAbsDifference(ours.flat(), golden.tokens.flat()) < SAME);
  });

  it("encodes pictures of unequal grids in one batch as each alone", () => {
    const grids: Grid[] = [
      [1, 8, 6],
      [1, 2, 2],
      [1, 4, 14],
      [1, 12, 12],
      [1, 2, 2],
    ];
    const alone = grids.map((grid, i) => randomPrompt(policy, `picture ${i}`, [grid]));
    const together = imageFeatures(
      policy,
      alone.flatMap(({ pixels }) => [...pixels]),
      grids,
    );
    const apart = alone.flatMap(({ features }) => [...features]);
    assert.ok(maxAbsDifference(together, apart) < SAME);
  });

  it("keeps pictures apart, and lets every patch of a picture reach every token of it", () => {
    const grids: Grid[] = [
      [1, 8, 8],
      [1, 4, 6],
    ];
    const { pixels } = randomPrompt(policy, "apart", grids);
    const before = imageFeatures(policy, pixels, grids);
    const changed = pixels.slice();
    changed[0] += 2;
    const after = imageFeatures(policy, changed, grids);
    const width = policy.config.decoder.hiddenSize;
    const moved = (token: number): number =>
      maxAbsDifference(
        before.slice(token * width, (token + 1) * width),
        after.slice(token * width, (token + 1) * width),
      );
    const first = mergedTokens(grids[0], 2);
    for (let token = 0; token < first; token++) assert.ok(moved(token) > 1e-6, `token ${token}`);
    for (let token = first; token < first + mergedTokens(grids[1], 2); token++) {
      assert.equal(moved(token), 0);
    }
  });

  it("gives nothing for no pictures, and leaves no tensor behind", () => {
    const tensors = tf.memory().numTensors;
    assert.equal(imageFeatures(policy, [], []).length, 0);
    randomPrompt(policy, "memory", [
      [1, 4, 6],
      [1, 2, 2],
    ]);
    assert.equal(tf.memory().numTensors, tensors);
  });
});
