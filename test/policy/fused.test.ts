import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Tensor2D } from "@tensorflow/tfjs";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { fusedOps } from "../../lib/engine/fused";
import { createRandom } from "../../lib/engine/random";
import { groupBatch } from "../../lib/policy/batch";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { decode } from "../../lib/policy/decoder";
import { generate, imageTensor } from "../../lib/policy/generate";
import { headLogprobs } from "../../lib/policy/head";
import { completionLogprobs, type Policy } from "../../lib/policy/policy";
import type { GenerateOptions, PreparedPrompt } from "../../lib/policy/sampling";
import { slotOps } from "../../lib/policy/slot-sampler";
import { recordedBatch, tapeFits, type RecordedBatch, type Tape } from "../../lib/policy/tape";
import { lossAndGradients } from "../../lib/train/optimizer";
import { BASE_POLICY, maxAbsDifference, randomPrompt, randomText } from "./fixture";

/** The same computation in tfjs's own operations. */
function plainly<T>(work: () => T): T {
  process.env.SRPO_FUSED = "0";
  const back = (): void => void delete process.env.SRPO_FUSED;
  let result: T;
  try {
    result = work();
  } catch (error) {
    back();
    throw error;
  }
  if (result instanceof Promise) return result.finally(back) as T;
  back();
  return result;
}

describe("fused operations", () => {
  let policy: Policy;
  /** Of unequal length: with one picture, without, with two. */
  let prompts: PreparedPrompt[];
  /** Of unequal length too, one of them a single token. */
  let completions: number[][][];
  before(async function () {
    await ready();
    // WebAssembly, a GPU, or a machine without a compiler: there is nothing to compare.
    if (fusedOps() === undefined) this.skip();
    policy = loadPolicy(BASE_POLICY);
    prompts = [
      randomPrompt(policy, "a", [[1, 4, 6]], 4),
      randomPrompt(policy, "b", [], 37),
      randomPrompt(policy, "c", [[1, 2, 4], [1, 4, 2]], 2), // prettier-ignore
    ];
    const random = createRandom("completions");
    completions = prompts.map((_prompt, p) =>
      [1, 17, 33 + p].map((length) => randomText(random, length)),
    );
  });
  after(() => policy?.weights.dispose());

  const withBatch = <T>(work: (batch: ReturnType<typeof groupBatch>, images: Tensor2D) => T): T => {
    const images = imageTensor(prompts, policy.config) as Tensor2D;
    try {
      return work(groupBatch(prompts, completions, policy.config), images);
    } finally {
      images.dispose();
    }
  };

  it("give the hidden states of tfjs's own", () => {
    const states = (): Float32Array =>
      withBatch((batch, images) =>
        tf.tidy(() => {
          const all = decode(policy.weights, policy.config.decoder, batch, images);
          return all.slice([0, 0], [batch.rows.length, -1]).dataSync<"float32">().slice();
        }),
      );
    const expected = plainly(states);
    const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    assert.ok(largest > 1, "the states are not all small");
    assert.ok(maxAbsDifference(states(), expected) < 1e-5 * largest);
  });

  it("give the gradients of tfjs's own, for every parameter of the decoder", () => {
    const names = policy.weights.names.filter((name) => !name.startsWith("visual."));
    const run = (): { loss: number; gradients: Float32Array[] } => {
      const { loss, gradients } = withBatch((batch, images) =>
        lossAndGradients(policy.weights, names, () => {
          const logprobs = completionLogprobs(policy, batch, images);
          // Tokens of unequal weight and sign.
          return logprobs.mul(tf.range(0, logprobs.size).sin()).sum();
        }),
      );
      const values = gradients.map((gradient) => gradient.dataSync<"float32">().slice());
      tf.dispose(gradients);
      return { loss, gradients: values };
    };
    const expected = plainly(run);
    const { loss, gradients } = run();
    assert.ok(Math.abs(loss - expected.loss) < 1e-4 * Math.abs(expected.loss));
    names.forEach((name, i) => {
      const scale = Math.hypot(...expected.gradients[i]) / Math.sqrt(expected.gradients[i].length);
      assert.ok(scale > 0, `${name} has a gradient`);
      const off = maxAbsDifference(gradients[i], expected.gradients[i]);
      assert.ok(off < 2e-3 * scale, `${name} is off by ${off}, typically ${scale}`);
    });
  });

  it("leave no tensor behind", () => {
    const names = policy.weights.names.filter((name) => name.startsWith("model."));
    const run = (): void =>
      withBatch((batch, images) =>
        tf.dispose(
          lossAndGradients(policy.weights, names, () =>
            completionLogprobs(policy, batch, images).sum(),
          ).gradients,
        ),
      );
    run();
    const before = tf.memory().numTensors;
    run();
    assert.equal(tf.memory().numTensors, before);
  });

  it("chunks of logits change nothing", () => {
    // 6000 rows of 803 logits are two chunks.
    const random = createRandom("states");
    const n = 6000;
    const target = Int32Array.from({ length: n }, () => random.int(0, 802));
    const states: Tensor2D = tf.randomNormal([n, 128], 0, 1, "float32", 1);
    const head = policy.weights.matrix("model.embed_tokens.weight");
    const whole = tf.tidy(() => headLogprobs(states, head, target).dataSync().slice());
    for (const from of [0, 4000, 5990]) {
      const part = tf.tidy(() =>
        headLogprobs(states.slice([from, 0], [10, 128]), head, target.slice(from, from + 10))
          .dataSync()
          .slice(),
      );
      assert.ok(maxAbsDifference(part, whole.slice(from, from + 10)) < 1e-4);
    }
    states.dispose();
  });

  const sample = (options: Partial<GenerateOptions> = {}): ReturnType<typeof generate> =>
    generate(policy, prompts, {
      group: 4,
      // More than a slot has room for at first.
      maxNewTokens: 80,
      temperature: 1,
      keys: ["a", "b", "c"],
      ...options,
    });

  describe("in sampling", () => {
    for (const [name, options] of Object.entries({
      greedily: { temperature: 0 },
      "at temperature 1": {},
      "at temperature 0.7, with rows that leave": { temperature: 0.7, stopIds: [5, 20, 40, 60] },
    } satisfies Record<string, Partial<GenerateOptions>>)) {
      it(`${name} draw what tfjs's own draw`, async () => {
        assert.ok(slotOps(policy.config.decoder) !== undefined);
        const expected = (await plainly(() => sample(options))).flat();
        const drawn = (await sample(options)).flat();
        assert.deepEqual(
          drawn.map(({ ids, truncated }) => ({ ids, truncated })),
          expected.map(({ ids, truncated }) => ({ ids, truncated })),
        );
        for (const key of ["logprobs", "entropies"] as const) {
          const [a, b] = [drawn, expected].map((rows) => rows.flatMap((row) => row[key]));
          assert.ok(maxAbsDifference(a, b) < 2e-4, key);
        }
      });
    }

    it("say so when the policy gives no probabilities, and leave no tensor behind", async () => {
      const norm = policy.weights.get("model.norm.weight").clone();
      policy.weights.replace("model.norm.weight", tf.fill(norm.shape, NaN));
      const before = tf.memory().numTensors;
      await assert.rejects(sample(), (error: Error) => {
        assert.ok(error instanceof LabError && /NaN/.test(error.message), error.message);
        return true;
      });
      assert.equal(tf.memory().numTensors, before);
      policy.weights.replace("model.norm.weight", norm);
      const good = tf.memory().numTensors;
      await sample();
      assert.equal(tf.memory().numTensors, good);
    });
  });

  describe("a rollout's tape", () => {
    it("gives the update's log-probabilities and gradients, for any part of the rollout", async () => {
      const names = policy.weights.names.filter((name) => name.startsWith("model."));
      const tapes: Tape[] = [];
      const before = tf.memory().numTensors;
      const groups = await sample({
        stopIds: [5, 20, 40, 60],
        record: (tape) => tapes.push(tape),
      });
      assert.equal(tapes.length, 1);
      const lengths = new Set(groups.flat().map(({ ids }) => ids.length));
      assert.ok(lengths.size > 4 && lengths.has(1), `lengths ${[...lengths]}`);
      for (const chosen of [[0, 1, 2], [2, 0], [1]]) {
        // prettier-ignore
        const some = chosen.map((p) => prompts[p]);
        const ids = chosen.map((p) => groups[p].map((row) => row.ids));
        const run = (recorded?: RecordedBatch): { loss: number; gradients: Float32Array[] } => {
          const images = imageTensor(some, policy.config);
          const { loss, gradients } = lossAndGradients(policy.weights, names, () => {
            const batch = groupBatch(some, ids, policy.config);
            const scores = completionLogprobs(policy, batch, images, recorded);
            return scores.mul(tf.range(0, scores.size).sin()).sum();
          });
          images?.dispose();
          const values = gradients.map((gradient) => gradient.dataSync<"float32">().slice());
          tf.dispose(gradients);
          return { loss, gradients: values };
        };
        const again = run();
        const rows = chosen.map((p) => groups[p]);
        const recorded = recordedBatch(tapes[0], chosen, rows);
        assert.ok(recorded !== undefined);
        const taped = run(recorded);
        assert.ok(Math.abs(taped.loss - again.loss) < 1e-4 * Math.abs(again.loss) + 1e-3);
        names.forEach((name, i) => {
          const values = again.gradients[i];
          const scale = Math.hypot(...values) / Math.sqrt(values.length);
          const off = maxAbsDifference(taped.gradients[i], values);
          assert.ok(off < 2e-3 * scale, `${name} is off by ${off}, typically ${scale}`);
        });
      }
      const others = groups.map((group) => group.map(({ ids }) => ({ ids: [...ids] })));
      assert.equal(recordedBatch(tapes[0], [0, 1, 2], others), undefined, "not the same rollout");
      tapes[0].dispose();
      assert.equal(tf.memory().numTensors, before);
    });

    it("is not made where it would take too much memory", async () => {
      const { decoder } = policy.config;
      assert.ok(tapeFits(decoder, 128 * 144));
      assert.ok(!tapeFits({ ...decoder, hiddenSize: 3584, layers: 28 }, 128 * 144));
    });
  });

  it("give the same bits with one thread and with more", function () {
    const script = `
      const { ready, tf } = require(${JSON.stringify(join(__dirname, "../../lib/engine/backend.js"))});
      const { fusedOps } = require(${JSON.stringify(join(__dirname, "../../lib/engine/fused.js"))});
      ready().then(() => {
        const ops = fusedOps();
        const [n, d] = [900, 32];
        const random = (shape, seed) => tf.randomNormal(shape, 0, 1, "float32", seed);
        const qkv = random([n, 8 * d], 1);
        const ints = (values) => tf.tensor1d(values, "int32");
        const segments = { prompts: ints([0, 40, 100]), completions: ints([100, 300, 500, 700, 900]) };
        const shape = ints([4, 2, d]);
        const [mixed, lse] = ops.attention(qkv, segments, shape);
        const [x, y, gateUp] = [random([n, 128], 6), random([n, 128], 7), random([n, 192], 8)];
        const fields = Object.fromEntries(
          Object.entries({ x, qkv, mixed, lse, y, gateUp }).map(([name, memory]) => [
            name, { memory, offset: 0, stride: memory.shape[1] }]));
        const work = { fields, index: ints([]) };
        const weights = {
          inputNorm: random([128], 3), qkv: random([8 * d, 128], 9), output: random([128, 128], 10),
          mlpNorm: random([128], 11), gateUp: random([192, 128], 12), down: random([128, 96], 13) };
        const after = ops.afterAttentionGrad(random([n, 128], 2), work, weights, 1e-6);
        const turned = ops.attentionGrad(after.dMixed, work, segments, shape);
        const tables = { cos: random([7, d], 4), sin: random([7, d], 5), at: ints(Array.from({ length: n }, (_x, i) => i % 7)) };
        const before = ops.beforeAttentionGrad(turned, after.dY, work, weights, tables, 6, 1e-6);
        const [, , inverse] = ops.addRmsNorm(mixed, undefined, weights.mlpNorm, 1e-6);
        const norms = ops.rmsNormGrad(mixed, mixed, weights.mlpNorm, inverse);
        const target = ints(Array.from({ length: n }, (_x, i) => i % 100));
        const head = random([100, 128], 14);
        const heads = [ops.headLogprobs(mixed, head, target), ...ops.headGrad(random([n], 15), mixed, head, target)];
        const results = [mixed, turned, ...Object.values(after), ...Object.values(before), ...norms, ...heads];
        if (results.some((t) => t.isNaN().any().dataSync()[0])) throw new Error("not a number");
        const bytes = results.map((t) => Buffer.from(t.dataSync().slice().buffer));
        console.log(require("node:crypto").createHash("sha256").update(Buffer.concat(bytes)).digest("hex"));
      });`;
    const hashes = ["1", "2", "5"].map((SRPO_THREADS) => {
      const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", script], {
        env: { ...process.env, SRPO_THREADS },
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
      return stdout.trim();
    });
    assert.match(hashes[0], /^[0-9a-f]{64}$/);
    assert.deepEqual(new Set(hashes).size, 1);
  });
});
