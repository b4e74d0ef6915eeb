import assert from "node:assert/strict";
import { healthNotes, type HealthKind } from "../../lib/train/health";
import type { Metrics } from "../../lib/train/metrics";

const settings = { prompts: 16, maxNewTokens: 112, maxGradNorm: 1 };

/** A training that goes well. */
const well: Metrics = {
  frac_reward_zero_std: 0.1,
  reward_std: 0.3,
  entropy: 0.5,
  "clip_ratio/region_mean": 0.004,
  "completions/clipped_ratio": 0.02,
  "sampling/sampling_logp_difference/mean": 1e-6,
  grad_norm: 0.4,
  "accuracy/first": 0.4,
  "accuracy/final": 0.45,
  "reflection/present": 0.9,
  "reflection/wr": 0.1,
  "rewards/format/mean": 0.45,
};

/** So many steps of a training; `change` says what of a step is otherwise. */
function training(steps: number, change: (step: number) => Metrics = () => ({})): Metrics[] {
  return Array.from({ length: steps }, (_unused, i) => ({ ...well, ...change(i + 1) }));
}

function said(history: readonly Metrics[]): [HealthKind, string][] {
  return healthNotes(history, settings).map(({ kind, sentence }) => [kind, sentence]);
}

/** From a step on. */
const from =
  (start: number, then: Metrics) =>
  (step: number): Metrics =>
    step >= start ? then : {};

describe("health", () => {
  it("has nothing to say of a training that goes well, of its first step, or of none", () => {
    for (const steps of [0, 1, 9, 60]) assert.deepEqual(said(training(steps)), []);
  });

  it("judges no metric that was not measured", () => {
    assert.deepEqual(said(Array.from({ length: 40 }, () => ({ reward: 1 }))), []);
  });

  describe("says that nothing was learned", () => {
    const cases: [string, Metrics, RegExp][] = [
      ["all were wrong", { "accuracy/final": 0 }, /because no completion was right/],
      ["all were right", { "accuracy/final": 1 }, /because every completion was right/],
      [
        "nothing was finished",
        { "accuracy/final": 0, "completions/clipped_ratio": 1 },
        /cut at the token limit before it could earn anything/,
      ],
      ["anything else", {}, /because all completions of a group earned the same\./],
    ];
    for (const [what, more, reason] of cases) {
      it(what, () => {
        const history = training(3, from(3, { frac_reward_zero_std: 1, reward_std: 0, ...more }));
        const [[kind, sentence]] = said(history);
        assert.equal(kind, "zero-spread");
        assert.match(sentence, /^all 16 groups had zero spread: nothing was learned this step, b/);
        assert.match(sentence, reason);
      });
    }

    it("and of how many groups, from a half on", () => {
      const [[kind, sentence]] = said(training(1, () => ({ frac_reward_zero_std: 9 / 16 })));
      assert.match(`${kind} ${sentence}`, /zero-spread 9 of 16 groups had zero spread/);
      assert.deepEqual(said(training(1, () => ({ frac_reward_zero_std: 7 / 16 }))), []);
    });
  });

  /** What goes wrong, from when on, the first history that shows it, and the sentence. */
  const cases: [
    HealthKind,
    (step: number) => Metrics,
    { silent: number; heard: number },
    RegExp,
  ][] = [
    [
      "entropy-collapse",
      (step) => ({ entropy: 0.5 * 0.8 ** step }),
      { silent: 9, heard: 20 },
      /collapses: 0\.0\d+ nats against 0\.27 nats/,
    ],
    [
      "clip-ratio",
      from(3, { "clip_ratio/region_mean": 0.3 }),
      { silent: 2, heard: 3 },
      /^30 % of the tokens are clipped/,
    ],
    [
      "truncation",
      from(3, { "completions/clipped_ratio": 0.26 }),
      { silent: 2, heard: 3 },
      /^26 % of the completions were cut at 112 tokens/,
    ],
    [
      "sampler-mismatch",
      from(3, { "sampling/sampling_logp_difference/mean": 0.05 }),
      { silent: 2, heard: 3 },
      /disagree by 0\.050 nats/,
    ],
    [
      "gradient",
      from(12, { grad_norm: 8 }),
      { silent: 11, heard: 12 },
      /jumped to 8\.00, 20 times its median, and was cut to 1/,
    ],
    [
      "reflections-vanish",
      from(8, { "reflection/present": 0.1 }),
      { silent: 9, heard: 12 },
      /10 % of the responses have one, 90 % had at first/,
    ],
    [
      "format-collapse",
      from(8, { "rewards/format/mean": 0.1 }),
      { silent: 9, heard: 12 },
      /its reward is 0\.10 and was 0\.45/,
    ],
    [
      "sandbagging",
      (step) => ({ "accuracy/first": 0.5 - step / 100, "reflection/wr": 0.1 + step / 100 }),
      { silent: 19, heard: 20 },
      /get worse \(45 % → 35 %\) while more of them are turned right \(16 % → 26 %\)/,
    ],
  ];
  for (const [kind, change, { silent, heard }, sentence] of cases) {
    it(`tells ${kind}, and nothing else, once it can be told`, () => {
      assert.deepEqual(said(training(silent, change)), []);
      const notes = said(training(heard, change));
      assert.deepEqual(
        notes.map(([name]) => name),
        [kind],
      );
      assert.match(notes[0][1], sentence);
    });
  }

  it("takes worse first answers alone, or more repairs alone, for no sandbagging", () => {
    const worse = training(40, (step) => ({ "accuracy/first": 0.5 - step / 100 }));
    const repairs = training(40, (step) => ({ "reflection/wr": 0.1 + step / 100 }));
    assert.deepEqual([said(worse), said(repairs)], [[], []]);
  });

  it("hears of a policy that never reflected or was never well formed as little as of a good one", () => {
    const never = () => ({ "reflection/present": 0, "rewards/format/mean": 0 });
    assert.deepEqual(said(training(40, never)), []);
  });

  it("compares a gradient with a median of 0 only where it was cut", () => {
    const quiet = training(12, (step) => ({ grad_norm: step < 12 ? 0 : 0.5 }));
    assert.deepEqual(said(quiet), []);
  });
});
