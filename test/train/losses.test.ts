import assert from "node:assert/strict";
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { chosenLogprobs, rowEntropies } from "../../lib/policy/head";
import { policyLoss, type TokenTerms } from "../../lib/train/losses";
import { LOSSES, type LossConfig } from "../../lib/train/objective";
import { ratioStatistics } from "../../lib/train/statistics";
import { maxAbsDifference } from "../policy/fixture";
import { CLOSE, configOf, golden, masksOf, termsOf } from "./trl";

/** Every case of the golden file, with its loss named. */
const cases = golden.losses.map((example) => {
  const { loss, beta, klCorrection, importance, clipHigh } = { ...example.config };
  assert.ok(loss !== undefined);
  const how = `${loss}, beta ${beta}${klCorrection ? " corrected" : ""}, clip +${clipHigh}`;
  return {
    ...example,
    config: { ...example.config, loss },
    title: `${how}, ${importance ?? "no"} ratios, ${example.masks} tokens`,
  };
});

/** Ways to cut the four completions into micro-batches. */
const CUTS: [number, number][][] = [
  [
    [0, 2],
    [2, 4],
  ],
  [
    [0, 1],
    [1, 2],
    [2, 4],
  ],
];

/** Value and gradient in the log-probabilities. */
function differentiate(
  logprobs: Float32Array,
  terms: TokenTerms,
  config: LossConfig,
): { value: number; gradient: Float32Array } {
  return tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((x) =>
      policyLoss({ logprobs: x as Tensor1D }, terms, config),
    )(tf.tensor1d(logprobs));
    return { value: value.dataSync()[0], gradient: grad.dataSync<"float32">().slice() };
  });
}

describe("policyLoss", function () {
  // Under load a first step of the engine takes seconds.
  this.timeout(20_000);
  before(() => ready());

  for (const { title, config, masks, gradient, padded } of cases) {
    it(`and its gradient are TRL's, whatever the padding: ${title}`, () => {
      const { logprobs, terms } = termsOf(config, masksOf(masks));
      const ours = differentiate(logprobs, terms, configOf(config));
      assert.equal(padded.length, 4);
      for (const loss of padded) assert.ok(Math.abs(ours.value - loss) < CLOSE, `${loss}`);
      assert.ok(maxAbsDifference(ours.gradient, gradient) < CLOSE);
    });
  }

  for (const { title, config, masks, padded, gradient, accumulated } of cases) {
    it(`is the same however a batch is cut into micro-batches: ${title}`, () => {
      if (accumulated !== undefined) assert.ok(Math.abs(accumulated - padded[0]) < 1e-12);
      for (const cut of CUTS) {
        const pieces = cut.map((range) => {
          const { logprobs, terms } = termsOf(config, masksOf(masks), range);
          return differentiate(logprobs, terms, configOf(config));
        });
        const sum = pieces.reduce((all, { value }) => all + value, 0);
        assert.ok(Math.abs(sum - padded[0]) < CLOSE);
        const joined = pieces.flatMap((piece) => [...piece.gradient]);
        assert.ok(maxAbsDifference(joined, gradient) < CLOSE);
      }
    });
  }

  for (const loss of LOSSES) {
    for (const kl of ["k1", "k2", "k3"] as const) {
      it(`has the gradient of finite differences: ${loss} with ${kl}`, () => {
        const config = configOf({ loss, kl, beta: 0.3, cispoMax: 1.4 });
        const masks = masksOf("some");
        const { logprobs, terms } = termsOf({ ...config, importance: "token" }, masks);
        const { gradient } = differentiate(logprobs, terms, config);
        const at = (values: readonly number[]): number => plainLoss(values, terms, config);
        const now = [...logprobs];
        // CISPO's ratio is a constant to its gradient, so it is one to the difference too.
        const held = loss === "cispo" ? now : undefined;
        now.forEach((value, i) => {
          const [above, below] = [1e-5, -1e-5].map((step) => {
            const moved = changed(now, i, value + step);
            return held === undefined ? at(moved) : plainLoss(moved, terms, config, held);
          });
          assert.ok(Math.abs((above - below) / 2e-5 - gradient[i]) < 1e-5, `token ${i}`);
        });
        assert.ok(Math.abs(at(now) - differentiate(logprobs, terms, config).value) < CLOSE);
      });
    }
  }

  it("is the plain policy gradient where the policy has not moved, for every loss", () => {
    for (const loss of LOSSES) {
      const { terms } = termsOf({ loss }, masksOf("all"));
      const { gradient } = differentiate(terms.oldLogprobs, terms, configOf({ loss }));
      const expected = terms.advantages.map((advantage, i) => -advantage * terms.weights[i]);
      assert.ok(maxAbsDifference(gradient, expected) < CLOSE, loss);
    }
  });

  it("sends nothing to tokens that are masked", () => {
    for (const loss of LOSSES) {
      const masks = masksOf("some");
      const { logprobs, terms } = termsOf({ loss }, masks);
      const { gradient } = differentiate(logprobs, terms, configOf({ loss, beta: 0.3 }));
      const counts = masks.flatMap((mask) => [...mask]);
      gradient.forEach((slope, i) => assert.ok(counts[i] !== 0 || slope === 0));
      assert.ok(counts.includes(0) && gradient.some((slope) => slope !== 0));
    }
  });

  it("asks for the reference and the entropies that its terms need, and for no others", () => {
    const { logprobs, terms } = termsOf({ loss: "grpo" }, masksOf("all"));
    const { refLogprobs: _unused, ...bare } = terms;
    const refuses = (changes: Partial<LossConfig>, what: RegExp): void =>
      assert.throws(
        () => differentiate(logprobs, bare, configOf(changes)),
        (error: Error) => error instanceof LabError && what.test(error.message),
      );
    refuses({ beta: 0.1 }, /KL penalty needs refLogprobs/);
    refuses({ entropyCoef: 0.1 }, /entropy bonus needs entropies/);
    const free = differentiate(logprobs, bare, configOf({})).value;
    const inReward = configOf({ beta: 0.1, klIn: "reward" });
    assert.equal(differentiate(logprobs, bare, inReward).value, free);
  });

  for (const { config, masks, loss, gradient, metrics } of golden.entropy) {
    it(`pays for entropy as TRL does: ${config.loss}, ${masks} tokens`, () => {
      const { logits, targets } = golden.batch;
      const { terms } = termsOf({ ...config, loss: config.loss ?? "grpo" }, masksOf(masks));
      const { value, slope, mean } = tf.tidy(() => {
        const scores = tf.tensor2d(logits);
        const { value, grad } = tf.valueAndGrad((x) => {
          const logprobs = chosenLogprobs(x as Tensor2D, Int32Array.from(targets));
          const entropies = rowEntropies(x as Tensor2D);
          return policyLoss({ logprobs, entropies }, terms, configOf(config));
        })(scores);
        const shares = tf.tensor1d(terms.entropyWeights);
        return {
          value: value.dataSync()[0],
          slope: grad.dataSync(),
          mean: rowEntropies(scores).mul(shares).sum().dataSync()[0],
        };
      });
      assert.ok(Math.abs(value - loss) < CLOSE);
      assert.ok(maxAbsDifference(slope, gradient.flat()) < CLOSE);
      assert.ok(Math.abs(mean - metrics.entropy) < CLOSE);
    });
  }
});

/** The list with another value in one place. */
function changed<T>(values: readonly T[], at: number, value: T): T[] {
  return values.map((old, i) => (i === at ? value : old));
}

/** The losses in plain float64, once more from the papers, for differences too small for float32. */
function plainLoss(
  logprobs: readonly number[],
  { lengths, oldLogprobs, refLogprobs, advantages, weights, importance }: TokenTerms,
  { loss, kl, beta, clipLow, clipHigh, cispoMax }: LossConfig,
  ratiosAt: readonly number[] = logprobs,
): number {
  let [total, at] = [0, 0];
  for (const length of lengths) {
    const tokens = Array.from({ length }, (_unused, t) => at + t);
    const counted = tokens.filter((i) => weights[i] !== 0);
    const log = (i: number): number => ratiosAt[i] - oldLogprobs[i];
    const mean = counted.reduce((sum, i) => sum + log(i), 0) / Math.max(1, counted.length);
    for (const i of counted) {
      const ratio = Math.exp(loss === "gspo" ? mean : log(i));
      const clipped = Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
      const gain =
        loss === "cispo"
          ? Math.min(ratio, cispoMax) * advantages[i] * logprobs[i]
          : Math.min(ratio * advantages[i], clipped * advantages[i]);
      const delta = (refLogprobs as Float32Array)[i] - logprobs[i];
      const distance = { k1: -delta, k2: delta ** 2 / 2, k3: Math.exp(delta) - delta - 1 }[kl];
      total += weights[i] * (beta * distance - gain * (importance as Float32Array)[i]);
    }
    at += length;
  }
  return total;
}

describe("ratioStatistics", () => {
  for (const { title, config, masks, metrics } of cases) {
    it(`are TRL's metrics: ${title}`, () => {
      const { logprobs, terms } = termsOf(config, masksOf(masks));
      const ours = ratioStatistics(logprobs, terms, configOf(config));
      const expected: [number, string][] =
        config.loss === "cispo"
          ? [[ours.clipHigh, "cispo_clip_ratio"]]
          : [
              [ours.clipLow, "clip_ratio/low_mean"],
              [ours.clipHigh, "clip_ratio/high_mean"],
              [ours.clipLow + ours.clipHigh, "clip_ratio/region_mean"],
              [ours.clipHighMax, "clip_ratio/high_max"],
            ];
      // TRL multiplies the KL that it logs by the ratio where it is corrected; here it is the estimate itself.
      if (config.beta !== 0 && config.klCorrection !== true) expected.push([ours.kl, "kl"]);
      for (const [value, name] of expected) {
        assert.ok(Math.abs(value - metrics[name]) < CLOSE, `${name} ${value} ${metrics[name]}`);
      }
      // In GSPO a wholly masked completion has a share of 0 in TRL, here it has none.
      if (config.loss !== "cispo" && !(config.loss === "gspo" && masks === "some")) {
        assert.ok(Math.abs(ours.clipLowMin - metrics["clip_ratio/low_min"]) < CLOSE);
      }
    });
  }

  it("measures how far the policy is from the one that sampled", () => {
    const { logprobs, terms } = termsOf({ loss: "grpo" }, masksOf("some"));
    const { oldLogprobs, weights } = terms;
    const ours = ratioStatistics(logprobs, terms, configOf({}));
    const shifts = [...logprobs.keys()]
      .filter((i) => weights[i] !== 0)
      .map((i) => logprobs[i] - oldLogprobs[i]);
    const mean = (of: (shift: number) => number): number =>
      shifts.reduce((sum, shift) => sum + of(shift), 0) / shifts.length;
    assert.ok(Math.abs(ours.approxKl - mean((s) => Math.exp(s) - 1 - s)) < 1e-12);
    assert.ok(Math.abs(ours.meanShift - mean(Math.abs)) < 1e-12);
    assert.equal(ours.maxShift, Math.max(...shifts.map(Math.abs)));
    const still = ratioStatistics(oldLogprobs, { ...terms, refLogprobs: undefined }, configOf({}));
    assert.ok(Object.values(still).every((value) => value === 0));
  });
});
