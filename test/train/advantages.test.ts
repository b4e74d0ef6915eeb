import assert from "node:assert/strict";
import {
  average,
  batchAdvantages,
  decoupledAdvantages,
  deviation,
  groupAdvantages,
  overlongReward,
} from "../../lib/train/advantages";
import { sequenceKl } from "../../lib/train/kl";
import { maxAbsDifference } from "../policy/fixture";
import { golden } from "./trl";

describe("batchAdvantages", () => {
  const { parts, stdEpsilon, cases } = golden.advantages;
  for (const { aggregation, scaleRewards, advantages } of cases) {
    it(`are TRL's: ${aggregation}, scaled by ${scaleRewards}`, () => {
      const config = { aggregation, scaleRewards, stdFloor: 0, stdEpsilon };
      const ours = batchAdvantages(parts, config);
      assert.deepEqual(
        ours.map((group) => group.length),
        advantages.map((group) => group.length),
      );
      assert.ok(maxAbsDifference(ours.flat(), advantages.flat()) < 1e-9);
    });
  }

  it("tell apart under GDPO what earns the same in another way, and not under a sum", () => {
    // Two groups whose totals are 0 and 1; in the second the winner earns it by two parts (the example of the paper).
    const groups = [
      [
        [0, 0],
        [1, 0],
      ],
      [
        [0, 0],
        [1, 1],
      ],
    ];
    const config = { scaleRewards: "group", stdFloor: 0, stdEpsilon: 0 } as const;
    const summed = batchAdvantages(groups, { ...config, aggregation: "sum_then_normalize" });
    assert.ok(maxAbsDifference(summed[0], summed[1]) < 1e-12);
    const apart = batchAdvantages(groups, { ...config, aggregation: "normalize_then_sum" });
    assert.ok(Math.abs(apart[1][1] / apart[0][1] - 2) < 1e-12);
  });

  it("hold a small part down by the floor under GDPO too", () => {
    const group = [
      [0.5, 0.1],
      [0, 0],
    ];
    const share = (stdFloor: number): number => {
      const of = (k: number): number[][][] => [group.map((parts) => [parts[k]])];
      // Before the batch is normalised: what the length part brings beside what the accuracy part brings.
      const [accuracy, length] = [0, 1].map(
        (k) => groupAdvantages(of(k)[0].flat(), { stdFloor })[0],
      );
      return length / accuracy;
    };
    assert.ok(Math.abs(share(0) - 1) < 1e-9);
    assert.ok(share(0.1) < 0.71);
    assert.deepEqual(decoupledAdvantages([], { stdFloor: 0.1 }), []);
  });
});

describe("groupAdvantages", () => {
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

describe("what is taken off a reward", () => {
  it("for length is TRL's soft overlong punishment, and DAPO's equation 13", () => {
    const { lengths, rewards, ...limits } = golden.overlong;
    const ours = lengths.map((length) => overlongReward(length, { ...limits, overlongPenalty: 1 }));
    assert.ok(maxAbsDifference(ours, rewards) < 1e-12);
    assert.ok(rewards.includes(0) && rewards.includes(-0.5) && rewards.includes(-1));
    const half = { ...limits, overlongPenalty: 0.5 };
    assert.equal(overlongReward(limits.maxNewTokens, half), -0.5);
    assert.equal(overlongReward(limits.maxNewTokens, { ...half, overlongBuffer: 0 }), 0);
  });

  it("for distance from the reference is RLOO's, summed over the completion", () => {
    const { lengths, oldLogprobs, refLogprobs } = golden.batch;
    const { rewards, beta, leaveOneOut, kl } = golden.klInReward;
    let at = 0;
    const distances = lengths.map((length) => {
      const tokens = [at, (at += length)];
      return sequenceKl(oldLogprobs.slice(...tokens), refLogprobs.slice(...tokens), "k1");
    });
    const perToken = distances.reduce((a, b) => a + b, 0) / oldLogprobs.length;
    assert.ok(Math.abs(perToken - kl) < 1e-6);
    const penalised = rewards.map((reward, i) => reward - beta * distances[i]);
    // Against the others' mean a reward differs G / (G − 1) times as much as against the mean of all.
    const ours = groupAdvantages(penalised, { stdFloor: 0, scale: false }).map((a) => (a * 4) / 3);
    assert.ok(maxAbsDifference(ours, leaveOneOut) < 1e-6);
  });
});
