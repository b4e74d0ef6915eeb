import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { policyToTrain } from "../../lib/policy/bundle";
import { groupBatch } from "../../lib/policy/batch";
import { memoryNeed, parameterCount, trainedCount } from "../../lib/policy/memory";
import { checkParity, readParityCases } from "../../lib/policy/parity";
import { completionLogprobs } from "../../lib/policy/policy";
import { syntheticPolicy } from "../../lib/perf/synthetic";
import { lossAndGradients } from "../../lib/train/optimizer";
import { trainedNames } from "../../lib/train/state";
import { LORA_TARGETS } from "../../lib/policy/lora";
import { FIXTURES, pythonWithTransformers, temporaryFolder } from "./fixture";

describe("a policy of the published models' kind", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  before(() => ready());

  const python = pythonWithTransformers();
  const without = " (skipped: SRPO_TEST_PYTHON names no Python with transformers)";
  for (const [dtype, tied] of [
    ["bfloat16", ""],
    ["float16", "tied"],
  ]) {
    (python === undefined ? it.skip : it)(
      `in ${dtype} shards${tied && ", its head tied,"} computes what transformers computes${python === undefined ? without : ""}`,
      async () => {
        const folder = join(root, dtype);
        const script = join(FIXTURES, "policy/make_lora_fixture.py");
        const { stderr, status } = spawnSync(
          python as string,
          [script, "real", folder, dtype, tied],
          {
            encoding: "utf8",
          },
        );
        assert.equal(status, 0, stderr);
        const shards = readdirSync(folder).filter((name) => /-of-\d+\.safetensors$/.test(name));
        assert.ok(shards.length > 2, `${shards}`);
        const policy = loadPolicy(folder);
        assert.equal(policy.weights.size, parameterCount(policy.config));
        assert.equal(policy.config.decoder.tiedHead, tied === "tied");
        assert.equal(policy.config.decoder.headDim, 128);
        for (const example of readParityCases(join(folder, "case.json"))) {
          const { maxAbsLogit, maxAbsLogprob, greedyEqual } = await checkParity(policy, example);
          assert.ok(maxAbsLogit < 2e-4 && maxAbsLogprob < 2e-4, `${maxAbsLogit} ${maxAbsLogprob}`);
          assert.ok(greedyEqual);
        }
        policy.weights.dispose();
      },
    );
  }

  describe("its memory", () => {
    const lengths = { promptTokens: 40, completionTokens: 24 };
    for (const fused of [false, true]) {
      for (const [rank, gradientCheckpointing] of [
        [0, false],
        [4, false],
        [0, true],
        [4, true],
      ] as const) {
        it(`is what was computed: ${rank === 0 ? "all weights" : "adapters"}, ${fused ? "fused operations" : "tfjs's own"}${gradientCheckpointing ? ", checkpointed" : ""}`, () => {
          if (!fused) process.env.SRPO_FUSED = "0";
          const lora = { rank, alpha: 8, targets: [...LORA_TARGETS] };
          const bundle = policyToTrain(syntheticPolicy({ hidden: 256, layers: 4 }), lora, 1);
          try {
            const need = memoryNeed(bundle.config, {
              ...{ lora, ...lengths, microBatch: 4, group: 4, patches: 0 },
              ...{ rolloutPrompts: 0, reference: false, gradientCheckpointing },
            });
            const names = trainedNames(bundle);
            const numbers = names.reduce((sum, name) => sum + bundle.weights.get(name).size, 0);
            assert.equal(numbers, trainedCount(bundle.config, lora));
            const ids = (n: number): number[] => Array.from({ length: n }, (_unused, i) => 3 + (i % 90)); // prettier-ignore
            const prompts = Array.from({ length: 4 }, () => ({ ids: ids(40), grids: [] }));
            const completions = prompts.map(() => Array.from({ length: 4 }, () => ids(24)));
            const batch = groupBatch(prompts, completions, bundle.config);
            const before = tf.memory().numBytes;
            // What the engine reports after each operation, at most.
            let peak = 0;
            const engine = tf.engine();
            const run = engine.runKernel;
            engine.runKernel = function <T>(this: typeof engine, ...args: Parameters<typeof run>) {
              const result = run.apply(this, args) as T;
              peak = Math.max(peak, tf.memory().numBytes);
              return result;
            } as typeof run;
            try {
              const { gradients } = lossAndGradients(bundle.weights, names, () =>
                completionLogprobs({ ...bundle, gradientCheckpointing }, batch, undefined).sum(),
              );
              tf.dispose(gradients);
            } finally {
              engine.runKernel = run;
            }
            const computed = need.phases.update - need.weights - need.moments;
            const ratio = computed / (peak - before);
            // Never far too little; more where tfjs frees early what is counted until the end.
            // Checkpointed, a policy this small leaves little but the head's logits, counted at their largest.
            const most = gradientCheckpointing ? 2.5 : 2;
            assert.ok(ratio > 0.85 && ratio < most, `computed ${computed}, taken ${peak - before}`);
          } finally {
            delete process.env.SRPO_FUSED;
            bundle.weights.dispose();
          }
        });
      }
    }
  });
});
