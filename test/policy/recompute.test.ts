import assert from "node:assert/strict";
import { ready, tf } from "../../lib/engine/backend";
import { fusedOps } from "../../lib/engine/fused";
import { createRandom } from "../../lib/engine/random";
import { groupBatch } from "../../lib/policy/batch";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { imageTensor } from "../../lib/policy/generate";
import { freshAdapters, LORA_TARGETS } from "../../lib/policy/lora";
import { completionLogprobs, completionScores, type Policy } from "../../lib/policy/policy";
import { lossAndGradients } from "../../lib/train/optimizer";
import { BASE_POLICY, maxAbsDifference, randomPrompt, randomText } from "./fixture";

interface Found {
  loss: number;
  gradients: Float32Array[];
  /** Bytes that are alive between forward and backward beside those from before. */
  held: number;
}

describe("gradient checkpointing", () => {
  let policy: Policy;
  let names: string[];
  before(async () => {
    await ready();
    policy = loadPolicy(BASE_POLICY);
    names = policy.weights.names.filter((name) => !name.startsWith("visual."));
  });
  after(() => policy?.weights.dispose());

  const find = (gradientCheckpointing: boolean, entropies = false): Found => {
    const random = createRandom("completions");
    const prompts = [randomPrompt(policy, "a", [[1, 4, 6]], 4), randomPrompt(policy, "b", [], 37)];
    const completions = prompts.map(() =>
      [1, 240, 199].map((length) => randomText(random, length)),
    );
    const batch = groupBatch(prompts, completions, policy.config);
    const images = imageTensor(prompts, policy.config);
    const before = tf.memory().numBytes;
    let held = 0;
    const { loss, gradients } = lossAndGradients(policy.weights, names, () => {
      const own = { ...policy, gradientCheckpointing };
      const scores = entropies
        ? completionScores(own, batch, images).entropies
        : completionLogprobs(own, batch, images);
      held = tf.memory().numBytes - before;
      return scores.mul(tf.range(0, scores.size).sin()).sum();
    });
    const values = gradients.map((gradient) => gradient.dataSync<"float32">().slice());
    tf.dispose(gradients);
    images?.dispose();
    return { loss, gradients: values, held };
  };

  const plainly = <T>(work: () => T): T => {
    process.env.SRPO_FUSED = "0";
    try {
      return work();
    } finally {
      delete process.env.SRPO_FUSED;
    }
  };

  /** Runs `work` on the policy with adapters that are in training: B is no longer zero, so that A has gradients too. */
  const withAdapters = (work: () => void): void => {
    const all = { policy, names };
    const lora = { rank: 4, alpha: 8, targets: [...LORA_TARGETS] };
    const weights = freshAdapters(policy.weights, policy.config, lora, { base: "", seed: 1 });
    weights.adapters?.names.forEach((name, i) => {
      const tensor = weights.get(name);
      weights.replace(name, tf.randomUniform(tensor.shape, -0.1, 0.1, "float32", i + 1));
    });
    policy = { ...policy, weights };
    names = [...(weights.adapters?.names ?? [])];
    try {
      work();
    } finally {
      const own = names.map((name) => weights.get(name));
      ({ policy, names } = all);
      tf.dispose(own);
    }
  };

  const sameGradients = (found: Found, expected: Found): void => {
    assert.equal(found.loss, expected.loss);
    names.forEach((name, i) => {
      const largest = expected.gradients[i].reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      assert.ok(largest > 0, `${name} has a gradient`);
      // Sums over threads may be added up in another order.
      const off = maxAbsDifference(found.gradients[i], expected.gradients[i]);
      assert.ok(off <= 1e-5 * largest, `${name} is off by ${off} of ${largest}`);
    });
  };

  it("gives the same gradients on the fused operations, and holds less", function () {
    if (fusedOps() === undefined) this.skip();
    const [whole, again] = [find(false), find(true)];
    sameGradients(again, whole);
    assert.ok(again.held < 0.35 * whole.held, `${again.held} of ${whole.held} bytes`);
  });

  it("gives the same gradients on tfjs's own operations, and holds less", () => {
    const [whole, again] = plainly(() => [find(false), find(true)]);
    sameGradients(again, whole);
    assert.ok(again.held < 0.35 * whole.held, `${again.held} of ${whole.held} bytes`);
  });

  it("gives the same gradients of adapters, on both kinds of operations", () => {
    withAdapters(() => {
      assert.ok(names.length > 0 && names.every((name) => name.includes("lora")));
      sameGradients(find(true), find(false));
      plainly(() => sameGradients(find(true), find(false)));
    });
  });

  it("serves entropies as well", () => {
    sameGradients(find(true, true), find(false, true));
  });

  it("leaves no tensor behind", () => {
    for (const within of [(work: () => void) => work(), plainly]) {
      within(() => find(true));
      const before = tf.memory().numTensors;
      within(() => find(true));
      assert.equal(tf.memory().numTensors, before);
    }
  });
});
