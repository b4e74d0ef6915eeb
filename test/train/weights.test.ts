import assert from "node:assert/strict";
import { LOSSES } from "../../lib/train/objective";
import { batchSize, lossWeights } from "../../lib/train/weights";
import { maxAbsDifference } from "../policy/fixture";

const ones = (...lengths: number[]): Float32Array[] =>
  lengths.map((length) => new Float32Array(length).fill(1));

describe("lossWeights", () => {
  const size = { sequences: 3, tokens: 7, tokensPerStep: 14, maxNewTokens: 10 };

  it("mean a completion's tokens, then completions, in GRPO and GSPO", () => {
    const expected = [1 / 3, 1 / 6, 1 / 6, 1 / 12, 1 / 12, 1 / 12, 1 / 12];
    for (const loss of ["grpo", "gspo"] as const) {
      assert.ok(maxAbsDifference(lossWeights(loss, ones(1, 2, 4), size), expected) < 1e-7);
    }
  });

  it("are one constant in the others: the limit, the step's tokens, the rollouts' tokens a step", () => {
    for (const [loss, divisor] of [
      ["dr_grpo", 30],
      ["bnpo", 7],
      ["dapo", 14],
      ["cispo", 14],
    ] as const) {
      const expected = new Array<number>(7).fill(1 / divisor);
      assert.ok(maxAbsDifference(lossWeights(loss, ones(1, 2, 4), size), expected) < 1e-7, loss);
    }
  });

  it("are 0 for masked tokens, whose completion is a completion all the same", () => {
    const masks = [Float32Array.of(0, 0), Float32Array.of(0, 1, 1)];
    const rollouts = [...masks, ...ones(4)];
    const half = batchSize(masks, { rollouts, steps: 2, maxNewTokens: 5 });
    assert.deepEqual(half, { sequences: 2, tokens: 2, tokensPerStep: 3, maxNewTokens: 5 });
    const weight = {
      grpo: 1 / 4,
      gspo: 1 / 4,
      dr_grpo: 1 / 10,
      bnpo: 1 / 2,
      dapo: 1 / 3,
      cispo: 1 / 3,
    };
    for (const loss of LOSSES) {
      const expected = [0, 0, 0, weight[loss], weight[loss]];
      assert.ok(maxAbsDifference(lossWeights(loss, masks, half), expected) < 1e-7, loss);
    }
  });

  it("are finite where nothing counts at all", () => {
    const nothing = [new Float32Array(3), new Float32Array(0)];
    const none = batchSize(nothing, { rollouts: nothing, steps: 1, maxNewTokens: 5 });
    for (const loss of LOSSES) {
      assert.deepEqual(lossWeights(loss, nothing, none), new Float32Array(3));
    }
  });
});
