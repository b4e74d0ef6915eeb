/** Nothing of the answers reaches the policy in an evaluation, and no problem of the test sets reaches its training. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  generateItems,
  generateOod,
  materialize,
  splitOf,
} from "../../datasets/visual-math/problems";
import { familyByName } from "../../datasets/visual-math/index";
import { loadSpec } from "../../lib/config";
import { ready } from "../../lib/engine/backend";
import { basePolicyFolder } from "../../lib/paths";
import { openPolicy, type PolicyBundle } from "../../lib/policy/bundle";
import { SYSTEM_PROMPTS, type PromptStyle } from "../../lib/reflection/prompts";
import { createPromptCache } from "../../lib/rollout/prepare";
import type { Problem } from "../../lib/types";

describe("leaks", function () {
  this.timeout(120_000);

  describe("of the gold answer", () => {
    const folder = mkdtempSync(join(tmpdir(), "srpo-leak-"));
    let bundle: PolicyBundle;
    before(async () => {
      await ready();
      bundle = openPolicy(basePolicyFolder);
    });
    after(() => {
      bundle.weights.dispose();
      rmSync(folder, { recursive: true });
    });

    it("what the policy is asked depends on question, choices and pictures alone", async () => {
      const items = [
        ...generateItems({ split: "test", count: 12, seed: 1 }),
        ...generateOod({ count: 4, seed: 1 }),
      ];
      const problems = await materialize(items, folder);
      const { prepare } = createPromptCache(bundle);
      for (const style of Object.keys(SYSTEM_PROMPTS) as PromptStyle[]) {
        const asked = await prepare(problems, style);
        const others = await prepare(problems.map(withoutAnswer), style);
        assert.deepEqual(
          asked.map(({ ids }) => ids),
          others.map(({ ids }) => ids),
        );
        asked.forEach(({ ids }, i) => {
          const text = bundle.tokenizer.decode(ids);
          assert.ok(text.includes(problems[i].question), text);
          const { reading = "", steps = [] } = problems[i];
          for (const secret of [reading, ...steps]) assert.ok(!text.includes(secret), text);
        });
      }
    });
  });

  it("of test problems into training: no content is in two sets of paper-mini, whatever its picture", () => {
    const { problems } = loadSpec({}, "paper-mini");
    const keysOf = (set: "sft" | "rl" | "test"): Set<string> =>
      new Set(
        generateItems({
          ...{ split: set, count: problems[set], seed: problems.seed },
          allowRepeats: set !== "test",
        }).map(({ scene, problem }) => scene.content + problem.family),
      );
    const test = keysOf("test");
    assert.equal(test.size, problems.test);
    for (const set of ["sft", "rl"] as const) {
      for (const key of keysOf(set)) {
        assert.ok(!test.has(key), key);
        assert.equal(splitOf(key), set);
      }
    }
    // Held-out problems are of families or levels that no other set has.
    for (const { problem } of generateOod({ count: problems.ood, seed: problems.seed })) {
      const { levels, heldOut } = familyByName(problem.family);
      assert.ok(heldOut.includes(problem.level) && !levels.includes(problem.level));
    }
  });
});

/** The problem with everything that an evaluation must not tell replaced. */
function withoutAnswer({ question, images, choices, answerType }: Problem): Problem {
  return {
    ...{ question, images, choices, answerType },
    ...{ id: "x", answer: "CANARY", family: "x", level: 99, subject: "x", source: "x" },
    ...{ reading: "CANARY", steps: ["CANARY"] },
  };
}
