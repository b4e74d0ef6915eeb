import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { checkParity, readParityCases, type ParityCase } from "../../lib/policy/parity";
import type { Policy } from "../../lib/policy/policy";
import {
  CASES,
  CHECKPOINT,
  fixtureCases,
  loadFixture,
  SHARED_PARITY,
  temporaryFolder,
} from "./fixture";

/**
 * The contract is 2e-3 for logits and 1e-3 for log-probabilities. Both sides compute in float32 with sums in another
 * order: at logits of size 10 over three layers that leaves about 1e-5, and the tests ask for 1e-4. A wrong rotation,
 * window or position moves the logits of these wide random weights by more than 0.1 (last test).
 */
const TOLERANCE = 1e-4;

describe("parity with transformers", () => {
  const folders: [string, string, string][] = [
    ["the fixture", CHECKPOINT, CASES],
    ["the shared case", join(SHARED_PARITY, "checkpoint"), join(SHARED_PARITY, "case.json")],
  ];
  before(() => ready());

  for (const [name, folder, file] of folders) {
    const present = existsSync(file);
    describe(present ? name : `${name} (skipped: no ../shared/parity beside the checkout)`, () => {
      let policy: Policy;
      before(function () {
        if (!present) return this.skip();
        policy = loadPolicy(folder);
      });
      after(() => policy?.weights.dispose());
      const pictures = ["one picture", "two pictures of unequal size", "no picture"];
      pictures.forEach((what, i) => {
        it(`logits, log-probabilities and greedy tokens agree with ${what}`, async () => {
          const example = readParityCases(file)[i];
          assert.equal(example.image_grid_thw.length, [1, 2, 0][i]);
          const { maxAbsLogit, maxAbsLogprob, greedyEqual } = await checkParity(policy, example);
          assert.ok(maxAbsLogit < TOLERANCE, `logits differ by ${maxAbsLogit}`);
          assert.ok(maxAbsLogprob < TOLERANCE, `log-probabilities differ by ${maxAbsLogprob}`);
          assert.ok(greedyEqual);
        });
      });
    });
  }

  describe("would notice", () => {
    let policy: Policy;
    before(() => {
      policy = loadFixture();
    });
    after(() => policy.weights.dispose());
    const withVision = (change: Partial<Policy["config"]["vision"]>): Policy => ({
      weights: policy.weights,
      config: { ...policy.config, vision: { ...policy.config.vision, ...change } },
    });
    const withDecoder = (change: Partial<Policy["config"]["decoder"]>): Policy => ({
      weights: policy.weights,
      config: { ...policy.config, decoder: { ...policy.config.decoder, ...change } },
    });
    const slips: [string, () => Policy][] = [
      ["windows of another size", () => withVision({ windowSize: 32 })],
      ["full attention in another block", () => withVision({ fullAttentionBlocks: [0] })],
      ["frequencies shared out otherwise", () => withDecoder({ mropeSection: [2, 1, 1] })],
      ["another rotary base", () => withDecoder({ ropeTheta: 10_000 })],
      ["another epsilon", () => withDecoder({ rmsNormEps: 1e-2 })],
    ];
    for (const [what, slip] of slips) {
      it(what, async () => {
        const { maxAbsLogit } = await checkParity(slip(), fixtureCases()[0]);
        assert.ok(maxAbsLogit > 20 * TOLERANCE, `logits differ by ${maxAbsLogit} only`);
      });
    }

    it("a changed last token, a changed pixel and a swapped picture", async () => {
      const [, two] = fixtureCases();
      const changed = (change: Partial<ParityCase>): ParityCase => ({ ...two, ...change });
      const pixels = two.pixel_values as number[];
      const half = pixels.length / 2;
      const others = [
        changed({
          input_ids: two.input_ids.map((id, i) => (i === two.input_ids.length - 1 ? id + 1 : id)),
        }),
        changed({ pixel_values: pixels.map((value, i) => (i === 7 ? value + 1 : value)) }),
        changed({ pixel_values: [...pixels.slice(half), ...pixels.slice(0, half)] }),
      ];
      for (const other of others) {
        const { maxAbsLogit } = await checkParity(policy, other);
        assert.ok(maxAbsLogit > TOLERANCE, `logits differ by ${maxAbsLogit} only`);
      }
    });

    it("leaves no tensor behind", async () => {
      const [example] = fixtureCases();
      await checkParity(policy, example);
      const tensors = tf.memory().numTensors;
      await checkParity(policy, example);
      assert.equal(tf.memory().numTensors, tensors);
    });
  });

  describe("case files", () => {
    const folder = temporaryFolder();
    it("that are missing, broken or something else are named", () => {
      const path = join(folder, "cases.json");
      assert.throws(() => readParityCases(path), new RegExp(path));
      for (const content of ["[{", "{}", "null", '[{"input_ids": 3}]', "[null]"]) {
        writeFileSync(path, content);
        assert.throws(
          () => readParityCases(path),
          (error: Error) => error instanceof LabError && error.message.includes(path),
          content,
        );
      }
    });
  });
});
