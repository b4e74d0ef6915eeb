import assert from "node:assert/strict";
import { loadSpec, type SpecChanges } from "../lib/config";
import { LabError } from "../lib/engine/errors";
import { lossRecipe } from "../lib/train/objective";

/** Runs `work` and checks that it fails with a message of the house's own. */
function refuses(work: () => unknown, ...parts: (string | RegExp)[]): void {
  assert.throws(work, (error: Error) => {
    assert.ok(error instanceof LabError, String(error));
    for (const part of parts) {
      const found =
        typeof part === "string" ? error.message.includes(part) : part.test(error.message);
      assert.ok(found, `${error.message} has no ${String(part)}`);
    }
    return true;
  });
}

describe("spec", () => {
  it("is a preset, changed where it is told and nowhere else", () => {
    const plain = loadSpec({}, "small");
    const spec = loadSpec({ seed: 7, grpo: { steps: 5 }, reward: { alpha: 0 } }, "small");
    assert.deepEqual(spec, {
      ...plain,
      ...{ seed: 7, grpo: { ...plain.grpo, steps: 5 }, reward: { alpha: 0 } },
    });
    // Presets are not changed by it, neither by what is done to a spec afterwards.
    spec.sft.batch = 1;
    assert.deepEqual(loadSpec({}, "small"), plain);
  });

  it("takes its preset from LAB_PRESET unless one is named", () => {
    const before = process.env.LAB_PRESET;
    try {
      process.env.LAB_PRESET = "smoke";
      assert.equal(loadSpec().preset, "smoke");
      assert.equal(loadSpec({}, "small").preset, "small");
      process.env.LAB_PRESET = "huge";
      refuses(() => loadSpec(), "no such preset", '"huge"', "small, smoke");
      delete process.env.LAB_PRESET;
      assert.equal(loadSpec().preset, "small");
    } finally {
      if (before === undefined) delete process.env.LAB_PRESET;
      else process.env.LAB_PRESET = before;
    }
    refuses(() => loadSpec({}, "toString"), "no such preset");
  });

  it("names an unknown key and the keys that there are", () => {
    const unknown = (changes: object) => () => loadSpec(changes as SpecChanges);
    refuses(unknown({ gpro: {} }), "unknown key gpro in spec", "grpo", "construction");
    refuses(unknown({ sft: { batches: 3 } }), "unknown key batches in sft", "microBatch");
    refuses(unknown({ grpo: { toString: 3 } }), "unknown key toString in grpo");
    refuses(unknown({ preset: "smoke" }), "preset cannot be changed", "loadSpec({}, name)");
  });

  it("names a value that cannot be and what could", () => {
    const wrong: [string, unknown, RegExp][] = [
      ["steps", "60", /grpo\.steps .*got "60".*whole number of 1 or more, such as \d+/],
      ["steps", 2.5, /whole number/],
      ["steps", 0, /1 or more/],
      ["group", -8, /got -8/],
      ["prompts", NaN, /got "NaN"/],
      ["beta", -0.1, /grpo\.beta .*a number of 0 or more/],
      ["learningRate", Infinity, /got "Infinity"/],
      ["learningRate", null, /got null/],
      ["clipLow", [0.2], /got \[0\.2\]/],
    ];
    for (const [key, value, message] of wrong) {
      refuses(() => loadSpec({ grpo: { [key]: value } } as SpecChanges), message);
    }
    refuses(() => loadSpec({ sft: 3 } as unknown as SpecChanges), "sft is a group of settings");
    refuses(() => loadSpec({ seed: {} } as unknown as SpecChanges), "seed has a value");
  });

  it("takes a list of adapted layers, and names those that there are", () => {
    const { lora } = loadSpec({ lora: { rank: 8, targets: ["q_proj", "v_proj"] } });
    assert.deepEqual(lora, { rank: 8, alpha: 16, targets: ["q_proj", "v_proj"] });
    for (const targets of [[], ["lm_head"], "q_proj"]) {
      const changes = { lora: { targets } } as unknown as SpecChanges;
      refuses(() => loadSpec(changes), "lora.targets", "q_proj, k_proj");
    }
  });

  it("takes a setting's name or a yes or no, and names the choices where it cannot be", () => {
    const { grpo } = loadSpec({
      grpo: { loss: "dapo", scaleRewards: "batch", maskTruncated: true, overlongBuffer: 0 },
    });
    assert.deepEqual([grpo.loss, grpo.scaleRewards, grpo.maskTruncated], ["dapo", "batch", true]);
    const wrong: [string, unknown, RegExp][] = [
      ["loss", "ppo", /grpo\.loss .*got "ppo".*one of grpo, dr_grpo, dapo, bnpo, gspo, cispo/],
      ["loss", 3, /one of grpo/],
      ["scaleRewards", true, /got true.*one of group, batch, none/],
      ["kl", "k4", /one of k1, k2, k3/],
      ["klIn", "advantage", /one of loss, reward/],
      ["filterOn", "second", /one of first, final/],
      ["aggregation", "sum", /one of sum_then_normalize, normalize_then_sum/],
      ["importanceSampling", "token", /one of none, token_truncate, .*sequence_mask/],
      ["maskTruncated", "yes", /got "yes".*true or false/],
      ["maskTruncated", 1, /true or false/],
      ["maxDraws", 0, /1 or more/],
      ["filterLow", -0.1, /a number of 0 or more/],
    ];
    for (const [key, value, message] of wrong) {
      refuses(() => loadSpec({ grpo: { [key]: value } } as SpecChanges), message);
    }
  });

  it("refuses settings that contradict each other", () => {
    refuses(() => loadSpec({ grpo: { maxDraws: 3 } }), "loadSpec", /maxDraws.*drops nothing/);
    refuses(() => loadSpec({ grpo: { overlongBuffer: 500 } }), /overlongBuffer.*longer/);
    const dapo = lossRecipe("dapo", { maxNewTokens: 112, group: 8 });
    assert.equal(loadSpec({ grpo: dapo }, "small").grpo.overlongBuffer, 22);
  });

  it("has choices for every setting that is a name", () => {
    for (const [key, value] of Object.entries(loadSpec().grpo)) {
      if (typeof value !== "string") continue;
      refuses(() => loadSpec({ grpo: { [key]: "nonsense" } } as SpecChanges), `one of `, value);
    }
  });

  it("lets a share be one, a penalty none, and a thing happen never", () => {
    const { construction, grpo, sft } = loadSpec({
      construction: { correctShare: 0.5 },
      grpo: { beta: 0, warmupSteps: 0, saveEvery: 0 },
      sft: { evalShare: 0, weightDecay: 0 },
    });
    assert.equal(construction.correctShare, 0.5);
    assert.deepEqual([grpo.beta, grpo.warmupSteps, grpo.saveEvery], [0, 0, 0]);
    assert.deepEqual([sft.evalShare, sft.weightDecay], [0, 0]);
  });
});
