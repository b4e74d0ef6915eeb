import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { groupBatch, predictionIndices } from "../../lib/policy/batch";
import { completionLogprobs, type Policy } from "../../lib/policy/policy";
import type { Weights } from "../../lib/policy/weights";
import { policyLoss } from "../../lib/train/losses";
import { objectiveDefaults } from "../../lib/train/objective";
import {
  adamWDefaults,
  cosineSchedule,
  createAdamW,
  lossAndGradients,
  type AdamWOptions,
} from "../../lib/train/optimizer";
import { FIXTURES, loadFixture, maxAbsDifference } from "../policy/fixture";

type Values = Record<string, number[]>;

interface Golden {
  options: AdamWOptions;
  shapes: Record<string, number[]>;
  start: Values;
  steps: { learningRate: number; gradients: Values; norm: number; parameters: Values }[];
}
// Made with torch.optim.AdamW and clip_grad_norm_, see make_train_fixture.py there.
const golden = JSON.parse(readFileSync(join(FIXTURES, "train/adamw.json"), "utf8")) as Golden;
const NAMES = Object.keys(golden.shapes);

/** Named tensors that behave as a policy's weights. */
function looseWeights(values: Values): Weights {
  const tensors: Record<string, Tensor> = {};
  for (const name of NAMES) tensors[name] = tf.tensor(values[name], golden.shapes[name]);
  return {
    names: NAMES,
    get: (name) => tensors[name],
    matrix: (name) => tensors[name] as Tensor2D,
    vector: (name) => tensors[name] as Tensor1D,
    replace: (name, tensor) => {
      tensors[name].dispose();
      tensors[name] = tf.keep(tensor);
    },
    size: NAMES.reduce((sum, name) => sum + tensors[name].size, 0),
    dispose: () => tf.dispose(tensors),
  };
}

const tensorsOf = (values: Values): Tensor[] =>
  NAMES.map((name) => tf.tensor(values[name], golden.shapes[name]));
const valuesOf = (weights: Weights): number[] =>
  NAMES.flatMap((name) => [...weights.get(name).dataSync()]);

describe("AdamW", () => {
  before(() => ready());

  it("takes PyTorch's steps: clipping, decay of matrices only, bias correction", () => {
    const weights = looseWeights(golden.start);
    const optimizer = createAdamW(weights, NAMES, golden.options);
    for (const { learningRate, gradients, norm, parameters } of golden.steps) {
      const tensors = tensorsOf(gradients);
      const ours = optimizer.update(tensors, learningRate);
      tf.dispose(tensors);
      assert.ok(Math.abs(ours / norm - 1) < 1e-6, `norm ${ours}, not ${norm}`);
      for (const name of NAMES) {
        // Parameters of size 1 in float32; clip_grad_norm_ adds 1e-6 to the norm, which Adam's ratio cancels.
        const off = maxAbsDifference(weights.get(name).dataSync(), parameters[name]);
        assert.ok(off < 2e-6, `${name} is off by ${off}`);
      }
    }
    optimizer.dispose();
    weights.dispose();
  });

  it("decays matrices and nothing else when there is no gradient", () => {
    const weights = looseWeights(golden.start);
    const optimizer = createAdamW(weights, NAMES, golden.options);
    const zeros = NAMES.map((name) => tf.zeros(golden.shapes[name]));
    assert.equal(optimizer.update(zeros, 0.5), 0);
    for (const name of NAMES) {
      const factor = golden.shapes[name].length > 1 ? 1 - 0.5 * golden.options.weightDecay : 1;
      const expected = golden.start[name].map((value) => value * factor);
      assert.ok(maxAbsDifference(weights.get(name).dataSync(), expected) < 1e-6, name);
    }
    optimizer.dispose();
    weights.dispose();
    tf.dispose(zeros);
  });

  it("resumes from its state bit for bit", () => {
    const run = (stopAfter: number): number[] => {
      const weights = looseWeights(golden.start);
      let optimizer = createAdamW(weights, NAMES, golden.options);
      golden.steps.forEach(({ gradients, learningRate }, i) => {
        if (i === stopAfter) {
          const state = optimizer.state();
          assert.equal(state.step, i);
          optimizer.dispose();
          optimizer = createAdamW(weights, NAMES, golden.options);
          optimizer.restore(state);
        }
        const tensors = tensorsOf(gradients);
        optimizer.update(tensors, learningRate);
        tf.dispose(tensors);
      });
      const end = valuesOf(weights);
      optimizer.dispose();
      weights.dispose();
      return end;
    };
    const whole = run(-1);
    assert.deepEqual(run(1), whole);
    assert.deepEqual(run(2), whole);
  });

  it("refuses a gradient that is not finite and stays as it was", () => {
    const weights = looseWeights(golden.start);
    const optimizer = createAdamW(weights, NAMES, golden.options);
    const [first] = golden.steps;
    const good = tensorsOf(first.gradients);
    const tensors = tf.memory().numTensors;
    for (const poison of [NaN, Infinity]) {
      const bad = [...good.slice(0, -1), tf.fill(golden.shapes[NAMES[3]], poison)];
      assert.throws(
        () => optimizer.update(bad, 0.1),
        (error: Error) => error instanceof LabError && /step 1 is not finite/.test(error.message),
      );
      bad[3].dispose();
    }
    assert.equal(tf.memory().numTensors, tensors);
    assert.equal(optimizer.state().step, 0);
    // The step that is taken afterwards is PyTorch's first.
    optimizer.update(good, first.learningRate);
    const expected = NAMES.flatMap((name) => first.parameters[name]);
    assert.ok(maxAbsDifference(valuesOf(weights), expected) < 2e-6);
    optimizer.dispose();
    weights.dispose();
    tf.dispose(good);
  });

  it("refuses moments of other parameters", () => {
    const weights = looseWeights(golden.start);
    const optimizer = createAdamW(weights, NAMES, golden.options);
    const other = createAdamW(weights, NAMES.slice(1), golden.options);
    assert.throws(() => optimizer.restore(other.state()), LabError);
    optimizer.dispose();
    other.dispose();
    weights.dispose();
  });

  it("gives all its tensors back", () => {
    const tensors = tf.memory().numTensors;
    for (const weightDecay of [0, 0.1]) {
      const weights = looseWeights(golden.start);
      const optimizer = createAdamW(weights, NAMES, { ...golden.options, weightDecay });
      const gradients = tensorsOf(golden.steps[0].gradients);
      optimizer.update(gradients, 0.1);
      optimizer.restore(optimizer.state());
      tf.dispose(gradients);
      optimizer.dispose();
      weights.dispose();
    }
    assert.equal(tf.memory().numTensors, tensors);
  });
});

describe("cosineSchedule", () => {
  const at = (step: number): number =>
    cosineSchedule(step, { peak: 2, warmup: 4, total: 12, floor: 0.1 });

  it("rises in equal steps to the peak and falls along half a cosine to the floor", () => {
    assert.deepEqual([0, 1, 2, 3].map(at), [0.5, 1, 1.5, 2]);
    const near = (step: number, value: number): void =>
      assert.ok(Math.abs(at(step) - value) < 1e-12, `step ${step}: ${at(step)}`);
    near(4, 2);
    // A quarter, half and three quarters of the way: 2 · (0.1 + 0.9 · (1 + cos(π/4, π/2, 3π/4)) / 2).
    near(6, 1.7363961030678927);
    near(8, 1.1);
    near(10, 0.46360389693210737);
    near(12, 0.2);
    near(500, 0.2);
  });

  it("works without warm-up, without a floor and with nothing after the warm-up", () => {
    assert.equal(cosineSchedule(0, { peak: 3, warmup: 0, total: 10 }), 3);
    assert.ok(cosineSchedule(10, { peak: 3, warmup: 0, total: 10 }) < 1e-12);
    assert.equal(cosineSchedule(4, { peak: 3, warmup: 5, total: 5 }), 3);
    assert.ok(Number.isFinite(cosineSchedule(5, { peak: 3, warmup: 5, total: 5 })));
  });
});

describe("a training step", () => {
  let policy: Policy;
  before(async () => {
    await ready();
    policy = loadFixture();
  });
  after(() => policy.weights.dispose());

  /** Clipped loss, gradients of the decoder, AdamW: what GRPO does with a minibatch. */
  function trainer(): { step: (advantage: number) => number; dispose: () => void } {
    const prompts = [
      { ids: [5, 6, 7, 8], grids: [] },
      { ids: [9, 10], grids: [] },
    ];
    const completions = [
      [[20, 21, 22], [30]],
      [
        [40, 41],
        [50, 51, 52, 53],
      ],
    ];
    const names = policy.weights.names.filter((name) => !name.startsWith("visual."));
    const options = { ...adamWDefaults, weightDecay: 0.01 };
    const optimizer = createAdamW(policy.weights, names, options);
    return {
      step: (advantage) => {
        const batch = groupBatch(prompts, completions, policy.config);
        const { row } = predictionIndices(batch);
        const oldLogprobs = tf.tidy(() =>
          completionLogprobs(policy, batch, undefined).dataSync<"float32">().slice(),
        );
        const terms = {
          lengths: batch.completionLengths,
          oldLogprobs,
          advantages: Float32Array.from(row, (r) => (r === 0 ? advantage : 0)),
          weights: oldLogprobs.map(() => 1 / oldLogprobs.length),
        };
        const { loss, gradients } = lossAndGradients(policy.weights, names, () =>
          policyLoss(
            { logprobs: completionLogprobs(policy, batch, undefined) },
            terms,
            objectiveDefaults,
          ),
        );
        optimizer.update(gradients, 1e-3);
        tf.dispose(gradients);
        assert.ok(Number.isFinite(loss));
        return oldLogprobs.subarray(0, 3).reduce((a, b) => a + b, 0);
      },
      dispose: () => optimizer.dispose(),
    };
  }

  it("leaves the number of tensors as it was", () => {
    const { step, dispose } = trainer();
    step(1);
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) step(1);
    assert.equal(tf.memory().numTensors, tensors);
    dispose();
  });

  it("leaves none behind when its loss throws", () => {
    const names = ["model.norm.weight"];
    const fail = (): void => {
      const broken = (): Tensor => {
        policy.weights.get(names[0]).square().sum();
        throw new Error("no loss");
      };
      assert.throws(() => lossAndGradients(policy.weights, names, broken), /no loss/);
    };
    fail();
    const tensors = tf.memory().numTensors;
    fail();
    assert.equal(tf.memory().numTensors, tensors);
    // And the next gradient is not disturbed by what the failed one had recorded.
    const { gradients } = lossAndGradients(policy.weights, names, () =>
      policy.weights.get(names[0]).sum(),
    );
    assert.deepEqual([...gradients[0].dataSync()], new Array(32).fill(1));
    tf.dispose(gradients);
  });

  it("makes a completion with a positive advantage likelier, with a negative one less likely", () => {
    for (const advantage of [1, -1]) {
      const { step, dispose } = trainer();
      const [before, , , after] = [0, 1, 2, 3].map(() => step(advantage));
      assert.ok((after - before) * advantage > 0.1, `from ${before} to ${after}`);
      dispose();
    }
  });
});
