import assert from "node:assert/strict";
import { updateFlops } from "../../lib/perf/update";
import { groupBatch } from "../../lib/policy/batch";
import { readPolicyConfig } from "../../lib/policy/config";
import { basePolicyFolder } from "../../lib/paths";

/** Counts one token, one matrix and one attended token at a time. */
function countedOneByOne(
  prompts: readonly number[],
  completions: readonly (readonly number[])[],
): number {
  const { decoder } = readPolicyConfig(basePolicyFolder);
  const { hiddenSize: D, intermediateSize: F, heads, kvHeads, headDim: d, layers } = decoder;
  // A product of [m, k] and [k, n] has 2mkn operations; each has two more of its size in the backward pass.
  const product = (m: number, k: number, n: number): number => 3 * 2 * m * k * n;
  let flops = 0;
  const token = (attended: number): void => {
    for (let layer = 0; layer < layers; layer++) {
      flops += product(1, D, heads * d) + 2 * product(1, D, kvHeads * d) + product(1, heads * d, D);
      flops += 2 * product(1, D, F) + product(1, F, D);
      for (let head = 0; head < heads; head++) {
        flops += product(1, d, attended) + product(1, attended, d);
      }
    }
  };
  prompts.forEach((length, p) => {
    for (let t = 0; t < length; t++) token(t + 1);
    for (const own of completions[p]) {
      for (let t = 0; t < own; t++) {
        token(length + t + 1);
        flops += product(1, D, decoder.vocabSize);
      }
    }
  });
  return flops;
}

describe("operations of an update", () => {
  it("are those of every product, counted one by one", () => {
    const config = readPolicyConfig(basePolicyFolder);
    const tokens = (length: number): number[] => new Array<number>(length).fill(1);
    const [prompts, completions] = [
      [5, 9],
      [
        [3, 1, 4],
        [2, 7, 6],
      ],
    ];
    const batch = groupBatch(
      prompts.map((length) => ({ ids: tokens(length), grids: [] })),
      completions.map((group) => group.map(tokens)),
      config,
    );
    assert.equal(updateFlops(config.decoder, batch), countedOneByOne(prompts, completions));
  });
});
