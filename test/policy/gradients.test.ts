import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "@tensorflow/tfjs";
import { ready, tf } from "../../lib/engine/backend";
import { createRandom, type Random } from "../../lib/engine/random";
import { groupBatch } from "../../lib/policy/batch";
import { chosenLogprobs, rowEntropies } from "../../lib/policy/head";
import { rmsNorm, rotate, swiglu } from "../../lib/policy/layers";
import { completionLogprobs, type Policy } from "../../lib/policy/policy";
import { encodeImages, type Grid } from "../../lib/policy/vision";
import { lossAndGradients } from "../../lib/train/optimizer";
import { FIXTURES, fixtureCases, loadFixture } from "./fixture";

interface Golden {
  completions: number[][][];
  loss: number;
  /** Norm of the whole gradient, and `[flat index, value]` of some entries. */
  gradients: Record<string, { norm: number; entries: [number, number][] }>;
}
const golden = JSON.parse(readFileSync(join(FIXTURES, "policy/gradients.json"), "utf8")) as Golden;

describe("gradients of the policy", () => {
  let policy: Policy;
  /** Mean negative log-likelihood of the golden's completions, through the vision tower. */
  let loss: () => Tensor;
  before(async () => {
    await ready();
    policy = loadFixture();
    const cases = fixtureCases().slice(0, 2);
    const prompts = cases.map((example) => ({
      ids: example.input_ids,
      grids: example.image_grid_thw as readonly Grid[],
    }));
    const batch = groupBatch(prompts, golden.completions, policy.config);
    const pixels = cases.flatMap((example) => example.pixel_values as number[]);
    const patches = batch.grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
    const { config, weights } = policy;
    loss = () =>
      tf.tidy(() => {
        const pictures = tf.tensor2d(pixels, [patches, pixels.length / patches]);
        const images = encodeImages(weights, config.vision, pictures, batch.grids);
        return completionLogprobs(policy, batch, images).mean().neg();
      });
  });
  after(() => policy.weights.dispose());

  it("are PyTorch's, for parameters of every kind", () => {
    // PyTorch computed in float64; float32 keeps seven digits, of which the sums over three layers cost one or two.
    const names = Object.keys(golden.gradients);
    const { loss: value, gradients } = lossAndGradients(policy.weights, names, loss);
    assert.ok(Math.abs(value / golden.loss - 1) < 1e-5, `loss ${value}`);
    names.forEach((name, i) => {
      const { norm, entries } = golden.gradients[name];
      const ours = gradients[i].dataSync();
      const length = Math.hypot(...ours);
      assert.ok(Math.abs(length / norm - 1) < 1e-4, `${name}: norm ${length}, not ${norm}`);
      for (const [at, theirs] of entries) {
        assert.ok(
          Math.abs(ours[at] - theirs) < 1e-4 * norm,
          `${name}[${at}]: ${ours[at]}, not ${theirs}`,
        );
      }
    });
    tf.dispose(gradients);
  });

  it("are central differences of the loss, for every kind of parameter", () => {
    // Along a direction d of unit length: (L(w + εd) − L(w − εd)) / 2ε against ∇L·d, for the gradient's own direction,
    // where the derivative is largest, and for single entries. The loss is 6.6 and carries a float32 error near 1e-6, which
    // ε = 5e-3 turns into 1e-4; the truncation error, ε²/6 times the third derivative, is of the same size. One layer stands
    // for each kind, another one from kind to kind.
    const epsilon = 5e-3;
    const random = createRandom("directions");
    const kinds = new Map<string, string[]>();
    for (const name of policy.weights.names) {
      const kind = name.replace(/\.\d+\./, ".*.");
      kinds.set(kind, [...(kinds.get(kind) ?? []), name]);
    }
    const names = [...kinds.values()].map((layers) => random.pick(layers));
    const { gradients } = lossAndGradients(policy.weights, names, loss);
    const at = (name: string, values: Float32Array): number => {
      const old = policy.weights.get(name).clone();
      policy.weights.replace(name, tf.tensor(values, old.shape));
      const value = tf.tidy(() => loss().dataSync()[0]);
      policy.weights.replace(name, old);
      return value;
    };
    names.forEach((name, i) => {
      const start = policy.weights.get(name).dataSync<"float32">().slice();
      const gradient = gradients[i].dataSync<"float32">();
      const length = Math.hypot(...gradient);
      assert.ok(length > 1e-4, `${name} has a gradient`);
      const single = new Float32Array(start.length);
      single[random.int(0, start.length - 1)] = 1;
      const steepest = gradient.map((value) => value / length);
      for (const direction of [steepest, single]) {
        const moved = (sign: number): Float32Array =>
          start.map((value, j) => value + sign * epsilon * direction[j]);
        const numeric = (at(name, moved(1)) - at(name, moved(-1))) / (2 * epsilon);
        const exact = gradient.reduce((sum, value, j) => sum + value * direction[j], 0);
        const off = Math.abs(numeric - exact);
        assert.ok(off < 5e-4 + 5e-3 * length, `${name}: ${exact}, numerically ${numeric}`);
      }
    });
    tf.dispose(gradients);
  });

  it("leave no tensor behind, and the weights as they are", () => {
    const run = (): void =>
      tf.dispose(lossAndGradients(policy.weights, policy.weights.names, loss).gradients);
    run();
    const before = policy.weights.get("model.norm.weight").dataSync().slice();
    const tensors = tf.memory().numTensors;
    run();
    assert.equal(tf.memory().numTensors, tensors);
    assert.deepEqual(policy.weights.get("model.norm.weight").dataSync(), before);
  });

  it("reach the head of an untied policy", () => {
    const { decoder } = policy.config;
    const config = { ...policy.config, decoder: { ...decoder, tiedHead: false } };
    const random = createRandom("head");
    const values = Float32Array.from({ length: 320 * 32 }, () => 0.2 * random.normal());
    const head = tf.tensor2d(values, [320, 32]);
    const get = (name: string): Tensor =>
      name === "lm_head.weight" ? head : policy.weights.get(name);
    const weights = {
      ...policy.weights,
      get,
      matrix: (name: string) => get(name) as Tensor2D,
      vector: (name: string) => get(name) as Tensor1D,
    };
    const batch = groupBatch([{ ids: [5, 6, 9], grids: [] }], [[[7]]], config);
    const names = ["lm_head.weight", "model.embed_tokens.weight"];
    const { gradients } = lossAndGradients(weights, names, () =>
      completionLogprobs({ config, weights }, batch, undefined).sum(),
    );
    // d log softmax / d head = (onehot − softmax) ⊗ h: rows sum to nothing, and only the target's row goes along h.
    const [rows, embedding] = gradients.map((gradient) => gradient.arraySync() as number[][]);
    const sums = rows[0].map((_unused, j) => rows.reduce((sum, row) => sum + row[j], 0));
    assert.ok(Math.max(...sums.map(Math.abs)) < 1e-5);
    assert.ok(Math.hypot(...rows[7]) > Math.hypot(...rows[8]));
    // Untied, only the tokens that were read have a gradient in the embedding.
    const read = embedding.flatMap((row, id) => (Math.hypot(...row) > 0 ? [id] : []));
    assert.deepEqual(read, [5, 6, 9]);
    tf.dispose([...gradients, head]);
  });
});

/**
 * Each function written down again in plain float64, as its paper has it. Central differences there are good to 1e-8
 * (ε = 1e-5), so that what is left is float32: 1e-5 of the largest entry.
 */
describe("gradients in closed form", () => {
  before(() => ready());
  const CLOSE = 1e-5;

  /** Compares value and gradients of `ours`, contracted with fixed random numbers, with those of `plain`. */
  function compare(
    shapes: readonly number[][],
    ours: (...inputs: Tensor[]) => Tensor,
    plain: (...inputs: number[][]) => number[],
    draw: (random: Random) => number = (random) => random.normal(),
  ): void {
    const random = createRandom(shapes.join("/"));
    const inputs = shapes.map((shape) =>
      Array.from({ length: tf.util.sizeFromShape(shape) }, () => Math.fround(draw(random))),
    );
    const expected = plain(...inputs);
    const weights = expected.map(() => Math.fround(random.normal()));
    const scalar = (...at: number[][]): number =>
      plain(...at).reduce((sum, value, i) => sum + weights[i] * value, 0);

    const tensors = inputs.map((values, i) => tf.tensor(values, shapes[i]));
    const value = ours(...tensors);
    near(value.dataSync(), expected, "value");
    const gradients = tf.grads((...at: Tensor[]) =>
      ours(...at)
        .flatten()
        .mul(tf.tensor1d(weights))
        .sum(),
    )(tensors);
    inputs.forEach((input, which) => {
      const numeric = input.map((centre, j) => {
        const epsilon = 1e-5;
        const shifted = [1, -1].map((sign) => {
          const moved = input.slice();
          moved[j] = centre + sign * epsilon;
          return scalar(...inputs.map((other, i) => (i === which ? moved : other)));
        });
        return (shifted[0] - shifted[1]) / (2 * epsilon);
      });
      assert.deepEqual(gradients[which].shape, shapes[which]);
      near(gradients[which].dataSync(), numeric, `gradient ${which}`);
    });
    tf.dispose([value, ...tensors, ...gradients]);
  }

  function near(ours: ArrayLike<number>, expected: readonly number[], what: string): void {
    assert.equal(ours.length, expected.length);
    const scale = Math.max(1, ...expected.map(Math.abs));
    expected.forEach((value, i) => {
      assert.ok(Math.abs(ours[i] - value) < CLOSE * scale, `${what} ${i}: ${ours[i]}, ${value}`);
    });
  }

  const rows = <T>(values: readonly T[], width: number): T[][] =>
    Array.from({ length: values.length / width }, (_unused, i) =>
      values.slice(i * width, (i + 1) * width),
    );

  for (const eps of [1e-6, 0.5]) {
    it(`rmsNorm, epsilon ${eps}`, () => {
      compare(
        [[5, 8], [8]],
        (x, g) => rmsNorm(x as Tensor2D, g as Tensor1D, eps),
        (x, g) =>
          rows(x, 8).flatMap((row) => {
            const root = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / 8 + eps);
            return row.map((v, j) => (v / root) * g[j]);
          }),
      );
    });
  }

  it("swiglu", () => {
    compare(
      [
        [4, 6],
        [4, 6],
      ],
      (gate, up) => swiglu(gate as Tensor2D, up as Tensor2D),
      (gate, up) => gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]),
      (random) => 3 * random.normal(),
    );
  });

  it("rotate", () => {
    const [n, heads, d] = [3, 2, 8];
    const random = createRandom("angles");
    const angles = Array.from({ length: n * (d / 2) }, () => 6 * random.next());
    const table = (f: (angle: number) => number): Tensor3D =>
      tf.tensor3d(
        rows(angles, d / 2).flatMap((row) => [...row, ...row].map(f)),
        [n, 1, d],
      );
    const [cos, sin] = [table(Math.cos), table(Math.sin)];
    compare(
      [[n, heads, d]],
      (x) => rotate(x as Tensor3D, cos, sin),
      // Pairs (j, j + d/2) as complex numbers, turned by the token's angle.
      (x) =>
        rows(x, d).flatMap((head, i) => {
          const turn = rows(angles, d / 2)[Math.floor(i / heads)];
          const real = turn.map((a, j) => head[j] * Math.cos(a) - head[j + d / 2] * Math.sin(a));
          const imaginary = turn.map(
            (a, j) => head[j] * Math.sin(a) + head[j + d / 2] * Math.cos(a),
          );
          return [...real, ...imaginary];
        }),
    );
    tf.dispose([cos, sin]);
  });

  it("chosenLogprobs", () => {
    const target = Int32Array.of(3, 0, 6, 6);
    compare(
      [[4, 7]],
      (scores) => chosenLogprobs(scores as Tensor2D, target),
      (scores) =>
        rows(scores, 7).map(
          (row, i) => row[target[i]] - Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)),
        ),
      (random) => 4 * random.normal(),
    );
  });

  it("chosenLogprobs of scores that overflow a bare exponential", () => {
    const scores = tf.tensor2d([300, -300, 0, -1e4, 1e4, 9990], [2, 3]);
    const logprobs = chosenLogprobs(scores, Int32Array.of(1, 2));
    const [low, close] = logprobs.dataSync();
    assert.equal(low, -600);
    // −10 − log(1 + e⁻¹⁰)
    assert.ok(Math.abs(close + 10.0000454) < 1e-5);
    tf.dispose([scores, logprobs]);
  });

  it("rowEntropies", () => {
    compare(
      [[4, 7]],
      (scores) => rowEntropies(scores as Tensor2D),
      (scores) =>
        rows(scores, 7).map((row) => {
          const total = row.reduce((sum, v) => sum + Math.exp(v), 0);
          return -row.reduce((sum, v) => sum + (Math.exp(v) / total) * (v - Math.log(total)), 0);
        }),
      (random) => 4 * random.normal(),
    );
  });

  it("rowEntropies of a certain token and of an even choice", () => {
    const scores = tf.tensor2d([500, 0, -1e4, 7, 7, 7], [2, 3]);
    const entropies = rowEntropies(scores);
    const [certain, even] = entropies.dataSync();
    assert.equal(Math.abs(certain), 0);
    assert.ok(Math.abs(even - Math.log(3)) < 1e-6);
    tf.dispose([scores, entropies]);
  });
});
