import assert from "node:assert/strict";
import { importanceRatios } from "../../lib/train/importance";
import { correctionMetrics } from "../../lib/train/metrics";
import { maxAbsDifference } from "../policy/fixture";
import { CLOSE, golden } from "./trl";

const { lengths, oldLogprobs, samplerLogprobs } = golden.batch;
const disagreement = {
  lengths,
  trainer: Float32Array.from(oldLogprobs),
  sampler: Float32Array.from(samplerLogprobs),
  mask: new Float32Array(oldLogprobs.length).fill(1),
};

describe("importanceRatios", () => {
  for (const { config, maskTruncated, mask, ratios, metrics } of golden.importance) {
    const { importanceSampling, importanceMin, importanceMax } = config;
    const bounds = `${importanceMin} to ${importanceMax}`;
    const which = maskTruncated ? "all but a truncated completion" : "all completions";
    it(`are TRL's: ${importanceSampling} ${bounds}, ${which}`, () => {
      const counted = { ...disagreement, mask: Float32Array.from(mask) };
      assert.ok(maxAbsDifference(importanceRatios(counted, config), ratios) < CLOSE);
      const ours = correctionMetrics(counted, config);
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(metrics).sort());
      for (const [name, value] of Object.entries(ours)) {
        assert.ok(Math.abs(value - metrics[name]) < CLOSE, `${name} ${value} ${metrics[name]}`);
      }
    });
  }

  it("are 1 where sampler and trainer agree, and where nothing is corrected", () => {
    const bounds = { importanceMin: 0.9, importanceMax: 1.1 };
    const agreed = { ...disagreement, sampler: disagreement.trainer };
    const ones = new Float32Array(oldLogprobs.length).fill(1);
    for (const { config } of golden.importance) {
      assert.deepEqual(importanceRatios(agreed, { ...config, ...bounds }), ones);
    }
    const none = { importanceSampling: "none", ...bounds } as const;
    assert.deepEqual(importanceRatios(disagreement, none), ones);
  });
});
