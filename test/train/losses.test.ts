import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor1D } from "@tensorflow/tfjs";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import {
  average,
  clippedLoss,
  deviation,
  groupAdvantages,
  ratioStatistics,
  sequenceMeanWeights,
  type ClipOptions,
  type RatioStatistics,
} from "../../lib/train/losses";
import { FIXTURES, maxAbsDifference } from "../policy/fixture";

interface Golden {
  lengths: number[];
  logprobs: number[];
  oldLogprobs: number[];
  refLogprobs: number[];
  advantages: number[];
  cases: (ClipOptions & { loss: number; gradient: number[]; statistics: RatioStatistics })[];
  groups: { rewards: number[]; advantages: number[] }[];
}
// Made with PyTorch in float64, see make_train_fixture.py there; 1e-6 is float32 on numbers of size 1.
const golden = JSON.parse(readFileSync(join(FIXTURES, "train/losses.json"), "utf8")) as Golden;
const CLOSE = 1e-6;

describe("losses", () => {
  before(() => ready());
  const terms = {
    oldLogprobs: Float32Array.from(golden.oldLogprobs),
    refLogprobs: Float32Array.from(golden.refLogprobs),
    advantages: Float32Array.from(golden.advantages),
    weights: sequenceMeanWeights(golden.lengths),
  };

  for (const example of golden.cases) {
    const { clipLow, clipHigh, beta } = example;
    it(`clippedLoss and its gradient are PyTorch's: clip ${clipLow}/${clipHigh}, beta ${beta}`, () => {
      const logprobs = tf.tensor1d(golden.logprobs);
      const { value, grad } = tf.valueAndGrad((x) => clippedLoss(x as Tensor1D, terms, example))(
        logprobs,
      );
      assert.ok(Math.abs(value.dataSync()[0] - example.loss) < CLOSE);
      assert.ok(maxAbsDifference(grad.dataSync(), example.gradient) < CLOSE);
      tf.dispose([logprobs, value, grad]);
      const statistics = ratioStatistics(Float32Array.from(golden.logprobs), terms, example);
      for (const key of ["clipLow", "clipHigh", "approxKl", "maxShift"] as const) {
        assert.ok(Math.abs(statistics[key] - example.statistics[key]) < CLOSE, key);
      }
      // The same estimate with the roles changed: how far the sampling policy is from the current one as its reference.
      const refLogprobs = Float32Array.from(golden.logprobs);
      const { kl } = ratioStatistics(terms.oldLogprobs, { ...terms, refLogprobs }, example);
      assert.ok(Math.abs(kl - example.statistics.approxKl) < CLOSE);
    });
  }

  it("is the plain policy gradient where the policy has not moved", () => {
    const logprobs = tf.tensor1d(terms.oldLogprobs);
    const options = { clipLow: 0.2, clipHigh: 0.2, beta: 0 };
    const gradient = tf.grad((x) => clippedLoss(x as Tensor1D, terms, options))(logprobs);
    const expected = golden.advantages.map((advantage, i) => -advantage * terms.weights[i]);
    assert.ok(maxAbsDifference(gradient.dataSync(), expected) < CLOSE);
    tf.dispose([logprobs, gradient]);
    const { refLogprobs: _unused, ...bare } = terms;
    const still = ratioStatistics(terms.oldLogprobs, bare, options);
    assert.deepEqual(still, { clipLow: 0, clipHigh: 0, approxKl: 0, kl: 0, maxShift: 0 });
  });

  it("does not drop a KL penalty for want of a reference", () => {
    const { refLogprobs: _unused, ...bare } = terms;
    const logprobs = tf.tensor1d(golden.logprobs);
    const lossWith = (beta: number): number =>
      tf.tidy(
        () => clippedLoss(logprobs, bare, { clipLow: 0.2, clipHigh: 0.2, beta }).dataSync()[0],
      );
    assert.ok(Math.abs(lossWith(0) - golden.cases[0].loss) < CLOSE);
    assert.throws(
      () => lossWith(0.04),
      (error: Error) => error instanceof LabError && /refLogprobs/.test(error.message),
    );
    logprobs.dispose();
  });
});

describe("sequenceMeanWeights", () => {
  it("averages within a sequence, then over sequences", () => {
    const near = (lengths: number[], expected: number[]): void =>
      assert.ok(maxAbsDifference(sequenceMeanWeights(lengths), expected) < 1e-7);
    near([1, 2, 4], [1 / 3, 1 / 6, 1 / 6, 1 / 12, 1 / 12, 1 / 12, 1 / 12]);
    near([3], [1 / 3, 1 / 3, 1 / 3]);
    // A sequence without tokens is a sequence all the same: its loss is 0.
    near([0, 2], [1 / 4, 1 / 4]);
    near([], []);
  });
});

describe("groupAdvantages", () => {
  for (const { rewards, advantages } of golden.groups) {
    it(`of ${rewards.length} rewards are PyTorch's, with its deviation over n − 1`, () => {
      const ours = groupAdvantages(rewards, { stdFloor: 0 });
      assert.ok(maxAbsDifference(ours, advantages) < 1e-12);
    });
  }

  it("have no size when all rewards are equal, with or without a floor", () => {
    for (const stdFloor of [0, 0.1]) {
      for (const rewards of [[1, 1, 1, 1], [0.1, 0.1, 0.1], [-2], []]) {
        const ours = groupAdvantages(rewards, { stdFloor });
        assert.equal(ours.length, rewards.length);
        assert.ok(ours.every((advantage) => Math.abs(advantage) < 1e-6));
      }
    }
  });

  it("are held down by the floor and by nothing else", () => {
    // The deviation of (0, 0.1) is 0.0707…: below a floor of 0.5, above one of 0.05.
    const near = (stdFloor: number, expected: number[]): void =>
      assert.ok(maxAbsDifference(groupAdvantages([0, 0.1], { stdFloor }), expected) < 1e-12);
    near(0.5, [-0.1, 0.1]);
    near(0.05, [-Math.SQRT1_2, Math.SQRT1_2]);
  });

  it("are differences from the mean without scaling", () => {
    assert.deepEqual(groupAdvantages([3, 1, 2], { stdFloor: 9, scale: false }), [1, -1, 0]);
  });

  it("rest on a mean and a deviation that know small groups", () => {
    assert.deepEqual([[], [4], [1, 3]].map(average), [0, 4, 2]);
    assert.deepEqual([[], [4], [1, 3]].map(deviation), [0, 0, Math.SQRT2]);
  });
});
