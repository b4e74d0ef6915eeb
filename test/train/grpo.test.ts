import assert from "node:assert/strict";
import { join } from "node:path";
import { tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { readJsonl } from "../../lib/engine/files";
import { openPolicy, type PolicyBundle } from "../../lib/policy/bundle";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { createPromptCache } from "../../lib/rollout/prepare";
import { trainGrpo, type GrpoConfig } from "../../lib/train/grpo";
import { average } from "../../lib/train/advantages";
import type { Rollout, RolloutRow } from "../../lib/train/rollouts";
import { openRun, type Run } from "../../lib/train/run";
import type { Problem } from "../../lib/types";
import { scoreCompletions, temporaryFolder } from "../policy/fixture";
import { allSevens, snapshot, tinyGrpo, tinyProblems, writeGuessingPolicy } from "./tiny";

interface Step {
  metrics: Record<string, number>;
  rollouts: Rollout[];
  tensors: number;
}

describe("GRPO", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const folder = join(root, "guesses");
  const reward = rewardConfig("task-only");
  let problems: Problem[];
  let trial = 0;
  const newRun = (): Run =>
    openRun({ root, stage: "grpo", preset: "test", inputs: { trial: trial++ } });

  before(async () => {
    await writeGuessingPolicy(folder);
    problems = allSevens(await tinyProblems(16));
  });

  /** Trains the policy that guesses; the caller disposes of its weights. */
  async function train(changes: Partial<GrpoConfig>, options: { reward?: typeof reward } = {}) {
    const bundle = openPolicy(folder);
    const run = newRun();
    const steps: Step[] = [];
    await trainGrpo({
      ...{ bundle, problems, style: "direct", reward, seed: 1, run },
      config: { ...tinyGrpo, ...changes },
      onStep: (_step, metrics, rollouts) =>
        void steps.push({ metrics, rollouts, tensors: tf.memory().numTensors }),
      ...options,
    });
    return { bundle, run, steps };
  }

  describe("on a policy that guesses between a right and a wrong answer", () => {
    let bundle: PolicyBundle;
    let run: Run;
    let steps: Step[];
    let tensorsBefore: number;
    before(async () => {
      tensorsBefore = tf.memory().numTensors;
      ({ bundle, run, steps } = await train({ steps: 12, logRolloutsEvery: 5 }));
    });

    it("learns what is paid for", () => {
      const accuracy = steps.map(({ metrics }) => metrics["accuracy/final"]);
      const [early, late] = [average(accuracy.slice(0, 2)), average(accuracy.slice(-3))];
      // It starts from a coin's toss, for the examples were. 96 answers' deviation is 0.05.
      assert.ok(early > 0.2 && early < 0.8, `${accuracy.join(" ")}`);
      assert.ok(late > early + 0.2, `${accuracy.join(" ")}`);
      const rewards = steps.map(({ metrics }) => metrics.reward);
      assert.ok(average(rewards.slice(-3)) > average(rewards.slice(0, 2)));
    });

    it("holds no tensor back", () => {
      const counts = steps.map(({ tensors }) => tensors);
      assert.deepEqual(counts.slice(1), new Array(11).fill(counts[1]));
      bundle.weights.dispose();
      assert.equal(tf.memory().numTensors, tensorsBefore);
    });

    it("samples from the policy that it trains, in every step", () => {
      for (const { metrics } of steps) {
        const apart = metrics["sampling/sampling_logp_difference/max"];
        assert.ok(apart >= 0 && apart < 1e-3, `${apart}`);
      }
    });

    it("logs TRL's metrics and the method's own, each step once, all of them numbers", () => {
      const rows = readJsonl<Record<string, number>>(join(run.folder, "metrics.jsonl"));
      assert.deepEqual(
        rows.map(({ step }) => step),
        steps.map((_step, i) => i + 1),
      );
      const names = [
        ...["reward", "reward_std", "frac_reward_zero_std", "num_tokens", "entropy", "loss"],
        ...["grad_norm", "learning_rate", "epoch", "step_time"],
        ...["mean", "min", "max"].flatMap((name) => [
          `completions/${name}_length`,
          `completions/${name}_terminated_length`,
          `sampling/importance_sampling_ratio/${name}`,
        ]),
        ...["mean", "max"].map((name) => `sampling/sampling_logp_difference/${name}`),
        ...["low_mean", "low_min", "high_mean", "high_max", "region_mean"].map(
          (name) => `clip_ratio/${name}`,
        ),
        ...["completions/clipped_ratio", "accuracy/first", "accuracy/final"],
        ...["rr", "rw", "wr", "ww", "length"].map((name) => `reflection/${name}`),
        ...["format", "accuracy", "efficacy", "reflection_format", "length"].flatMap((part) => [
          `rewards/${part}/mean`,
          `rewards/${part}/std`,
        ]),
      ];
      for (const row of rows) {
        for (const name of names) assert.ok(name in row, name);
        for (const [name, value] of Object.entries(row)) assert.ok(Number.isFinite(value), name);
      }
      // Without a reference there is no distance from it, and without second answers nothing that was fixed.
      for (const name of ["kl", "accuracy/second", "reflection/fix_rate"]) {
        assert.ok(!(name in rows[0]), name);
      }
    });

    it("measures what the rollouts are", async () => {
      const start = openPolicy(folder);
      const prompts = await createPromptCache(start).prepare(problems, "direct");
      start.weights.dispose();
      const promptTokens = new Map(problems.map(({ id }, i) => [id, prompts[i].ids.length]));
      let seen = 0;
      for (const { metrics, rollouts } of steps) {
        assert.equal(rollouts.length, 32);
        const totals = rollouts.map((rollout) => rollout.reward.total);
        assert.ok(Math.abs(metrics.reward - average(totals)) < 1e-9);
        const lengths = rollouts.map(({ completion }) => completion.ids.length);
        assert.equal(metrics["completions/max_length"], Math.max(...lengths));
        // All tokens since the beginning, each completion with its prompt, as TRL counts.
        for (const { problem, completion } of rollouts) {
          seen += (promptTokens.get(problem.id) ?? NaN) + completion.ids.length;
        }
        assert.equal(metrics.num_tokens, seen);
        // 12 tokens without the end are cut off, and no others.
        for (const { completion } of rollouts) {
          const ended = completion.ids.at(-1) === bundle.tokenizer.endId;
          assert.equal(completion.truncated, !ended);
          assert.ok(ended || completion.ids.length === 12);
        }
        // Groups follow each other; an advantage is relative to its group's mean.
        for (let at = 0; at < 32; at += 8) {
          const group = rollouts.slice(at, at + 8);
          assert.equal(new Set(group.map(({ problem }) => problem.id)).size, 1);
          assert.ok(Math.abs(average(group.map(({ advantage }) => advantage))) < 1e-6);
          const best = group.reduce((a, b) => (a.reward.total >= b.reward.total ? a : b));
          assert.ok(group.every(({ advantage }) => advantage <= best.advantage));
        }
      }
    });

    it("writes down every fifth step's rollouts, with their tokens", () => {
      const rows = readJsonl<RolloutRow>(join(run.folder, "rollouts.jsonl"));
      assert.deepEqual(
        rows.map(({ step }) => step),
        [1, 6, 11].flatMap((step) => new Array<number>(32).fill(step)),
      );
      const { rollouts, metrics } = steps[5];
      rows.slice(32, 64).forEach((row, i) => {
        const { problem, completion, reward: parts, advantage, total } = rollouts[i];
        const { tokens, paid, ...rest } = row;
        const { text, truncated } = completion;
        const written = { step: 6, problem: problem.id, text, truncated, total, advantage };
        assert.deepEqual(rest, {
          ...written,
          reward: JSON.parse(JSON.stringify(parts)),
          custom: {},
        });
        assert.equal(
          Object.values(paid).reduce((a, b) => a + b),
          total,
        );
        assert.deepEqual(tokens.ids, completion.ids);
        // The last token ends the turn and is no text.
        assert.equal(tokens.ends.at(-1), text.length);
        tokens.ids.forEach((id, t) => {
          const piece = text.slice(t === 0 ? 0 : tokens.ends[t - 1], tokens.ends[t]);
          assert.equal(piece, bundle.tokenizer.decode([id], { skipSpecial: true }));
        });
        tokens.old.forEach((value, t) => {
          assert.ok(Math.abs(value - completion.logprobs[t]) <= 5.1e-7);
        });
      });
      // The first minibatch was scored by the policy that sampled it, the second by one that had learned from the first.
      const apart = rows.slice(32, 64).map(({ tokens: { old, current } }) => {
        return Math.max(...old.map((value, t) => Math.abs(current[t] - value)));
      });
      const agreed = metrics["sampling/sampling_logp_difference/max"];
      assert.ok(Math.abs(Math.max(...apart.slice(0, 16)) - agreed) < 2e-6);
      assert.ok(Math.max(...apart.slice(16)) > 10 * agreed, `${apart.join(" ")}`);
    });
  });

  /** How much an update has changed each rollout's log-probability. */
  async function shifts(bundle: PolicyBundle, rollouts: readonly Rollout[]): Promise<number[]> {
    const prompts = createPromptCache(bundle);
    const out: number[] = [];
    for (const { problem, completion } of rollouts) {
      const [prompt] = await prompts.prepare([problem], "direct");
      const now = scoreCompletions(bundle, [prompt], [[completion.ids]]);
      out.push(now.reduce((sum, value, i) => sum + value - completion.logprobs[i], 0));
    }
    return out;
  }

  it("makes likelier what was better than its group, and less likely what was worse", async () => {
    const { bundle, steps } = await train({ steps: 1, miniBatches: 1, learningRate: 5e-4 });
    const [{ rollouts }] = steps;
    const change = await shifts(bundle, rollouts);
    const mean = (sign: number): number =>
      average(change.filter((_shift, i) => Math.sign(rollouts[i].advantage) === sign));
    assert.ok(mean(1) > 0.01 && mean(-1) < -0.01, `${mean(1)} ${mean(-1)}`);
    bundle.weights.dispose();
  });

  it("learns nothing from groups whose rewards are all equal", async () => {
    const nothing = rewardConfig("task-only", { formatWeight: 0, accuracyWeight: 0 });
    const { bundle, steps } = await train({ steps: 1 }, { reward: nothing });
    const { metrics } = steps[0];
    assert.deepEqual(
      [metrics.frac_reward_zero_std, metrics.reward_std, metrics.grad_norm, metrics.loss],
      [1, 0, 0, 0],
    );
    const start = openPolicy(folder);
    assert.deepEqual(snapshot(bundle), snapshot(start));
    bundle.weights.dispose();
    start.weights.dispose();
  });

  it("stays near its reference under a KL penalty, and says how near", async () => {
    const before = tf.memory().numTensors;
    const far = async (beta: number) => {
      const { bundle, steps } = await train({ steps: 5, miniBatches: 1, beta });
      const tensors = new Set(steps.slice(1).map((step) => step.tensors));
      assert.equal(tensors.size, 1);
      // The first step's rollouts are the reference's own.
      const moved = average((await shifts(bundle, steps[0].rollouts)).map(Math.abs));
      bundle.weights.dispose();
      return { moved, kl: steps.map(({ metrics }) => metrics.kl) };
    };
    const [free, held] = [await far(0), await far(5)];
    assert.ok(held.moved < free.moved / 2, `${held.moved} of ${free.moved}`);
    assert.deepEqual(free.kl, new Array(5).fill(undefined));
    // At first the policy is its own reference; k3 is 0 there and nowhere below.
    assert.ok(held.kl[0] < 1e-9 && held.kl.slice(1).every((kl) => kl > 0), held.kl.join(" "));
    assert.equal(tf.memory().numTensors, before);
  });

  it("refuses fewer problems than a step takes", async () => {
    await assert.rejects(train({ prompts: 17 }), (error: Error) => {
      assert.ok(error instanceof LabError);
      assert.match(error.message, /fewer problems.*got 16.*at least 17.*Try: .*grpo\.prompts/);
      return true;
    });
  });
});
