/** The settings of the objective, each seen at work in a training. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { fusedOps } from "../../lib/engine/fused";
import { openPolicy, type PolicyBundle } from "../../lib/policy/bundle";
import { rewardConfig } from "../../lib/reflection/reward-config";
import type { RolloutEngine } from "../../lib/rollout/engine";
import { createTfjsEngine } from "../../lib/rollout/tfjs";
import { average } from "../../lib/train/advantages";
import { trainGrpo, type GrpoConfig, type GrpoOptions } from "../../lib/train/grpo";
import { lossRecipe, LOSSES } from "../../lib/train/objective";
import type { Rollout } from "../../lib/train/rollouts";
import { openRun, type Run } from "../../lib/train/run";
import { lossMask } from "../../lib/train/update";
import type { Problem } from "../../lib/types";
import { temporaryFolder } from "../policy/fixture";
import { allSevens, snapshot, tinyGrpo, tinyProblems, writeGuessingPolicy } from "./tiny";

interface Step {
  metrics: Record<string, number>;
  rollouts: Rollout[];
  tensors: number;
}

describe("GRPO's settings", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const folder = join(root, "guesses");
  let problems: Problem[];
  let trial = 0;
  const newRun = (): Run =>
    openRun({ root, stage: "grpo", preset: "settings", inputs: { trial: trial++ } });

  before(async () => {
    await writeGuessingPolicy(folder);
    problems = allSevens(await tinyProblems(16));
  });

  /** Trains the policy that guesses. @returns its weights as they ended, and what each step told */
  async function train(
    changes: Partial<GrpoConfig>,
    options: Partial<GrpoOptions> & { wrap?: (engine: RolloutEngine) => RolloutEngine } = {},
  ) {
    const { wrap, ...rest } = options;
    const bundle = openPolicy(folder);
    const steps: Step[] = [];
    const engine = wrap?.(createTfjsEngine(bundle));
    await trainGrpo({
      ...{ bundle, problems, style: "direct", reward: rewardConfig("task-only"), seed: 1 },
      run: newRun(),
      config: { ...tinyGrpo, steps: 1, ...changes },
      onStep: (_step, metrics, rollouts) =>
        void steps.push({ metrics, rollouts, tensors: tf.memory().numTensors }),
      ...(engine === undefined ? {} : { engine }),
      ...rest,
    });
    const weights = snapshot(bundle);
    bundle.weights.dispose();
    return { weights, steps };
  }

  const flat = (weights: Map<string, Float32Array>): number[] =>
    [...weights.values()].flatMap((values) => [...values]);

  async function untouched(): Promise<number[]> {
    const bundle: PolicyBundle = openPolicy(folder);
    const weights = flat(snapshot(bundle));
    bundle.weights.dispose();
    return weights;
  }

  for (const loss of LOSSES) {
    it(`learn what is paid for with the recipe of ${loss}, and hold no tensor back`, async () => {
      const recipe = lossRecipe(loss, { maxNewTokens: tinyGrpo.maxNewTokens, group: 8 });
      const { steps } = await train({ ...recipe, steps: 8 });
      const accuracy = steps.map(({ metrics }) => metrics["accuracy/final"]);
      const [early, late] = [average(accuracy.slice(0, 2)), average(accuracy.slice(-2))];
      assert.ok(late > early + 0.1, accuracy.join(" "));
      for (const { metrics } of steps) {
        for (const [name, value] of Object.entries(metrics))
          assert.ok(Number.isFinite(value), name);
        assert.equal("cispo_clip_ratio" in metrics, loss === "cispo");
        assert.equal("clip_ratio/low_mean" in metrics, loss !== "cispo");
      }
      assert.equal(new Set(steps.slice(1).map(({ tensors }) => tensors)).size, 1);
    });
  }

  it("weigh the tokens of both optimiser steps as each loss does", async () => {
    for (const loss of LOSSES) {
      // At rate 0 the policy never moves, so all ratios are 1 and the losses are sums of advantages.
      const { steps } = await train({ loss, learningRate: 0, miniBatches: 2, steps: 3 });
      const { metrics, rollouts } = steps[0];
      const lengths = rollouts.map(({ completion }) => completion.ids.length);
      const total = (values: number[]): number => values.reduce((a, b) => a + b, 0);
      const byLength = rollouts.map(({ advantage }, i) => advantage * lengths[i]);
      const byLogprob = rollouts.map(
        ({ advantage, completion }) => advantage * total(completion.logprobs),
      );
      const halves = (values: number[]): number[] =>
        [values.slice(0, 16), values.slice(16)].map((half) => total(half));
      const tokens = halves(lengths);
      const advantage = average(rollouts.map((rollout) => rollout.advantage));
      const expected = {
        grpo: advantage,
        gspo: advantage,
        dr_grpo: total(byLength) / (32 * tinyGrpo.maxNewTokens),
        bnpo: average(halves(byLength).map((sum, i) => sum / tokens[i])),
        dapo: total(byLength) / total(lengths),
        cispo: total(byLogprob) / total(lengths),
      }[loss];
      assert.ok(Math.abs(metrics.loss + expected) < 1e-5, `${loss} ${metrics.loss} ${expected}`);
      assert.equal(metrics["clip_ratio/region_mean"] ?? 0, 0);
    }
  });

  it("give the same update however small the micro-batch is", async () => {
    for (const loss of ["grpo", "dapo", "gspo"] as const) {
      const config = { loss, miniBatches: 1, entropyCoef: 0.01, learningRate: 1e-4 };
      const whole = await train({ ...config, microBatch: 16 });
      const cut = await train({ ...config, microBatch: 1 });
      const [a, b] = [whole, cut].map(({ steps }) => steps[0].metrics);
      for (const name of ["loss", "grad_norm", "approx_kl"]) {
        assert.ok(Math.abs(a[name] - b[name]) <= 1e-5 * Math.max(1, Math.abs(a[name])), name);
      }
      assert.equal(a.num_tokens, b.num_tokens);
      assert.ok(a.grad_norm > 0.01);
    }
  });

  it("give the same update whether the forward pass is the rollout's or made again", async () => {
    const config = { miniBatches: 2, learningRate: 1e-3, steps: 4 };
    const taped = await train({ ...config, reuseForward: true });
    const again = await train({ ...config, reuseForward: false });
    taped.steps.forEach(({ metrics }, i) => {
      const other = again.steps[i].metrics;
      for (const name of ["loss", "grad_norm", "entropy", "approx_kl", "accuracy/final"]) {
        const off = Math.abs(metrics[name] - other[name]);
        assert.ok(off <= 1e-3 * Math.max(0.1, Math.abs(other[name])), `${name} ${i} ${off}`);
      }
    });
    const [a, b] = [taped, again].map(({ weights }) => flat(weights));
    assert.ok(Math.max(...a.map((x, i) => Math.abs(x - b[i]))) < 1e-3);
    if (fusedOps() === undefined) return;
    // The sampler's probabilities are the trainer's of the first optimiser step, to the bit.
    const difference = "sampling/sampling_logp_difference/max";
    assert.equal(taped.steps[0].metrics[difference], 0);
    assert.ok(again.steps[0].metrics[difference] > 0);
  });

  it("give the same update whether layers are kept for the gradient or computed again", async () => {
    const config = { learningRate: 1e-3, steps: 2, reuseForward: false };
    const kept = await train({ ...config, gradientCheckpointing: false });
    const again = await train({ ...config, gradientCheckpointing: true });
    const [a, b] = [kept, again].map(({ weights }) => flat(weights));
    assert.ok(Math.max(...a.map((x, i) => Math.abs(x - b[i]))) < 1e-5);
  });

  it("drop groups by right and wrong, and draw others for them", async () => {
    const bounds = { filterLow: 0.3, filterHigh: 0.7, prompts: 4 };
    const once = await train({ ...bounds, maxDraws: 1 });
    const refilled = await train({ ...bounds, maxDraws: 3 });
    const rates = [once, refilled].map(({ steps }) => steps[0].metrics.dynamic_filtering_pass_rate);
    assert.ok(rates[0] < 1 && rates[1] < 1, rates.join(" "));
    for (const { steps } of [once, refilled]) {
      const { rollouts } = steps[0];
      for (let at = 0; at < rollouts.length; at += 8) {
        const group = rollouts.slice(at, at + 8);
        const right = group.filter(({ reward }) => reward.first.correct).length / 8;
        assert.ok(right >= 0.3 && right <= 0.7, `${right}`);
      }
    }
    const groups = (steps: Step[]): string[] => [
      ...new Set(steps[0].rollouts.map(({ problem }) => problem.id)),
    ];
    // What was kept of the first draw is kept, others follow, no problem comes twice, and none beyond the batch.
    const [few, more] = [groups(once.steps), groups(refilled.steps)];
    assert.ok(few.length < more.length && more.length <= 4, `${few.length} ${more.length}`);
    assert.deepEqual(more.slice(0, few.length), few);
    assert.equal(refilled.steps[0].rollouts.length, 8 * more.length);
    assert.deepEqual(groups((await train({ ...bounds, maxDraws: 3 })).steps), more);
  });

  it("learn nothing from a step whose groups are all dropped, and say what was sampled", async () => {
    // No group of eight has a share of right answers between those two.
    const { weights, steps } = await train({ filterLow: 0.55, filterHigh: 0.56, maxDraws: 9 });
    const [{ metrics, rollouts }] = steps;
    assert.deepEqual([rollouts.length, metrics.dynamic_filtering_pass_rate], [0, 0]);
    assert.ok(!("loss" in metrics) && metrics["completions/mean_length"] > 0);
    assert.deepEqual(flat(weights), await untouched());
  });

  it("do not filter on what was paid", async () => {
    // All earn the same: a filter on the reward would drop every group, one on right and wrong keeps them.
    const nothing = rewardConfig("task-only", { formatWeight: 0, accuracyWeight: 0 });
    const bounds = { filterLow: 0.01, filterHigh: 0.99 };
    const { steps } = await train(bounds, { reward: nothing });
    assert.equal(steps[0].metrics.reward_std, 0);
    assert.ok(steps[0].metrics.dynamic_filtering_pass_rate > 0.5);
  });

  it("mask completions that were cut off, whose rewards count all the same", async () => {
    // Three tokens are no answer: all are cut off.
    const short = { maxNewTokens: 3, weightDecay: 0 };
    let calls = 0;
    const { weights, steps } = await train(
      { ...short, maskTruncated: true },
      { rewards: [{ name: "luck", reward: () => calls++ % 2 }] },
    );
    const [{ metrics, rollouts }] = steps;
    assert.equal(metrics["completions/clipped_ratio"], 1);
    assert.ok(rollouts.some(({ advantage }) => advantage !== 0));
    assert.deepEqual([metrics.loss, metrics.grad_norm].map(Math.abs), [0, 0]);
    assert.deepEqual(flat(weights), await untouched());
    const [rollout] = rollouts;
    const mask = Float32Array.of(0, 1, 1);
    assert.deepEqual(lossMask(rollout, { maskTruncated: false }), Float32Array.of(1, 1, 1));
    assert.deepEqual(lossMask({ ...rollout, mask }, { maskTruncated: false }), mask);
    assert.deepEqual(lossMask({ ...rollout, mask }, { maskTruncated: true }), new Float32Array(3));
  });

  it("take length and distance from the reference off the reward", async () => {
    const overlong = { overlongBuffer: 6, overlongPenalty: 0.5 };
    const { steps } = await train({ ...overlong, beta: 0.2, klIn: "reward", kl: "k1", steps: 2 });
    const [first, second] = steps;
    for (const { rollouts } of steps) {
      for (const { completion, paid, total } of rollouts) {
        const over = Math.max(0, completion.ids.length - 6);
        assert.ok(Math.abs(paid.overlong + (0.5 * over) / 6) < 1e-9);
        const sum = Object.values(paid).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - total) < 1e-12);
      }
    }
    // At first the policy is its own reference.
    assert.ok(first.rollouts.every(({ paid }) => Math.abs(paid.kl) < 1e-4));
    const costs = second.rollouts.map(({ completion, refLogprobs, paid }) => {
      const log = completion.logprobs.reduce((sum, p, t) => sum + p - (refLogprobs?.[t] ?? NaN), 0);
      assert.ok(Math.abs(paid.kl + 0.2 * log) < 1e-6);
      return Math.abs(paid.kl);
    });
    assert.ok(Math.max(...costs) > 1e-3);
    assert.ok(second.metrics["rewards/overlong/mean"] < 0);
  });

  it("correct for an engine that gives its tokens another probability", async () => {
    // It claims to have sampled each token with e^0.2 times the probability that it had.
    const liar = (engine: RolloutEngine): RolloutEngine => ({
      ...engine,
      rollout: async (...call) =>
        (await engine.rollout(...call)).map((group) =>
          group.map((row) => ({ ...row, logprobs: row.logprobs.map((p) => p + 0.2) })),
        ),
    });
    const honest = await train({ miniBatches: 1 });
    const trusted = await train({ miniBatches: 1 }, { wrap: liar });
    const corrected = (changes: Partial<GrpoConfig>) =>
      train({ miniBatches: 1, importanceMin: 0.5, ...changes }, { wrap: liar });
    const token = await corrected({ importanceSampling: "token_truncate" });
    const masked = await corrected({ importanceSampling: "token_mask", importanceMin: 0.9 });
    const loss = ({ steps }: { steps: Step[] }): number => steps[0].metrics.grad_norm;
    // Uncorrected, the ratio is e^-0.2 = 0.82 everywhere, and clipped nowhere; so is the corrected gradient's size. Masked, it
    // is outside the bounds everywhere.
    const shrunk = loss(honest) * Math.exp(-0.2);
    assert.ok(Math.abs(loss(trusted) / shrunk - 1) < 1e-3);
    assert.ok(Math.abs(loss(token) / shrunk - 1) < 1e-3);
    assert.equal(loss(masked), 0);
    // The correction's own ratio is that of the trainer against itself, so the policy has not moved yet.
    assert.ok(token.steps[0].metrics.approx_kl < 1e-6 && trusted.steps[0].metrics.approx_kl > 0.01);
    const { metrics } = token.steps[0];
    const ratio = metrics["sampling/importance_sampling_ratio/mean"];
    assert.ok(Math.abs(ratio - Math.exp(-0.2)) < 1e-3);
    assert.ok(Math.abs(metrics["sampling/sampling_logp_difference/max"] - 0.2) < 1e-3);
    assert.equal(masked.steps[0].metrics["sampling/importance_sampling_ratio/max"], 0);
  });

  it("pay for entropy", async () => {
    const paid = await train({ entropyCoef: 1, steps: 4 });
    const free = await train({ entropyCoef: 0, steps: 4 });
    const end = ({ steps }: { steps: Step[] }): number => steps[3].metrics.entropy;
    assert.ok(end(paid) > 1.5 * end(free), `${end(paid)} ${end(free)}`);
  });

  it("are refused where they contradict each other, before anything is sampled", async () => {
    await assert.rejects(train({ maxDraws: 4 }), (error: Error) => {
      assert.ok(error instanceof LabError);
      assert.match(error.message, /maxDraws.*drops nothing/);
      return true;
    });
  });
});
