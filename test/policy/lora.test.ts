import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { readSafetensors } from "../../lib/engine/safetensors";
import { copyOfStart, openPolicy, policyToTrain, type PolicyBundle } from "../../lib/policy/bundle";
import { loadPolicy, savePolicy } from "../../lib/policy/checkpoint";
import { generate } from "../../lib/policy/generate";
import { freshAdapters, LORA_TARGETS } from "../../lib/policy/lora";
import { mergeAdapter } from "../../lib/policy/merge";
import { checkParity } from "../../lib/policy/parity";
import { completionLogprobs, type Policy } from "../../lib/policy/policy";
import { groupBatch } from "../../lib/policy/batch";
import { lossAndGradients } from "../../lib/train/optimizer";
import {
  CHECKPOINT,
  FIXTURES,
  fixtureCases,
  loadFixture,
  maxAbsDifference,
  pythonWithTransformers,
  temporaryFolder,
  writeTinyPolicy,
} from "./fixture";

const LORA = join(FIXTURES, "policy/lora");
const golden = JSON.parse(readFileSync(join(LORA, "golden.json"), "utf8")) as {
  last_logits: number[][];
  merged: Record<string, number[]>;
};
const all = { rank: 4, alpha: 8, targets: [...LORA_TARGETS] };

/** B away from zero, so that the adapters say something. */
function stir({ weights }: Policy): void {
  for (const name of weights.adapters?.names ?? []) {
    const { shape, size } = weights.get(name);
    const values = Float32Array.from({ length: size }, (_unused, i) => 0.1 * Math.sin(i + size));
    if (name.includes("lora_B")) weights.replace(name, tf.tensor(values, shape));
  }
}

describe("adapters", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  before(() => ready());

  const agrees = async (policy: Policy, logits: readonly number[][], within = 1e-4) => {
    for (const [i, example] of fixtureCases().entries()) {
      const { maxAbsLogit } = await checkParity(policy, { ...example, last_logits: logits[i] });
      assert.ok(maxAbsLogit < within, `case ${i}: logits differ by ${maxAbsLogit}`);
    }
  };

  describe("made by PEFT", () => {
    it("give PEFT's logits beside the weights, and change them", async () => {
      const policy = loadPolicy(LORA);
      assert.deepEqual(policy.weights.adapters?.config, {
        ...{ rank: 4, alpha: 6 },
        targets: ["q_proj", "o_proj", "up_proj", "down_proj"],
      });
      await agrees(policy, golden.last_logits);
      policy.weights.dispose();
      for (const [i, { last_logits }] of fixtureCases().entries()) {
        assert.ok(maxAbsDifference(last_logits, golden.last_logits[i]) > 0.1);
      }
    });

    it("merge into PEFT's merge_and_unload", async () => {
      const out = join(root, "merged");
      const tensors = tf.memory().numTensors;
      assert.deepEqual(mergeAdapter(LORA, out), {
        ...{ base: CHECKPOINT, out, modules: 12 },
      });
      assert.equal(tf.memory().numTensors, tensors);
      const merged = readSafetensors(join(out, "model.safetensors")).tensors;
      for (const [name, values] of Object.entries(golden.merged)) {
        const off = maxAbsDifference(merged[name].data.slice(0, values.length), values);
        // float32 of numbers up to 2, a sum of four products in another order.
        assert.ok(off < 5e-7, `${name}: ${off}`);
      }
      const policy = loadPolicy(out);
      await agrees(policy, golden.last_logits);
      policy.weights.dispose();
    });

    it("are refused where they are not plain LoRA, or belong to another policy", () => {
      const refuses = (name: string, change: object, word: RegExp): void => {
        const folder = join(root, name);
        cpSync(LORA, folder, { recursive: true });
        const path = join(folder, "adapter_config.json");
        const json = JSON.parse(readFileSync(path, "utf8")) as object;
        writeFileSync(path, JSON.stringify({ ...json, base_model_name_or_path: CHECKPOINT, ...change })); // prettier-ignore
        const tensors = tf.memory().numTensors;
        assert.throws(
          () => loadPolicy(folder),
          (error: Error) => error instanceof LabError && word.test(error.message),
        );
        assert.equal(tf.memory().numTensors, tensors);
      };
      refuses("dora", { use_dora: true }, /use_dora/);
      refuses("ia3", { peft_type: "IA3" }, /peft_type/);
      refuses("pattern", { rank_pattern: { q_proj: 8 } }, /rank_pattern/);
      refuses("gone", { base_model_name_or_path: "nowhere" }, /base_model_name_or_path/);
      refuses("rank", { r: 8 }, /lora_A.*does not fit/);
      const tiny = join(root, "tiny-base");
      writeTinyPolicy(tiny);
      refuses("other", { base_model_name_or_path: tiny }, /does not fit/);
    });
  });

  describe("of the lab's own", () => {
    let bundle: PolicyBundle;
    const tiny = join(root, "tiny");
    before(() => {
      writeTinyPolicy(tiny);
      bundle = policyToTrain(openPolicy(tiny), all, 3);
    });
    after(() => bundle.weights.dispose());

    it("are drawn as PEFT draws them: A uniform in ±1/√in, B zero; by the seed", () => {
      const { weights } = bundle;
      const names = weights.adapters?.names ?? [];
      assert.equal(names.length, 2 * 7 * bundle.config.decoder.layers);
      for (const name of names) {
        const values = weights.get(name).dataSync<"float32">();
        if (name.includes("lora_B")) assert.ok(values.every((v) => v === 0));
        else {
          const bound = 1 / Math.sqrt(weights.get(name).shape[1] as number);
          assert.ok(values.every((v) => Math.abs(v) <= bound));
          // A uniform's mean square is a third of its bound's; 128 numbers and more.
          const square = values.reduce((sum: number, v: number) => sum + v * v, 0) / values.length;
          assert.ok(Math.abs((3 * square) / bound ** 2 - 1) < 0.4);
        }
      }
      const fresh = (seed: number): number[] => {
        const base = openPolicy(tiny);
        const adapted = freshAdapters(base.weights, base.config, all, { base: tiny, seed });
        const values = Array.from(adapted.get(names[0]).dataSync());
        adapted.dispose();
        return values;
      };
      assert.deepEqual(fresh(3), Array.from(weights.get(names[0]).dataSync()));
      assert.notDeepEqual(fresh(4), fresh(3));
    });

    const prompts = [{ ids: [5, 9, 40, 12], grids: [], features: new Float32Array() }];
    const completions = [[[7, 8, 30], [11, 6]]]; // prettier-ignore
    const scoresOf = (policy: Policy): Float32Array =>
      tf.tidy(() => {
        const batch = groupBatch(prompts, completions, policy.config);
        return completionLogprobs(policy, batch, undefined).dataSync<"float32">().slice();
      });
    const plainly = <T>(work: () => T): T => {
      process.env.SRPO_FUSED = "0";
      try {
        return work();
      } finally {
        delete process.env.SRPO_FUSED;
      }
    };
    const gradientsOf = (policy: Policy): Map<string, Float32Array> => {
      const names = policy.weights.adapters?.names ?? [];
      const batch = groupBatch(prompts, completions, policy.config);
      const { gradients } = lossAndGradients(policy.weights, names, () =>
        completionLogprobs(policy, batch, undefined).sum(),
      );
      const values = gradients.map((gradient) => gradient.dataSync<"float32">().slice());
      tf.dispose(gradients);
      return new Map(names.map((name, i) => [name, values[i]]));
    };

    it("change nothing at first, and are the reference of a KL as they were", () => {
      const base = loadPolicy(tiny);
      assert.ok(maxAbsDifference(scoresOf(bundle), scoresOf(base)) < 1e-6);
      const tensors = tf.memory().numTensors;
      const reference = copyOfStart(bundle);
      const before = scoresOf(bundle);
      stir(bundle);
      assert.ok(maxAbsDifference(scoresOf(bundle), before) > 1e-3);
      assert.deepEqual(scoresOf(reference), before);
      reference.weights.dispose();
      assert.equal(tf.memory().numTensors, tensors);
      base.weights.dispose();
    });

    it("have the same gradients beside the weights as merged into them, and as differences say", () => {
      stir(bundle);
      assert.ok(
        maxAbsDifference(
          scoresOf(bundle),
          plainly(() => scoresOf(bundle)),
        ) < 1e-5,
      );
      const [merged, beside] = [gradientsOf(bundle), plainly(() => gradientsOf(bundle))];
      let largest = 0;
      for (const [name, values] of merged) {
        const size = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        largest = Math.max(largest, size);
        const off = maxAbsDifference(values, beside.get(name) as Float32Array);
        assert.ok(off < 1e-4 * Math.max(1, size), `${name}: ${off}`);
      }
      assert.ok(largest > 0.01);
      // One entry each of an A and a B, by moving it.
      const total = (): number => scoresOf(bundle).reduce((a, b) => a + b, 0);
      for (const name of [...merged.keys()].filter((key) => key.includes("layers.1.mlp.up"))) {
        const tensor = bundle.weights.get(name);
        const [values, shape] = [tensor.dataSync<"float32">().slice(), tensor.shape];
        const gradient = merged.get(name) as Float32Array;
        const at = gradient.reduce((best, v, i) => (Math.abs(v) > Math.abs(gradient[best]) ? i : best), 0); // prettier-ignore
        const moved = (by: number): number => {
          const other = values.slice();
          other[at] += by;
          bundle.weights.replace(name, tf.tensor(other, shape));
          return total();
        };
        const numeric = (moved(0.02) - moved(-0.02)) / 0.04;
        bundle.weights.replace(name, tf.tensor(values, shape));
        assert.ok(
          Math.abs(numeric - gradient[at]) < 0.02 * Math.abs(gradient[at]) + 1e-3,
          `${name}: ${gradient[at]}, numerically ${numeric}`,
        );
      }
    });

    it("sample what the merged policy samples, and leave no tensor behind", async () => {
      stir(bundle);
      const adapter = join(root, "stirred");
      savePolicy(bundle, adapter, tiny);
      const out = join(root, "stirred-merged");
      mergeAdapter(adapter, out);
      const merged = openPolicy(out);
      const sample = (policy: Policy) =>
        generate(policy, prompts, { group: 2, maxNewTokens: 6, temperature: 0, keys: [1] });
      const tensors = tf.memory().numTensors;
      const [[ours]] = await sample(bundle);
      assert.equal(tf.memory().numTensors, tensors);
      const [[theirs]] = await sample(merged);
      assert.deepEqual(ours.ids, theirs.ids);
      merged.weights.dispose();
    });

    it("come back from their folder, and go on, are added in, or are refused", () => {
      stir(bundle);
      const folder = join(root, "own");
      savePolicy(bundle, folder, tiny);
      assert.ok(readdirSync(folder).includes("tokenizer.json"));
      assert.ok(!readdirSync(folder).includes("config.json"));
      const again = policyToTrain(openPolicy(folder), all, 9);
      for (const name of bundle.weights.adapters?.names ?? []) {
        assert.deepEqual(again.weights.get(name).dataSync(), bundle.weights.get(name).dataSync());
      }
      const expected = scoresOf(again);
      again.weights.dispose();
      const tensors = tf.memory().numTensors;
      const whole = policyToTrain(openPolicy(folder), { ...all, rank: 0 }, 9);
      assert.equal(whole.weights.adapters, undefined);
      assert.ok(maxAbsDifference(scoresOf(whole), expected) < 1e-5);
      whole.weights.dispose();
      assert.equal(tf.memory().numTensors, tensors);
      const opened = openPolicy(folder);
      assert.throws(() => policyToTrain(opened, { ...all, rank: 8 }, 9), /of another kind.*merge/);
      opened.weights.dispose();
    });
  });

  const python = pythonWithTransformers();
  const hasPeft =
    python !== undefined &&
    spawnSync(python, ["-c", "import peft"], { stdio: "ignore" }).status === 0;
  (hasPeft ? it : it.skip)(
    `load in PEFT, which computes the same${hasPeft ? "" : " (skipped: SRPO_TEST_PYTHON names no Python with peft)"}`,
    async () => {
      const base = loadFixture();
      const weights = freshAdapters(base.weights, base.config, all, { base: CHECKPOINT, seed: 5 });
      const policy = { config: base.config, weights };
      stir(policy);
      const folder = join(root, "for-peft");
      savePolicy(policy, folder);
      const script = join(FIXTURES, "policy/make_lora_fixture.py");
      const { stdout, stderr, status } = spawnSync(
        python as string,
        [script, "load", folder, CHECKPOINT],
        { input: JSON.stringify(fixtureCases()), encoding: "utf8" },
      );
      assert.equal(status, 0, stderr);
      const theirs = JSON.parse(stdout) as number[][];
      await agrees(policy, theirs);
      weights.dispose();
    },
  );
});
