import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { LabError } from "../../lib/engine/errors";
import { rewardConfig } from "../../lib/reflection/reward-config";
import {
  checkCustomRewards,
  customRewardIdentity,
  RewardFailure,
  type CustomReward,
} from "../../lib/train/custom-reward";
import { rolloutMetrics } from "../../lib/train/metrics";
import { scoreCompletions } from "../../lib/train/rollouts";
import type { Completion, Problem } from "../../lib/types";

const problem = (id: string, answer: string): Problem => ({
  ...{ id, question: "How much?", images: [], answer, answerType: "number", family: "sums" },
  ...{ level: 1, subject: "maths", source: "test" },
});
const problems = [problem("sum-1", "7"), problem("sum-2", "9")];

const completion = (text: string): Completion => ({
  ...{ ids: [1, 2], logprobs: [-0.5, -1.5], text, truncated: false },
});
const completions = ["7", "8"].map((wrong) =>
  ["9", wrong].map((answer) => completion(`<think>so</think><answer>${answer}</answer>`)),
);

const reward = rewardConfig("task-only");
const countTokens = (text: string): number => text.length;

/** The completions scored as a step scores them. */
function score(
  rewards: readonly CustomReward[],
  { rewardWeight = 1, signal }: { rewardWeight?: number; signal?: AbortSignal } = {},
) {
  const tokenizer = { countTokens, decode: () => "" };
  const scoring = { reward, rewardWeight, rewards, firstSolutionMask: "never" as const, tokenizer };
  return scoreCompletions(problems, completions, scoring, { step: 7, signal });
}

const rejects = (what: Promise<unknown>, ...parts: RegExp[]): Promise<void> =>
  assert.rejects(what, (error: Error) => {
    assert.ok(error instanceof RewardFailure && error instanceof LabError, error.message);
    for (const part of parts) assert.match(error.message, part);
    return true;
  });

describe("a reward of the user's own", () => {
  it("is given the response, the problem and the other reward, and is added with its weight", async () => {
    const groups = await score([
      {
        name: "answer",
        weight: 0.25,
        reward: async (sample) => {
          await wait(Math.random() * 5);
          assert.ok(problems.includes(sample.problem));
          assert.equal(sample.completion.text, sample.response.text);
          assert.equal(sample.countTokens("abc"), 3);
          assert.equal(sample.reward.accuracy, sample.reward.first.correct ? 0.5 : 0);
          return Number(sample.response.first.answer);
        },
      },
      { name: "long", reward: ({ response }) => (response.text.length > 1e3 ? 1 : 0) },
    ]);
    // In place, although later ones were answered earlier.
    assert.deepEqual(
      groups.map((group) => group.map(({ total }) => total)),
      [
        [0.5 + 9 / 4, 1 + 7 / 4],
        [1 + 9 / 4, 0.5 + 8 / 4],
      ],
    );
    assert.deepEqual(groups[0][1].custom, { answer: 7, long: 0 });
    assert.equal(groups[0][1].paid.answer, 7 / 4);
    const metrics = rolloutMetrics(groups);
    assert.equal(metrics["rewards/answer/mean"], (9 + 7 + 9 + 8) / 4);
    assert.ok(Math.abs(metrics["rewards/answer/std"] - Math.sqrt(11 / 12)) < 1e-12);
    assert.deepEqual([metrics["rewards/long/mean"], metrics["rewards/long/std"]], [0, 0]);
  });

  it("can stand in place of the configured reward, which is still measured", async () => {
    const groups = await score([{ name: "one", reward: () => 1 }], { rewardWeight: 0 });
    assert.deepEqual(
      groups.flat().map(({ total }) => total),
      [1, 1, 1, 1],
    );
    assert.equal(rolloutMetrics(groups)["rewards/format/mean"], 0.5);
  });

  it("may say that it does not apply: it pays 0 and stays out of the mean", async () => {
    const some = await score([
      { name: "odd", reward: ({ problem: { id } }) => (id === "sum-1" ? 3 : null) },
    ]);
    assert.deepEqual(
      some.map(([{ custom, paid }]) => [custom.odd, paid.odd]),
      [
        [3, 3],
        [null, 0],
      ],
    );
    const metrics = rolloutMetrics(some);
    assert.deepEqual(
      [metrics["rewards/odd/mean"], metrics["rewards/odd/not_applicable"]],
      [3, 0.5],
    );
    const none = rolloutMetrics(await score([{ name: "odd", reward: () => null }]));
    assert.ok(!("rewards/odd/mean" in none));
    assert.equal(none["rewards/odd/not_applicable"], 1);
  });

  it("that throws is named with its sample, whether it is async or not", async () => {
    const bad: CustomReward["reward"] = ({ problem: { id }, response }) => {
      if (id === "sum-2" && response.first.answer === "8") throw new TypeError("no such thing");
      return 1;
    };
    for (const fails of [bad, async (...args: Parameters<typeof bad>) => bad(...args)]) {
      await rejects(
        score([
          { name: "fine", reward: () => 1 },
          { name: "brittle", reward: fails },
        ]),
        /^reward "brittle": failed \(TypeError: no such thing\)/,
        /on completion 2 of problem sum-2 at step 7/,
      );
    }
  });

  it("that gives no finite number is no silent 0", async () => {
    for (const value of [NaN, Infinity, undefined, "1", true, { score: 1 }]) {
      const wrong = { name: "odd", reward: () => value as unknown as number };
      await rejects(score([wrong]), /gave no finite number on completion 1 of problem sum-1/);
    }
  });

  it("that takes too long is stopped, and told so", async () => {
    const told: boolean[] = [];
    const slow: CustomReward = {
      name: "slow",
      timeout: 0.05,
      reward: ({ signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            told.push(signal.aborted);
            reject(new Error("stopped"));
          }),
        ),
    };
    await rejects(score([slow]), /took longer than 0\.05 s.*Try: a larger timeout/);
    assert.ok(told.length > 0);
  });

  it("is left alone when the run is stopped meanwhile", async () => {
    const controller = new AbortController();
    const endless: CustomReward = { name: "endless", reward: () => new Promise(() => undefined) };
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(score([endless], { signal: controller.signal }), { name: "AbortError" });
  });

  it("is refused when its name is taken or no name, or its numbers cannot be", () => {
    const one = { name: "mine", reward: () => 1 };
    const cases: [CustomReward[], RegExp][] = [
      [[one, one], /"mine" has a name that is taken/],
      [[{ ...one, name: "accuracy" }], /taken/],
      [[{ ...one, name: "a/b" }], /bad name/],
      [[{ ...one, weight: NaN }], /bad weight/],
      [[{ ...one, timeout: 0 }], /bad timeout/],
      [[{ ...one, reward: 3 as never }], /no function/],
    ];
    for (const [rewards, message] of cases) {
      assert.throws(() => checkCustomRewards(rewards), message);
    }
    checkCustomRewards([one, { ...one, name: "yours" }]);
  });

  it("is named by its text, its weight and its version, and not by its patience", () => {
    const name = (custom: Partial<CustomReward>): string =>
      JSON.stringify(customRewardIdentity({ name: "mine", reward: () => 1, ...custom }));
    const others = [{ weight: 2 }, { version: "2" }, { reward: () => 2 }, { name: "yours" }];
    assert.equal(new Set([name({}), ...others.map(name)]).size, 5);
    assert.equal(name({ timeout: 60, weight: 1 }), name({}));
  });
});
