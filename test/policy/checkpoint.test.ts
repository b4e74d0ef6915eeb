import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { createRandom } from "../../lib/engine/random";
import { readSafetensors, writeSafetensors } from "../../lib/engine/safetensors";
import { openPolicy } from "../../lib/policy/bundle";
import { loadPolicy, savePolicy } from "../../lib/policy/checkpoint";
import {
  formatPolicyConfig,
  parsePolicyConfig,
  readPolicyConfig,
  type PolicyConfig,
} from "../../lib/policy/config";
import { checkParity } from "../../lib/policy/parity";
import type { Policy } from "../../lib/policy/policy";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { initialWeights, parameterShapes } from "../../lib/policy/weights";
import {
  BASE_POLICY,
  CHECKPOINT,
  FIXTURES,
  fixtureCases,
  loadFixture,
  maxAbsDifference,
  pythonWithTransformers,
  scoreCompletions,
  temporaryFolder,
} from "./fixture";

type Json = Record<string, unknown>;
const readJson = (path: string): Json => JSON.parse(readFileSync(path, "utf8")) as Json;

describe("checkpoints", () => {
  const root = temporaryFolder();
  let trial = 0;
  /** A writable copy of the fixture's checkpoint. */
  const copy = (): string => {
    const folder = join(root, `checkpoint-${trial++}`);
    cpSync(CHECKPOINT, folder, { recursive: true });
    return folder;
  };
  let policy: Policy;
  before(async () => {
    await ready();
    policy = loadFixture();
  });
  after(() => policy.weights.dispose());

  const equalWeights = (ours: Policy, theirs: Policy): void => {
    assert.deepEqual(ours.weights.names, theirs.weights.names);
    for (const name of ours.weights.names) {
      const [a, b] = [ours, theirs].map(({ weights }) => weights.get(name));
      assert.deepEqual(a.shape, b.shape);
      assert.deepEqual(Buffer.from(a.dataSync().buffer), Buffer.from(b.dataSync().buffer), name);
    }
  };

  it("come back bit for bit, configuration and weights", () => {
    const folder = join(root, "saved");
    savePolicy(policy, folder, CHECKPOINT);
    const files = ["config.json", "generation_config.json", "model.safetensors"];
    assert.deepEqual(readdirSync(folder).sort(), files);
    const loaded = loadPolicy(folder);
    assert.deepEqual(loaded.config, policy.config);
    equalWeights(loaded, policy);
    // Saved over itself, companions from the same folder included.
    savePolicy(loaded, folder, folder);
    loaded.weights.dispose();
    const again = loadPolicy(folder);
    equalWeights(again, policy);
    again.weights.dispose();
  });

  it("keep numbers that only bits can tell: −0, subnormals, the largest", () => {
    const loaded = loadPolicy(CHECKPOINT);
    const odd = [-0, 1e-45, -1e-40, 3.4028234663852886e38, Math.fround(0.1)];
    const values = Float32Array.from({ length: 32 }, (_unused, i) => odd[i % odd.length]);
    loaded.weights.replace("model.norm.weight", tf.tensor1d(values));
    const folder = join(root, "odd");
    savePolicy(loaded, folder);
    const stored = readSafetensors(join(folder, "model.safetensors")).tensors["model.norm.weight"];
    assert.deepEqual(
      Buffer.from(Float32Array.from(stored.data).buffer),
      Buffer.from(values.buffer),
    );
    const again = loadPolicy(folder);
    equalWeights(again, loaded);
    again.weights.dispose();
    loaded.weights.dispose();
  });

  it("hold an untied head", () => {
    const config = { ...policy.config, decoder: { ...policy.config.decoder, tiedHead: false } };
    const untied = { config, weights: initialWeights(config, createRandom(1)) };
    const folder = join(root, "untied");
    savePolicy(untied, folder);
    const loaded = loadPolicy(folder);
    assert.ok(loaded.weights.names.includes("lm_head.weight"));
    assert.equal(loaded.config.decoder.tiedHead, false);
    equalWeights(loaded, untied);
    loaded.weights.dispose();
    untied.weights.dispose();
  });

  it("are read under the names of transformers 5 too", () => {
    const folder = copy();
    const path = join(folder, "model.safetensors");
    const { tensors } = readSafetensors(path);
    const renamed = Object.entries(tensors).map(([name, tensor]) => {
      const canonical = name
        .replace(/^model\.language_model\./, "model.")
        .replace(/^model\.visual\./, "visual.");
      return [
        canonical.startsWith("visual.")
          ? `model.${canonical}`
          : canonical.replace(/^model\./, "model.language_model."),
        tensor,
      ];
    });
    writeSafetensors(path, Object.fromEntries(renamed), { format: "pt" });
    const loaded = loadPolicy(folder);
    equalWeights(loaded, policy);
    loaded.weights.dispose();
  });

  it("are read in the flat layout of the published models", () => {
    const nested = readJson(join(CHECKPOINT, "config.json"));
    const { rope_parameters: rope, ...text } = nested.text_config as Json & {
      rope_parameters: Json;
    };
    const { text_config: _unused, ...top } = nested;
    const flat = {
      ...text,
      ...top,
      rope_theta: rope.rope_theta,
      rope_scaling: { type: "mrope", mrope_section: rope.mrope_section },
    };
    assert.deepEqual(parsePolicyConfig(flat), policy.config);
  });

  it("start from weights that depend on the seed alone, with unit gains and no bias", () => {
    const weights = [7, 7, 8].map((seed) => initialWeights(policy.config, createRandom(seed)));
    const [a, b, c] = weights.map((w) => ({ config: policy.config, weights: w }));
    equalWeights(a, b);
    assert.throws(() => equalWeights(a, c));
    const of = (name: string): Float32Array => a.weights.get(name).dataSync<"float32">();
    assert.ok(of("model.layers.0.self_attn.q_proj.bias").every((v) => v === 0));
    assert.ok(of("visual.merger.ln_q.weight").every((v) => v === 1));
    const square = (name: string): number =>
      of(name).reduce((sum, v) => sum + v * v, 0) / of(name).length;
    // 32 inputs; down_proj writes into the residual stream of 3 layers, from 56 inputs. 1,792 numbers: ± 10 %.
    assert.ok(Math.abs(square("model.layers.0.mlp.gate_proj.weight") * 32 - 1) < 0.1);
    assert.ok(Math.abs(square("model.layers.0.mlp.down_proj.weight") * 56 * 6 - 1) < 0.1);
    const scores = scoreCompletions(
      a,
      [{ ids: [5, 6], grids: [], features: new Float32Array() }],
      [[[7, 8]]],
    );
    assert.ok(scores.every((score) => Math.abs(score + Math.log(320)) < 1));
    weights.forEach((w) => w.dispose());
  });

  it("count their parameters as their file does", () => {
    const { tensors } = readSafetensors(join(CHECKPOINT, "model.safetensors"));
    const total = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
    assert.equal(policy.weights.size, total);
    assert.deepEqual(Object.keys(parameterShapes(policy.config)), policy.weights.names);
  });

  const python = pythonWithTransformers();
  const without = " (skipped: SRPO_TEST_PYTHON names no Python with transformers)";
  (python === undefined ? it.skip : it)(
    `load in Python's transformers, which computes the same${python === undefined ? without : ""}`,
    async function () {
      this.timeout(120_000);
      // Moved away from the fixture, so that reading an old file would show, and with the tokenizer's files beside.
      const moved = loadPolicy(CHECKPOINT);
      const name = "model.layers.1.mlp.down_proj.weight";
      moved.weights.replace(
        name,
        tf.tidy(() => moved.weights.get(name).mul(-1)),
      );
      const folder = join(root, "for-python");
      savePolicy(moved, folder, BASE_POLICY);
      const script = join(FIXTURES, "policy/load_saved.py");
      const cases = fixtureCases();
      const { stdout, stderr, status } = spawnSync(python as string, [script, folder], {
        input: JSON.stringify(cases),
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
      const theirs = JSON.parse(stdout) as Record<string, string[]> & {
        last_logits: number[][];
        tokens: number[];
      };
      for (const key of ["missing", "unexpected", "mismatched"]) assert.deepEqual(theirs[key], []);
      for (const [i, example] of cases.entries()) {
        const last_logits = theirs.last_logits[i];
        const { maxAbsLogit } = await checkParity(moved, { ...example, last_logits });
        assert.ok(maxAbsLogit < 1e-4, `logits differ by ${maxAbsLogit}`);
        assert.ok(maxAbsDifference(last_logits, example.last_logits) > 1e-2);
      }
      assert.deepEqual(theirs.tokens, loadTokenizer(folder).encode("Bar A is at 34."));
      moved.weights.dispose();
    },
  );

  describe("that are broken", () => {
    /** The error names the file and every tensor is given back. */
    const refuses = (work: () => unknown, ...words: (string | RegExp)[]): void => {
      const tensors = tf.memory().numTensors;
      assert.throws(work, (error: Error) => {
        assert.ok(error instanceof LabError, `${error.name}: ${error.message}`);
        for (const word of words) {
          const found = typeof word === "string" ? error.message.includes(word) : word.test(error.message); // prettier-ignore
          assert.ok(found, `${error.message} should say ${word}`);
        }
        return true;
      });
      assert.equal(tf.memory().numTensors, tensors);
    };

    it("have no folder, no config.json or no weights", () => {
      const missing = join(root, "nowhere");
      refuses(() => loadPolicy(missing), missing, "config.json");
      const noConfig = copy();
      rmSync(join(noConfig, "config.json"));
      refuses(() => loadPolicy(noConfig), noConfig, "config.json");
      const noWeights = copy();
      rmSync(join(noWeights, "model.safetensors"));
      refuses(() => loadPolicy(noWeights), noWeights, "model.safetensors");
    });

    it("have a config.json that is cut short, no object or of another model", () => {
      const folder = copy();
      const path = join(folder, "config.json");
      const whole = readFileSync(path, "utf8");
      for (const content of ["", whole.slice(0, 100), "null", "[]", '"qwen2_5_vl"', "{}"]) {
        writeFileSync(path, content);
        refuses(() => readPolicyConfig(folder), path);
      }
      writeFileSync(path, JSON.stringify({ ...JSON.parse(whole), model_type: "llama" }));
      refuses(() => loadPolicy(folder), path, "model_type", "llama");
    });

    it("have a config.json with a wrong or missing number", () => {
      const folder = copy();
      const path = join(folder, "config.json");
      const whole = readJson(path);
      const text = (change: Json): Json => ({ text_config: { ...(whole.text_config as Json), ...change } }); // prettier-ignore
      const visual = (change: Json): Json => ({ vision_config: { ...(whole.vision_config as Json), ...change } }); // prettier-ignore
      const wrong: [Json, string][] = [
        [text({ hidden_size: undefined }), "hidden_size"],
        [text({ vocab_size: "320" }), "vocab_size"],
        [text({ num_key_value_heads: 3 }), "num_key_value_heads"],
        [text({ rope_parameters: { rope_theta: 1e6 } }), "mrope_section"],
        [text({ rope_parameters: { rope_theta: 1e6, mrope_section: [1, 1, 1] } }), "mrope_section"],
        [visual({ out_hidden_size: 48 }), "out_hidden_size"],
        [visual({ num_heads: 5 }), "num_heads"],
        [{ vision_config: undefined }, "vision_config"],
        [{ image_token_id: undefined }, "image_token_id"],
      ];
      for (const [change, key] of wrong) {
        writeFileSync(path, JSON.stringify({ ...whole, ...change }));
        refuses(() => loadPolicy(folder), path, key);
      }
    });

    it("have weights that are cut short, wherever", () => {
      const folder = copy();
      const path = join(folder, "model.safetensors");
      const size = readFileSync(path).length;
      for (const length of [size - 1, size >> 1, 2000, 7, 0]) {
        truncateSync(path, length);
        refuses(() => loadPolicy(folder), path);
      }
    });

    it("have weights of another shape, or lack one", () => {
      const folder = copy();
      const path = join(folder, "model.safetensors");
      const { tensors } = readSafetensors(path);
      const last = Object.keys(tensors).find((name) => name.endsWith("norm.weight")) as string;
      const { [last]: one, ...others } = tensors;
      const short = { shape: [one.shape[0] - 1], data: one.data.slice(1) };
      writeSafetensors(path, { ...others, [last]: short });
      refuses(() => loadPolicy(folder), folder, "norm.weight");
      writeSafetensors(path, others);
      refuses(() => loadPolicy(folder), folder, "norm.weight");
      // The same numbers under another configuration.
      const config = copy();
      const json = readJson(join(config, "config.json"));
      (json.text_config as Json).intermediate_size = 64;
      writeFileSync(join(config, "config.json"), JSON.stringify(json));
      refuses(() => loadPolicy(config), config, "gate_proj", "config.json");
    });
  });

  describe("opened whole", () => {
    /** A policy that fits the embedded tokenizer, with its files beside. */
    const whole = (change: (policy: Policy["config"]) => void = () => undefined): string => {
      const tokenizer = loadTokenizer(BASE_POLICY);
      const config = structuredClone(policy.config);
      config.decoder.vocabSize = tokenizer.vocabSize;
      config.decoder.eosTokenId = tokenizer.endId;
      config.vision.patchSize = 14;
      config.imageTokenId = tokenizer.idOf("<|image_pad|>");
      config.visionStartTokenId = tokenizer.idOf("<|vision_start|>");
      config.visionEndTokenId = tokenizer.idOf("<|vision_end|>");
      change(config);
      const folder = join(root, `whole-${trial++}`);
      const weights = initialWeights(config, createRandom(folder.length));
      savePolicy({ config, weights }, folder, BASE_POLICY);
      weights.dispose();
      return folder;
    };
    const refuses = (folder: string, ...words: string[]): void => {
      const tensors = tf.memory().numTensors;
      assert.throws(
        () => openPolicy(folder),
        (error: Error) =>
          error instanceof LabError && words.every((word) => error.message.includes(word)),
      );
      assert.equal(tf.memory().numTensors, tensors);
    };

    it("have tokenizer, processor and weights that belong together", () => {
      const folder = whole();
      const bundle = openPolicy(folder);
      assert.equal(bundle.folder, folder);
      assert.equal(bundle.tokenizer.vocabSize, bundle.config.decoder.vocabSize);
      const copied = join(root, "copied");
      savePolicy(bundle, copied, bundle.folder);
      assert.deepEqual(readdirSync(copied).sort(), readdirSync(folder).sort());
      bundle.weights.dispose();
      const again = openPolicy(copied);
      again.weights.dispose();
    });

    it("are refused when the tokenizer does not fit, and give their tensors back", () => {
      refuses(
        whole((config) => void config.decoder.vocabSize--),
        "tokenizer",
        "vocab_size",
      );
      refuses(
        whole((config) => void config.imageTokenId--),
        "image_token_id",
      );
      refuses(
        whole((config) => void (config.visionEndTokenId = 5)),
        "vision_end_token_id",
      );
    });

    it("are refused when the image processor does not fit", () => {
      refuses(
        whole((config) => void (config.vision.patchSize = 8)),
        "preprocessor_config.json",
      );
    });

    it("are refused when a file is missing or broken, by its name", () => {
      for (const file of ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"]) {
        const folder = whole();
        writeFileSync(join(folder, file), "{");
        refuses(folder, join(folder, file));
        rmSync(join(folder, file));
        refuses(folder, join(folder, file));
      }
      const empty = join(root, "empty");
      mkdirSync(empty);
      refuses(empty, empty);
    });
  });

  it("write a config.json that reads as what was written", () => {
    const json = JSON.parse(JSON.stringify(formatPolicyConfig(policy.config))) as Json;
    assert.deepEqual(parsePolicyConfig(json), policy.config);
  });

  it("keep a head size that does not follow from the hidden size", () => {
    const { decoder } = policy.config;
    const changed: PolicyConfig = {
      ...policy.config,
      decoder: { ...decoder, headDim: 2 * decoder.headDim, mropeSection: twice(decoder) },
    };
    assert.deepEqual(parsePolicyConfig(formatPolicyConfig(changed)), changed);
    assert.ok(!("head_dim" in (formatPolicyConfig(policy.config).text_config as Json)));
  });
});

function twice({ mropeSection: [t, h, w] }: PolicyConfig["decoder"]): [number, number, number] {
  return [2 * t, 2 * h, 2 * w];
}
