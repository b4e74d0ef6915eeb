import assert from "node:assert/strict";
import { combine, planJobs, readyJobs, secondsLeft } from "../../lib/grid/plan";
import { variants } from "../../lib/grid/variants";
import { rewardConfig } from "../../lib/reflection/reward-config";

const request = { preset: "smoke", changes: {}, seeds: [1, 2] } as const;
const none = { done: new Set<string>(), running: new Set<string>(), failed: new Set<string>() };

describe("grid plan", () => {
  it("has every variant with every seed, each with a reward that can be", () => {
    const jobs = planJobs(request, "base");
    assert.equal(jobs.length, 2 * variants.length);
    // Two that are the same but for their names would be one.
    assert.equal(new Set(jobs.map(({ hash }) => hash)).size, jobs.length);
    for (const { variant, spec, seed } of jobs) {
      assert.equal(spec.seed, seed);
      if (variant.reward !== undefined) rewardConfig(variant.reward, spec.reward);
    }
  });

  it("begins with the base alone and leaves nobody waiting for ever", () => {
    const jobs = planJobs(request, "base");
    assert.deepEqual(
      readyJobs(jobs, none).map(({ id }) => id),
      ["base/1", "base/2"],
    );
    const done = new Set<string>();
    for (let round = 0; done.size < jobs.length; round++) {
      const ready = readyJobs(jobs, { ...none, done });
      assert.ok(ready.length > 0 && round < 4);
      for (const { id } of ready) done.add(id);
    }
  });

  it("adds what a variant starts from, and nothing else", () => {
    const names = (wanted: string[]): string[] =>
      planJobs({ ...request, seeds: [1], variants: wanted }, "base").map(({ id }) => id);
    assert.deepEqual(names(["srpo"]), ["base/1", "sft/1", "srpo/1"]);
    assert.deepEqual(names(["quarter-srpo"]), ["base/1", "quarter-sft/1", "quarter-srpo/1"]);
    assert.deepEqual(names(["grpo"]), ["base/1", "grpo/1"]);
    assert.throws(() => names(["srqo"]), /there is no such variant.*srqo/s);
  });

  it("does not do again what failed, nor what needs it", () => {
    const jobs = planJobs({ ...request, seeds: [1], variants: ["srpo", "grpo"] }, "base");
    const state = { ...none, done: new Set(["base/1"]), failed: new Set(["sft/1"]) };
    assert.deepEqual(
      readyJobs(jobs, state).map(({ id }) => id),
      ["grpo/1"],
    );
  });

  it("changes a hash with whatever determines the job", () => {
    const hashOf = (changes: object, base = "base"): string =>
      planJobs({ ...request, changes, seeds: [1], variants: ["base"] }, base)[0].hash;
    const known = hashOf({});
    assert.equal(hashOf({}), known);
    assert.notEqual(hashOf({ grpo: { steps: 9 } }), known);
    assert.notEqual(hashOf({}, "another"), known);
  });

  it("lets a variant's own changes win, key by key", () => {
    assert.deepEqual(
      combine(
        { seed: 4, grpo: { steps: 9 }, reward: { alpha: 0.2 } },
        { seed: 1, reward: { alpha: 0 } },
      ),
      { seed: 1, grpo: { steps: 9 }, reward: { alpha: 0 } },
    );
  });

  it("estimates by the same variant, else by those like it, and says nothing before", () => {
    const jobs = planJobs({ ...request, variants: ["srpo"] }, "base");
    const left = (taken: { variant: string; seconds: number }[], running = new Map()) =>
      secondsLeft(
        jobs.filter(({ variant }) => variant.name === "srpo"),
        { taken, running, parallel: 2 },
      );
    assert.equal(left([{ variant: "sft", seconds: 5 }]), null);
    assert.equal(left([{ variant: "grpo", seconds: 100 }]), 100);
    assert.equal(
      left([
        { variant: "grpo", seconds: 100 },
        { variant: "srpo", seconds: 60 },
      ]),
      60,
    );
    assert.equal(left([{ variant: "srpo", seconds: 60 }], new Map([["srpo/1", 50]])), 60);
    assert.equal(
      left(
        [{ variant: "srpo", seconds: 60 }],
        new Map([
          ["srpo/1", 90],
          ["srpo/2", 20],
        ]),
      ),
      40,
    );
  });
});
