import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeSuite, type SuiteBenchmark } from "../../datasets/visual-math/suite/write";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import { ready } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { openPolicy } from "../../lib/policy/bundle";
import { exportOnnx } from "../../lib/rollout/onnx/export";
import { runBenchmark, type Contestant } from "../../lib/stages/benchmark";
import { basePolicy } from "../../lib/stages/context";
import { exportedModel } from "../../lib/stages/exported";
import { BASE_POLICY, temporaryFolder } from "../policy/fixture";
import { writeModel } from "../rollout/transformers-js-model";

describe("stages/exported: ONNX models on a benchmark", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const runs = process.env.SRPO_RUNS;
  let mathvista: SuiteBenchmark;
  before(async () => {
    await ready();
    process.env.SRPO_RUNS = join(root, "runs");
    [mathvista] = await writeSuite({ folder: join(root, "suite"), count: 12, seed: "export" });
  });
  after(() => {
    if (runs === undefined) delete process.env.SRPO_RUNS;
    else process.env.SRPO_RUNS = runs;
  });
  const run = (contestant: Contestant) =>
    runBenchmark(contestant, {
      ...{ benchmark: benchmarkByName("mathvista"), from: mathvista.files, maxNewTokens: 48 },
    });

  it("an exported policy gets the verdicts of the policy itself", async () => {
    const bundle = openPolicy(BASE_POLICY);
    const folder = join(root, "base-onnx");
    exportOnnx(bundle, folder);
    bundle.weights.dispose();
    const exported = await exportedModel(folder);
    assert.deepEqual([exported.name, exported.ask], ["base-onnx", "lab"]);
    const [ours, own] = [
      await run({ kind: "policy", policy: basePolicy(BASE_POLICY) }),
      await run(exported),
    ];
    assert.notEqual(ours.folder, own.folder);
    assert.deepEqual(own.results.problems, ours.results.problems);
    assert.ok(own.results.accuracy.value > 0 && own.results.accuracy.n === 12);
    assert.equal(own.results.spec.model.kind, "export");
  });

  it("a published export gets the benchmark's own prompt", async () => {
    const folder = join(root, "published");
    writeModel(folder);
    const { results } = await run(await exportedModel(folder));
    assert.equal(results.spec.sampling?.ask, "cot");
    assert.deepEqual([results.accuracy.n, results.unanswered], [12, []]);
    assert.ok((results.usage.completionTokens ?? 0) >= 12);
  });

  it("a folder without models is named, with what would be there", async () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    await assert.rejects(exportedModel(empty), LabError);
    await assert.rejects(exportedModel(empty), /srpo onnx export/);
  });
});
