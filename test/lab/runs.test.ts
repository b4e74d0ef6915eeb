import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appendJsonl } from "../../lib/engine/files";
import { jupyterDisplay } from "../../lib/lab/display";
import { labInfo } from "../../lib/lab/info";
import {
  compareRuns,
  listRuns,
  movingAverage,
  readMetrics,
  specDifferences,
} from "../../lib/lab/runs";

describe("runs", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "runs-"));
    const write = (name: string, spec: unknown, rewards: number[], age: number): void => {
      const folder = join(root, name);
      mkdirSync(folder);
      writeFileSync(join(folder, "spec.json"), JSON.stringify(spec));
      rewards.forEach((reward, i) =>
        appendJsonl(join(folder, "metrics.jsonl"), { step: i + 1, reward }),
      );
      utimesSync(join(folder, "metrics.jsonl"), age, age);
    };
    const spec = { seed: 1, grpo: { learningRate: 1e-4, group: 8 }, families: ["bars"] };
    write("grpo-small-0123456789ab", spec, [0.1, 0.2, 0.4], 1000);
    write(
      "grpo-my-preset-ffffffffffff",
      { ...spec, grpo: { ...spec.grpo, learningRate: 3e-4, beta: 0.1 } },
      [0.3, 0.5],
      2000,
    );
    mkdirSync(join(root, "no-run"));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it("finds the runs, newest first, and takes their names apart", () => {
    const runs = listRuns(root);
    assert.deepEqual(
      runs.map(({ stage, preset, hash, steps }) => [stage, preset, hash, steps]),
      [
        ["grpo", "my-preset", "ffffffffffff", 2],
        ["grpo", "small", "0123456789ab", 3],
      ],
    );
    assert.deepEqual(listRuns(join(root, "nowhere")), []);
  });

  it("takes the later row of a step that a resumed run repeats, and drops a line cut short", () => {
    const folder = join(root, "sft-small-aaaaaaaaaaaa");
    mkdirSync(folder);
    const file = join(folder, "metrics.jsonl");
    assert.deepEqual(readMetrics(folder), []);
    for (const [step, loss] of [
      [1, 3],
      [2, 2],
      [3, 9],
      [2, 2.5],
      [3, 2.25],
    ])
      appendJsonl(file, { step, loss });
    appendFileSync(file, '{"step":4,"lo');
    assert.deepEqual(
      readMetrics(folder).map(({ step, loss }) => [step, loss]),
      [
        [1, 3],
        [2, 2.5],
        [3, 2.25],
      ],
    );
  });

  it("names the file of a run that cannot be read", () => {
    const folder = join(root, "eval-small-bbbbbbbbbbbb");
    mkdirSync(folder);
    writeFileSync(join(folder, "spec.json"), "{");
    assert.throws(
      () => listRuns(root),
      /readRun: cannot read .*eval-small-bbbbbbbbbbbb.spec\.json/,
    );
    rmSync(folder, { recursive: true });
  });

  it("lays one metric of several runs over each other, raw behind smoothed", () => {
    const runs = listRuns(root);
    const plain = compareRuns(runs, "reward", { names: ["b", "a"] });
    assert.deepEqual(
      plain.lines?.map(({ name, y }) => [name, y]),
      [
        ["b", [0.3, 0.5]],
        ["a", [0.1, 0.2, 0.4]],
      ],
    );
    const smooth = compareRuns(runs, "reward", { smooth: 0.5 });
    assert.deepEqual(
      smooth.lines?.map(({ faint }) => faint === true),
      [true, false, true, false],
    );
    assert.equal(smooth.lines?.[0].colour, smooth.lines?.[1].colour);
    assert.throws(() => compareRuns(runs, "rewrd"), /"rewrd", expected reward/);
  });

  it("smooths as pandas does", () => {
    // pd.Series([1., 2., 4., 8.]).ewm(alpha=0.1, adjust=True).mean()
    const expected = [1.0, 1.5263157894736843, 2.439114391143911, 4.056120965396917];
    movingAverage([1, 2, 4, 8], 0.9).forEach((value, i) =>
      assert.ok(Math.abs(value - expected[i]) < 1e-12, `${value} against ${expected[i]}`),
    );
    assert.deepEqual(movingAverage([1, 2, 4], 0), [1, 2, 4]);
    assert.throws(() => movingAverage([1], 1), /movingAverage: bad weight/);
  });

  it("shows only what differs between specs", () => {
    const [newer, older] = listRuns(root).filter(({ stage }) => stage === "grpo");
    assert.deepEqual(specDifferences([older, newer]), [
      { key: "grpo.beta", [older.name]: "–", [newer.name]: "0.1" },
      { key: "grpo.learningRate", [older.name]: "0.0001", [newer.name]: "0.0003" },
    ]);
  });
});

describe("labInfo", () => {
  it("says preset, engine and why, versions, hardware, seed and times, and warns first", () => {
    const bundle = labInfo({
      preset: "small",
      seed: 7,
      engine: {
        backend: "wasm",
        device: "cpu",
        reason: "the binding is missing",
        threads: 1,
        versions: { node: "20.1", libtensorflow: undefined },
        warning: "slow <very>",
      },
      hardware: "2 × something",
      stages: [
        { name: "data", seconds: 40 },
        { name: "sft", seconds: 100 },
        { name: "grpo", seconds: 200 },
      ],
    })[jupyterDisplay]() as { "text/plain": string; "text/html": string };
    assert.equal(
      bundle["text/plain"],
      [
        "! slow <very>",
        "preset    small",
        "engine    wasm on cpu, 1 thread: the binding is missing",
        "versions  node 20.1",
        "hardware  2 × something",
        "seed      7",
        "time      data about 40s · sft about 1m40s · grpo about 3m20s · in all about 5m40s; what has run before is read from disk",
      ].join("\n"),
    );
    assert.match(bundle["text/html"], /slow &#60;very&#62;/);
  });
});
