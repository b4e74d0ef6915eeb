import assert from "node:assert/strict";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { loadSpec } from "../../lib/config";
import { LabError } from "../../lib/engine/errors";
import type { RolloutEngine, RolloutRequest } from "../../lib/rollout/engine";
import { openTransformersJs } from "../../lib/rollout/transformers-js/engine";
import { loadProblems } from "../../lib/stages/problems";
import type { Problem } from "../../lib/types";
import { BASE_POLICY, temporaryFolder } from "../policy/fixture";
import { expected, tokenizer, writeModel } from "./transformers-js-model";

describe("a published ONNX export in transformers.js's layout", function () {
  this.timeout(60_000);
  const folder = join(temporaryFolder(), "model");
  const request: RolloutRequest = {
    ...{ style: "direct", group: 1, maxNewTokens: 24, temperature: 0, seed: 1 },
  };
  let engine: RolloutEngine;
  let problems: Problem[];
  before(async () => {
    writeModel(folder);
    engine = await openTransformersJs(folder);
    problems = await loadProblems({ problems: { ...loadSpec().problems, test: 6 } }, "test");
  });
  after(() => engine.close());

  it("gets the lab's prompts, pictures and positions, with pictures and without, and decodes with its cache", async () => {
    const done: number[] = [];
    const asked = [...problems, { ...problems[0], id: "blind", images: [] }];
    const found = await engine.rollout(asked, { ...request, onProgress: (n) => done.push(n) });
    assert.deepEqual(
      done,
      asked.map((_, i) => i + 1),
    );
    for (const [i, problem] of asked.entries()) {
      const ids = await expected(problem, request.maxNewTokens);
      const [{ text, tokenCount, truncated }] = found[i];
      assert.equal(text, tokenizer.decode(ids, { skipSpecial: true }), problem.id);
      assert.equal(tokenCount, ids.length);
      assert.equal(truncated, ids[ids.length - 1] !== tokenizer.endId);
    }
    assert.equal(engine.name, "transformers.js/model");
    assert.ok(new Set(found.map(([{ text }]) => text)).size > 3);
  });

  it("shares the one ONNX Runtime of the process", () => {
    const maps = readFileSync("/proc/self/maps", "utf8");
    const libraries = new Set(maps.match(/\S*libonnxruntime\S*|\S*onnxruntime\S*\.wasm/g));
    assert.equal(libraries.size, 1, [...libraries].join());
  });

  it("draws the same from the same seed, another member otherwise", async () => {
    const sampling = { ...request, temperature: 1, group: 3 };
    const draw = async (seed: number) =>
      (await engine.rollout([problems[0]], { ...sampling, seed }))[0].map(({ text }) => text);
    const first = await draw(5);
    assert.equal(new Set(first).size, 3);
    assert.deepEqual(await draw(5), first);
    assert.notDeepEqual(await draw(6), first);
  });

  it("stops between two tokens when the signal fires", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const endless = {
      ...request,
      temperature: 1,
      maxNewTokens: 100_000,
      signal: controller.signal,
    };
    const many = Array.from({ length: 200 }, (_, i) => ({ ...problems[0], id: `again ${i}` }));
    await assert.rejects(engine.rollout(many, endless), { name: "AbortError" });
  });

  it("refuses two pictures, which the package would take for a film", async () => {
    const images = [...problems[0].images, ...problems[1].images];
    await assert.rejects(
      engine.rollout([{ ...problems[0], images }], request),
      /does not take problem .*2 pictures/,
    );
  });

  it("says what is missing: the layout, a dtype", async () => {
    await assert.rejects(
      openTransformersJs(BASE_POLICY),
      /no onnx in .*layout of transformers\.js/,
    );
    await assert.rejects(openTransformersJs(folder, { dtype: "q4" }), LabError);
    const broken = join(temporaryFolder(), "broken");
    writeModel(broken);
    renameSync(join(broken, "config.json"), join(broken, "config.old"));
    await assert.rejects(openTransformersJs(broken), /no config\.json/);
    rmSync(broken, { recursive: true });
  });
});
