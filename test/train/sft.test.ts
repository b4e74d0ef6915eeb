import assert from "node:assert/strict";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { readJsonl } from "../../lib/engine/files";
import { openPolicy } from "../../lib/policy/bundle";
import { createPromptCache } from "../../lib/rollout/prepare";
import { openRun, type Run } from "../../lib/train/run";
import { sftSteps, trainSft, type SftConfig, type SftExample } from "../../lib/train/sft";
import { scoreCompletions, temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { carefulExamples, snapshot, tinyProblems, tinySft } from "./tiny";

describe("SFT", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const folder = join(root, "policy");
  let examples: SftExample[];
  let trial = 0;
  const newRun = (): Run =>
    openRun({ root, stage: "sft", preset: "test", inputs: { trial: trial++ } });

  before(async () => {
    await ready();
    writeTinyPolicy(folder);
    examples = carefulExamples(await tinyProblems(16));
  });

  /** Trains a fresh policy; the caller disposes of its weights. */
  async function train(
    config: SftConfig,
    onStep?: (step: number, metrics: Record<string, number>) => void,
  ) {
    const bundle = openPolicy(folder);
    const run = newRun();
    await trainSft({ bundle, examples, config, seed: 1, run, onStep });
    return { bundle, run };
  }

  it("learns its examples by heart, holds no tensor back, and leaves the eyes alone", async () => {
    const before = tf.memory().numTensors;
    const untrained = openPolicy(folder);
    const eyes = snapshot(untrained, "visual.");
    const [losses, tensors] = [[] as number[], [] as number[]];
    const { bundle, run } = await train(tinySft, (_step, { loss }) => {
      losses.push(loss);
      tensors.push(tf.memory().numTensors);
    });
    assert.equal(losses.length, 6);
    for (let i = 1; i < losses.length; i++) assert.ok(losses[i] < losses[i - 1], losses.join(" "));
    assert.deepEqual(tensors.slice(1), new Array(5).fill(tensors[1]));

    // Bit for bit, and all of the tower. The rest has moved.
    assert.ok(eyes.size > 30);
    assert.deepEqual(snapshot(bundle, "visual."), eyes);
    const moved = snapshot(bundle, "model.");
    for (const [name, values] of snapshot(untrained, "model.")) {
      assert.notDeepEqual(moved.get(name), values, name);
    }

    const rows = readJsonl<Record<string, number>>(join(run.folder, "metrics.jsonl"));
    assert.deepEqual(
      rows.map(({ step, loss }) => [step, loss]),
      losses.map((loss, i) => [i + 1, loss]),
    );
    for (const name of ["learning_rate", "grad_norm", "epoch", "num_tokens", "step_time"]) {
      for (const row of rows) assert.ok(Number.isFinite(row[name]), name);
    }
    bundle.weights.dispose();
    untrained.weights.dispose();
    assert.equal(tf.memory().numTensors, before);
  });

  it("measures the mean loss of the completions' tokens, the end of turn among them", async () => {
    const untrained = openPolicy(folder);
    let sum = 0;
    let count = 0;
    let promptTokens = 0;
    // One by one, where the trainer pads and groups.
    const prompts = createPromptCache(untrained);
    for (const { problem, style, text } of examples) {
      const ids = [...untrained.tokenizer.encode(text), untrained.tokenizer.endId];
      const [prompt] = await prompts.prepare([problem], style);
      const logprobs = scoreCompletions(untrained, [prompt], [[ids]]);
      assert.equal(logprobs.length, ids.length);
      sum -= logprobs.reduce((a, b) => a + b, 0);
      count += ids.length;
      promptTokens += prompt.ids.length;
    }
    const first: Record<string, number>[] = [];
    const { bundle } = await train({ ...tinySft, epochs: 1 }, (_s, metrics) => first.push(metrics));
    // As TRL counts: everything that was read.
    assert.equal(first[0].num_tokens, promptTokens + count);
    assert.ok(Math.abs(first[0].loss - sum / count) < 1e-4 * first[0].loss);
    bundle.weights.dispose();
    untrained.weights.dispose();
  });

  it("leaves first solutions out of the loss where that is asked: all, or those that the second changes", async () => {
    const untrained = openPolicy(folder);
    const prompts = createPromptCache(untrained);
    const rest = "<reflection>no</reflection><think>so</think><answer>7</answer>";
    const reflecting = examples.map((example, i): SftExample => ({
      ...example,
      text: `<think>hm</think><answer>${i % 2 === 0 ? 9 : 7}</answer>${rest}`,
      transition: i % 2 === 0 ? "WR" : "RR",
    }));
    const expected: Record<string, number> = {};
    for (const mask of ["never", "changed", "always"] as const) {
      let [sum, count] = [0, 0];
      for (const { problem, style, text, transition } of reflecting) {
        const ids = [...untrained.tokenizer.encode(text), untrained.tokenizer.endId];
        const [prompt] = await prompts.prepare([problem], style);
        const logprobs = scoreCompletions(untrained, [prompt], [[ids]]);
        // Decoded from their beginnings on, tokens tell where the reflection starts.
        const masked = mask === "always" || (mask === "changed" && transition === "WR");
        const from = masked ? text.indexOf("<reflection>") : 0;
        ids.forEach((_id, i) => {
          const end = untrained.tokenizer.decode(ids.slice(0, i + 1)).length;
          if (end <= from) return;
          sum -= logprobs[i];
          count++;
        });
      }
      expected[mask] = sum / count;
      const bundle = openPolicy(folder);
      const config = { ...tinySft, epochs: 1, firstSolutionMask: mask };
      let loss = NaN;
      const onStep = (_step: number, metrics: Record<string, number>): number =>
        (loss = metrics.loss);
      await trainSft({ bundle, examples: reflecting, config, seed: 1, run: newRun(), onStep });
      assert.ok(Math.abs(loss - expected[mask]) < 1e-4 * loss, `${mask}: ${loss}`);
      bundle.weights.dispose();
    }
    assert.equal(new Set(Object.values(expected).map((loss) => loss.toFixed(4))).size, 3);
    untrained.weights.dispose();
  });

  it("takes two micro-batches of 4 for one batch of 8", async () => {
    const start = flat(openPolicy(folder));
    const update = async (microBatch: number) => {
      const losses: number[] = [];
      const config = { ...tinySft, epochs: 2, batch: 8, microBatch };
      const { bundle } = await train(config, (_step, { loss }) => losses.push(loss));
      return { losses, moved: flat(bundle).map((value, i) => value - start[i]) };
    };
    const [whole, halves] = [await update(8), await update(4)];
    const norm = (values: Float32Array): number =>
      Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    assert.ok(norm(whole.moved) > 0.1);
    // The same sum in another order: gradients agree to float32's rounding. AdamW divides each by its own size, so that the
    // few that are next to nothing may differ by more; the update as a whole must not.
    const apart = norm(whole.moved.map((value, i) => value - halves.moved[i]));
    assert.ok(apart < 2e-3 * norm(whole.moved), `${apart}`);
    assert.equal(whole.losses.length, 4);
    whole.losses.forEach((loss, i) => assert.ok(Math.abs(loss - halves.losses[i]) < 1e-4 * loss));
  });

  it("holds examples out, and says how it does on them", async () => {
    const config = {
      ...tinySft,
      epochs: 4,
      batch: 4,
      microBatch: 3,
      evalShare: 0.25,
      evalEvery: 5,
    };
    const seen: [number, number][] = [];
    const { bundle } = await train(config, (step, { eval_loss }) => {
      if (eval_loss !== undefined) seen.push([step, eval_loss]);
    });
    assert.equal(sftSteps(16, config), 12);
    assert.deepEqual(
      seen.map(([step]) => step),
      [5, 10, 12],
    );
    // Nothing but the common form of all solutions can be learned from others' examples.
    assert.ok(seen[2][1] < seen[0][1], seen.join(" "));
    bundle.weights.dispose();
  });

  it("refuses fewer examples than a batch", async () => {
    await assert.rejects(train({ ...tinySft, batch: 17 }), (error: Error) => {
      assert.ok(error instanceof LabError);
      assert.match(error.message, /fewer examples.*got 16.*at least 17.*Try: .*sft\.batch/);
      return true;
    });
  });
});

/** All trained parameters as one vector; the policy is disposed of. */
function flat(bundle: ReturnType<typeof openPolicy>): Float32Array {
  const parts = [...snapshot(bundle, "model.").values()];
  bundle.weights.dispose();
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
