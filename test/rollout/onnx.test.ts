import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { loadSpec } from "../../lib/config";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { createRandom } from "../../lib/engine/random";
import { groupBatch } from "../../lib/policy/batch";
import { openPolicy, type PolicyBundle } from "../../lib/policy/bundle";
import type { PolicyConfig } from "../../lib/policy/config";
import { generate } from "../../lib/policy/generate";
import { loadImageProcessor } from "../../lib/policy/image-processor";
import type { Policy } from "../../lib/policy/policy";
import type { GenerateOptions, PreparedPrompt, SampledTokens } from "../../lib/policy/sampling";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import type { Grid } from "../../lib/policy/vision";
import { initialWeights } from "../../lib/policy/weights";
import type { RolloutRequest } from "../../lib/rollout/engine";
import { drawTokens } from "../../lib/rollout/onnx/draw";
import { createOnnxEngine } from "../../lib/rollout/onnx/engine";
import { exportOnnx } from "../../lib/rollout/onnx/export";
import { generateOnnx, prefill } from "../../lib/rollout/onnx/generate";
import { buildModel } from "../../lib/rollout/onnx/model";
import { floats, openSession, type ModelSession } from "../../lib/rollout/onnx/session";
import { openOnnxEngine } from "../../lib/rollout/onnx/open";
import { encodePictures } from "../../lib/rollout/onnx/vision";
import { buildVisionModel } from "../../lib/rollout/onnx/vision-model";
import { createTfjsEngine } from "../../lib/rollout/tfjs";
import { loadProblems } from "../../lib/stages/problems";
import type { Problem } from "../../lib/types";
import {
  BASE_POLICY,
  FIXTURES,
  fixtureCases,
  loadFixture,
  maxAbsDifference,
  prepare,
  randomPrompt,
  temporaryFolder,
} from "../policy/fixture";

/** Float32 sums in another order leave about 1e-5 on logits of size 10; a wrong position moves them by 0.1. */
const TOLERANCE = 1e-4;
const THREADS = 1;

describe("policy on ONNX Runtime", () => {
  const examples = fixtureCases();
  const goldens = examples.map((example) => example.last_logits);
  let policy: Policy;
  let prompts: PreparedPrompt[];
  let session: ModelSession;
  before(async () => {
    await ready();
    policy = loadFixture();
    prompts = examples.map((example) => prepare(policy, example));
    session = await openSession(buildModel(policy), { threads: THREADS });
  });
  after(async () => {
    await session.release();
    policy.weights.dispose();
  });

  const lastLogits = async (
    on: ModelSession,
    some: readonly PreparedPrompt[],
  ): Promise<Float32Array> => {
    const batch = groupBatch(some, undefined, policy.config);
    return (await prefill(on, policy.config, some, batch)).logits.data;
  };

  describe("agrees with transformers", () => {
    const pictures = ["one picture", "two pictures of unequal size", "no picture"];
    pictures.forEach((what, i) => {
      it(`on the logits of a prompt with ${what}`, async () => {
        assert.equal(prompts[i].grids.length, [1, 2, 0][i]);
        const found = await lastLogits(session, [prompts[i]]);
        assert.ok(maxAbsDifference(found, goldens[i]) < TOLERANCE);
      });
    });

    it("on the logits of the three together, which have unequal lengths", async () => {
      assert.equal(new Set(prompts.map(({ ids }) => ids.length)).size, 3);
      const found = await lastLogits(session, prompts);
      assert.ok(maxAbsDifference(found, goldens.flat()) < TOLERANCE);
    });

    it("on greedy tokens, every member of a group alike", async () => {
      const sampled = await generateOnnx(session, policy.config, prompts, {
        group: 2,
        maxNewTokens: 12,
        temperature: 0,
        keys: [0, 1, 2],
      });
      sampled.forEach((members, i) => {
        for (const { ids } of members) assert.deepEqual(ids, examples[i].greedy);
      });
    });

    it("from a file that any ONNX runtime opens", async () => {
      const folder = temporaryFolder();
      exportOnnx(policy, folder);
      const read = await openSession(join(folder, "decoder.onnx"), { threads: THREADS });
      try {
        const found = await lastLogits(read, prompts);
        assert.ok(maxAbsDifference(found, goldens.flat()) < TOLERANCE);
      } finally {
        await read.release();
      }
    });
  });

  describe("samples what tfjs samples", () => {
    /** Ids equal, log-probabilities and entropies close. */
    const assertSame = (found: SampledTokens[][], expected: SampledTokens[][]): void => {
      assert.deepEqual(
        found.flat().map(({ ids, truncated }) => ({ ids, truncated })),
        expected.flat().map(({ ids, truncated }) => ({ ids, truncated })),
      );
      for (const part of ["logprobs", "entropies"] as const) {
        const [a, b] = [found, expected].map((all) => all.flat().flatMap((row) => row[part]));
        assert.ok(maxAbsDifference(a, b) < TOLERANCE, `${part} differ`);
      }
    };
    /** A seventh of the vocabulary ends a completion, so that rows leave the batch all along. */
    const stopIds = Array.from({ length: 45 }, (_unused, i) => 7 * i + 1);
    const options = { group: 5, maxNewTokens: 40, temperature: 1, keys: ["x", "y", "z"] };

    it("token for token over the growth of the cache, when none ends early", async () => {
      const long: GenerateOptions = { ...options, stopIds: [] };
      const found = await generateOnnx(session, policy.config, prompts, long);
      assert.ok(found.flat().every(({ ids, truncated }) => ids.length === 40 && truncated));
      assertSame(found, await generate(policy, prompts, long));
    });

    for (const temperature of [1, 0.7]) {
      it(`token for token while rows end and leave, at temperature ${temperature}`, async () => {
        const ending: GenerateOptions = { ...options, temperature, stopIds };
        const found = await generateOnnx(session, policy.config, prompts, ending);
        const lengths = found.flat().map(({ ids }) => ids.length);
        assert.ok(new Set(lengths).size > 4, `lengths ${lengths}`);
        assertSame(found, await generate(policy, prompts, ending));
      });
    }

    it("with several key/value heads and a head of its own", async () => {
      const { config } = policy;
      const other = { ...config, decoder: { ...config.decoder, kvHeads: 2, tiedHead: false } };
      const random = { config: other, weights: initialWeights(other, createRandom("two heads")) };
      const own = await openSession(buildModel(random), { threads: THREADS });
      try {
        const some = [
          randomPrompt(random, "a", [[1, 4, 6]], 4),
          randomPrompt(random, "b", [], 17),
          randomPrompt(random, "c", [], 3),
        ];
        const ending: GenerateOptions = { ...options, stopIds };
        const found = await generateOnnx(own, other, some, ending);
        assertSame(found, await generate(random, some, ending));
      } finally {
        await own.release();
        random.weights.dispose();
      }
    });

    it("whatever else is in the batch", async () => {
      const ending: GenerateOptions = { ...options, stopIds };
      const [, , together] = await generateOnnx(session, policy.config, prompts, ending);
      const alone = { ...ending, keys: ["z"] };
      assertSame([together], await generateOnnx(session, policy.config, [prompts[2]], alone));
    });
  });

  describe("draws a token", () => {
    /** Two rows of shares 0.1, 0.2, 0.7 and 0.5, 0.25, 0.25; logits may be shifted. */
    const data = Float32Array.from([0.1, 0.2, 0.7, 0.5, 0.25, 0.25], (share, i) =>
      i < 3 ? Math.log(share) : 40 + Math.log(share),
    );
    const draw = (temperature: number, ...uniforms: number[]): number[] =>
      uniforms.map((u) => {
        const rows = { data, size: 3, from: () => 0 };
        return drawTokens(rows, 1, temperature, Float32Array.of(u)).ids[0];
      });

    it("where the number falls among the cumulated shares", () => {
      assert.deepEqual(draw(1, 0, 0.09, 0.11, 0.29, 0.31, 0.9999999), [0, 0, 1, 1, 2, 2]);
    });

    it("from shares sharpened by the temperature: squared and made one again at 0.5", () => {
      const [a, b] = [0.01 / 0.54, 0.05 / 0.54];
      assert.deepEqual(draw(0.5, a - 0.001, a + 0.001, b - 0.001, b + 0.001), [0, 1, 1, 2]);
    });

    it("never one without a share, at either end of the numbers", () => {
      const rows = { data: Float32Array.of(-1e4, 0, -1e4), size: 3, from: () => 0 };
      for (const u of [0, 1 - 2 ** -24]) {
        assert.equal(drawTokens(rows, 1, 1, Float32Array.of(u)).ids[0], 1);
      }
    });

    it("and tells log-probability and entropy at temperature 1, also of the most likely", () => {
      const { ids, logprobs, entropies } = drawTokens({ data, size: 3, from: (row) => row }, 2, 0);
      assert.deepEqual(Array.from(ids), [2, 0]);
      assert.ok(maxAbsDifference(logprobs, [Math.log(0.7), Math.log(0.5)]) < 1e-5);
      const entropy = -(0.1 * Math.log(0.1) + 0.2 * Math.log(0.2) + 0.7 * Math.log(0.7));
      assert.ok(maxAbsDifference(entropies, [entropy, 1.5 * Math.log(2)]) < 1e-5);
    });
  });

  describe("is a good citizen", () => {
    it("stops between two tokens when the signal fires, and lets timers run meanwhile", async () => {
      const controller = new AbortController();
      let turns = 0;
      const count = (): void => {
        if (++turns === 5) controller.abort();
        else setImmediate(count);
      };
      setImmediate(count);
      await assert.rejects(
        generateOnnx(session, policy.config, prompts, {
          group: 2,
          maxNewTokens: 10_000,
          temperature: 1,
          keys: [0, 1, 2],
          stopIds: [],
          signal: controller.signal,
        }),
        { name: "AbortError" },
      );
      assert.equal(turns, 5);
    });

    it("names the tensor that the runtime refuses, and what would fit", async () => {
      const refused = async (change: Parameters<ModelSession["run"]>[0]): Promise<string> => {
        // The prefill's own inputs, one of them changed.
        const changed: ModelSession = {
          ...session,
          run: (feeds) => session.run({ ...feeds, ...change }),
        };
        const error: unknown = await lastLogits(changed, [prompts[2]]).catch((e: unknown) => e);
        assert.ok(error instanceof LabError);
        return error.message;
      };
      const features = await refused({ image_features: floats(new Float32Array(31), 1, 31) });
      assert.match(features, /got "image_features: float32 \[1, 31\]", expected .*\[n, 32\]/);
      const mask = await refused({ mask: floats(new Float32Array(81), 1, 1, 9, 9) });
      assert.match(mask, /got "mask: float32 \[1, 1, 9, 9\]", expected .*T = 10/);
      const floatIds = await refused({ input_ids: floats(new Float32Array(10), 1, 1, 10) });
      assert.match(floatIds, /got "input_ids: float32 .*expected input_ids: int32/);
    });

    it("says so when bytes are no model", async () => {
      await assert.rejects(openSession(new Uint8Array(64).fill(7)), LabError);
    });

    it("refuses weights beyond what one file holds", () => {
      const huge = { ...policy.config.decoder, hiddenSize: 2 ** 16 };
      const weights = {
        ...policy.weights,
        get: () => ({ size: 2 ** 28 }) as ReturnType<typeof policy.weights.get>,
      };
      assert.throws(
        () => buildModel({ config: { ...policy.config, decoder: huge }, weights }),
        /do not fit into one ONNX file/,
      );
    });
  });
});

describe("vision tower on ONNX Runtime", () => {
  let policy: Policy;
  let session: ModelSession;
  before(async () => {
    await ready();
    policy = loadFixture();
    session = await openSession(buildVisionModel(policy), { threads: THREADS });
  });
  after(async () => {
    await session.release();
    policy.weights.dispose();
  });
  const encode = (pixels: Float32Array, grids: readonly Grid[]): Promise<Float32Array> =>
    encodePictures(session, policy.config.vision, pixels, grids);

  it("encodes pictures of several windows as transformers does", async () => {
    const golden = JSON.parse(readFileSync(join(FIXTURES, "policy/vision.json"), "utf8")) as {
      grids: Grid[];
      tokens: number[][];
    };
    const patches = golden.grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
    const pixels = Float32Array.from({ length: patches * 384 }, (_unused, i) =>
      Math.sin(i * 0.7 + i * i * 1e-7),
    );
    const features = await encode(pixels, golden.grids);
    const ours = golden.tokens.map((_unused, i) => [...features.slice(i * 32, i * 32 + 4)]);
    assert.ok(maxAbsDifference(ours.flat(), golden.tokens.flat()) < TOLERANCE);
  });

  it("encodes pictures of unequal grids as tfjs does, one and all", async () => {
    const grids: Grid[] = [
      [1, 8, 6],
      [1, 2, 2],
      [1, 4, 14],
      [1, 12, 12],
    ];
    const { pixels, features } = randomPrompt(policy, "tower", grids);
    assert.ok(maxAbsDifference(await encode(pixels, grids), features) < TOLERANCE);
    const alone = randomPrompt(policy, "tower", [grids[3]]);
    assert.ok(maxAbsDifference(await encode(alone.pixels, [grids[3]]), alone.features) < TOLERANCE);
    assert.equal((await encode(new Float32Array(0), [])).length, 0);
  });
});

describe("an exported policy", () => {
  const folder = temporaryFolder();
  let bundle: PolicyBundle;
  before(async () => {
    await ready();
    bundle = openPolicy(BASE_POLICY);
    exportOnnx(bundle, folder);
  });
  after(() => bundle.weights.dispose());

  it("takes pictures to the same greedy tokens as tfjs, on 100 prompts", async () => {
    const count = 100;
    const problems = await loadProblems(
      { problems: { ...loadSpec().problems, test: count } },
      "test",
    );
    const engine = await openOnnxEngine(folder, { threads: THREADS });
    try {
      assert.equal(engine.name, "onnx/cpu");
      const request: RolloutRequest = {
        ...{ style: "direct", group: 1, maxNewTokens: 48, temperature: 0, seed: 0 },
      };
      const found = await engine.rollout(problems, request);
      const expected = await createTfjsEngine(bundle).rollout(problems, request);
      assert.equal(new Set(expected.map(([{ text }]) => text)).size > count / 2, true);
      found.forEach(([{ ids, text }], i) => {
        assert.deepEqual(ids, expected[i][0].ids, problems[i].id);
        assert.equal(text, expected[i][0].text);
      });
    } finally {
      await engine.close();
    }
    await assert.rejects(
      engine.rollout(problems, { ...({} as RolloutRequest) }),
      /engine is closed/,
    );
  });

  it("says what is missing: a device, a file", async () => {
    await assert.rejects(
      openOnnxEngine(folder, { device: "cuda" }),
      /no CUDA provider.*|does not start on cuda/,
    );
    await assert.rejects(openOnnxEngine(join(folder, "nowhere")), LabError);
    rmSync(join(folder, "decoder.onnx"));
    await assert.rejects(openOnnxEngine(folder), LabError);
  });
});

describe("createOnnxEngine", () => {
  const tokenizer = loadTokenizer(BASE_POLICY);
  const processor = loadImageProcessor(BASE_POLICY);
  const picture = (name: string): string => join(FIXTURES, "policy/images", name);
  const problems = [
    problem("a", "How many bars?", [picture("exact.png")]),
    problem("b", "Which is larger?", [picture("grey.png"), picture("exact.png")]),
    problem("c", "What is two and two?", []),
  ];
  const request: RolloutRequest = {
    style: "reflect",
    group: 3,
    maxNewTokens: 12,
    temperature: 1,
    seed: "s",
    batch: 2,
  };
  let bundle: PolicyBundle;
  before(async () => {
    await ready();
    const config = smallConfig(tokenizer);
    const weights = initialWeights(config, createRandom("engine"));
    bundle = { config, weights, tokenizer, processor, folder: BASE_POLICY };
  });
  after(() => bundle.weights.dispose());

  it("completes problems as the tfjs engine does, before and after an update of the weights", async () => {
    const tfjs = createTfjsEngine(bundle);
    const onnx = createOnnxEngine(bundle, { name: "onnx/test", threads: THREADS });
    assert.equal(onnx.name, "onnx/test");
    try {
      const texts: string[] = [];
      for (const change of [1, -3]) {
        const gain = bundle.weights.get("model.norm.weight");
        bundle.weights.replace("model.norm.weight", gain.mul(change));
        const done: number[] = [];
        const found = await onnx.rollout(problems, {
          ...request,
          onProgress: (count) => done.push(count),
        });
        const expected = await tfjs.rollout(problems, request);
        assert.deepEqual(done, [2, 3]);
        assert.deepEqual(
          found.flat().map(({ ids, text, truncated }) => ({ ids, text, truncated })),
          expected.flat().map(({ ids, text, truncated }) => ({ ids, text, truncated })),
        );
        const [a, b] = [found, expected].map((all) => all.flat().flatMap((row) => row.logprobs));
        assert.ok(maxAbsDifference(a, b) < TOLERANCE);
        texts.push(JSON.stringify(found));
      }
      assert.notEqual(texts[0], texts[1]);
    } finally {
      await onnx.close();
    }
  });

  it("leaves no tensor of tfjs behind, lets a rollout end before it closes, and then is closed", async () => {
    const before = tf.memory().numTensors;
    const onnx = createOnnxEngine(bundle, { threads: THREADS });
    const [rows] = await Promise.all([
      onnx.rollout([problems[2]], request),
      onnx.rollout([], request),
    ]);
    assert.equal(rows[0].length, 3);
    await onnx.close();
    assert.equal(tf.memory().numTensors, before);
    await assert.rejects(onnx.rollout(problems, request), /onnx\.rollout: the engine is closed/);
    await onnx.close();
  });

  it("holds one session of the runtime at a time, and none when closed", async () => {
    const create = InferenceSession.create;
    let [made, live] = [0, 0];
    const counted = async (model: Uint8Array): Promise<InferenceSession> => {
      const session = await create.call(InferenceSession, model);
      const release = session.release.bind(session);
      session.release = async () => {
        await release();
        live--;
      };
      made++;
      assert.equal(++live, 1);
      return session;
    };
    Object.assign(InferenceSession, { create: counted });
    try {
      const onnx = createOnnxEngine(bundle, { threads: THREADS });
      const ask = { ...request, group: 1, maxNewTokens: 1 };
      await onnx.rollout([problems[2]], ask);
      await onnx.rollout([problems[2]], ask);
      assert.deepEqual([made, live], [1, 1]);
      bundle.weights.replace("model.norm.weight", tf.ones([32]));
      await onnx.rollout([problems[2]], ask);
      assert.deepEqual([made, live], [2, 1]);
      await onnx.close();
      assert.deepEqual([made, live], [2, 0]);
    } finally {
      Object.assign(InferenceSession, { create });
    }
  });
});

function problem(id: string, question: string, images: string[]): Problem {
  return {
    id,
    question,
    images,
    answer: "4",
    answerType: "number",
    family: "test",
    level: 1,
    subject: "test",
    source: "test",
  };
}

/** A policy of random weights for the embedded tokenizer and image processor. */
function smallConfig(tokenizer: ReturnType<typeof loadTokenizer>): PolicyConfig {
  return {
    decoder: {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 32,
      intermediateSize: 48,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headDim: 8,
      rmsNormEps: 1e-6,
      ropeTheta: 10_000,
      mropeSection: [1, 2, 1],
      tiedHead: true,
      maxPositions: 512,
      eosTokenId: tokenizer.endId,
      padTokenId: tokenizer.padId,
    },
    vision: {
      depth: 1,
      hiddenSize: 16,
      intermediateSize: 24,
      heads: 2,
      channels: 3,
      patchSize: 14,
      temporalPatchSize: 2,
      mergeSize: 2,
      windowSize: 56,
      fullAttentionBlocks: [0],
      outputSize: 32,
    },
    imageTokenId: tokenizer.idOf("<|image_pad|>"),
    videoTokenId: -1,
    visionStartTokenId: tokenizer.idOf("<|vision_start|>"),
    visionEndTokenId: tokenizer.idOf("<|vision_end|>"),
  };
}
