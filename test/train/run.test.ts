import assert from "node:assert/strict";
import fs, {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { readJsonl } from "../../lib/engine/files";
import { openRun, type Run } from "../../lib/train/run";
import { temporaryFolder } from "../policy/fixture";

describe("run directory", () => {
  const root = temporaryFolder();
  let trial = 0;
  /** Opens a run under inputs that no other test has. */
  const opener = (): ((more?: Record<string, unknown>) => Run) => {
    const number = trial++;
    return (more = {}) =>
      openRun({ root, stage: "grpo", preset: "small", inputs: { number, ...more } });
  };
  const steps = (run: Run, file: string): number[] =>
    readJsonl<{ step: number }>(join(run.folder, file)).map((row) => row.step);
  const save = (run: Run, step: number, content = `weights ${step}`): void =>
    run.checkpoint(step, (folder) => writeFileSync(join(folder, "weights"), content));
  const checkpoints = (run: Run): string[] => readdirSync(join(run.folder, "checkpoints")).sort();
  const saved = (run: Run): string => readFileSync(join(run.lastCheckpoint!, "weights"), "utf8");

  describe("is named by everything that determines it", () => {
    it("and says so in spec.json", () => {
      const open = opener();
      const run = open({ seed: 3, rate: 1e-4 });
      assert.match(run.folder, new RegExp(`grpo-small-${run.hash}$`));
      const spec = JSON.parse(readFileSync(join(run.folder, "spec.json"), "utf8"));
      assert.equal(spec.preset, "small");
      assert.equal(spec.stage, "grpo");
      assert.equal(spec.seed, 3);
      assert.equal(spec.rate, 1e-4);
    });

    it("so that a changed input is a new folder, at any depth, and the order of keys is not", () => {
      const open = opener();
      const inputs = { seed: 1, reward: { length: { max: 1 }, parts: ["a", "b"] } };
      const first = open(inputs);
      const same = open({ reward: { parts: ["a", "b"], length: { max: 1 } }, seed: 1 });
      assert.equal(same.folder, first.folder);
      const others = [
        open({ ...inputs, seed: 2 }),
        open({ ...inputs, seed: "1" }),
        open({ ...inputs, extra: null }),
        open({ ...inputs, reward: { length: { max: 2 }, parts: ["a", "b"] } }),
        open({ ...inputs, reward: { length: { max: 1 }, parts: ["b", "a"] } }),
      ].map((run) => run.folder);
      assert.equal(new Set([first.folder, ...others]).size, 6);
    });

    it("and the old folder is left alone", () => {
      const open = opener();
      const old = open({ seed: 1 });
      old.metrics({ step: 1, loss: 4 });
      save(old, 1);
      const changed = open({ seed: 2 });
      assert.equal(changed.resumedAt, 0);
      assert.equal(changed.lastCheckpoint, undefined);
      assert.ok(!existsSync(join(changed.folder, "metrics.jsonl")));
      assert.deepEqual(steps(old, "metrics.jsonl"), [1]);
    });
  });

  describe("that was stopped", () => {
    it("goes on at its last checkpoint and drops what was logged after it", () => {
      const open = opener();
      const run = open();
      for (let step = 1; step <= 5; step++) {
        run.metrics({ step, loss: step });
        run.rollout({ step, text: `a ${step}` });
        run.rollout({ step, text: `b ${step}` });
        if (step % 2 === 0) save(run, step);
      }
      const resumed = open();
      assert.equal(resumed.resumedAt, 4);
      assert.equal(saved(resumed), "weights 4");
      assert.deepEqual(steps(resumed, "metrics.jsonl"), [1, 2, 3, 4]);
      assert.deepEqual(steps(resumed, "rollouts.jsonl"), [1, 1, 2, 2, 3, 3, 4, 4]);
      assert.equal(resumed.summary, undefined);
      resumed.metrics({ step: 5, loss: 50 });
      const rows = readJsonl<{ loss: number }>(join(run.folder, "metrics.jsonl"));
      assert.deepEqual(
        rows.map(({ loss }) => loss),
        [1, 2, 3, 4, 50],
      );
    });

    it("keeps no row when there is no checkpoint, that of step 0 neither", () => {
      const open = opener();
      const run = open();
      run.metrics({ step: 0, reward: 1 });
      run.metrics({ step: 1, reward: 2 });
      assert.deepEqual(steps(open(), "metrics.jsonl"), []);
    });

    it("keeps the row of step 0 when there is one", () => {
      const open = opener();
      const run = open();
      run.metrics({ step: 0, reward: 1 });
      run.metrics({ step: 1, reward: 2 });
      save(run, 1);
      run.metrics({ step: 2, reward: 3 });
      assert.deepEqual(steps(open(), "metrics.jsonl"), [0, 1]);
    });

    it("survives a row that was cut short", () => {
      const open = opener();
      const run = open();
      run.metrics({ step: 1 });
      save(run, 1);
      appendFileSync(join(run.folder, "metrics.jsonl"), '{"step": 2, "lo');
      const resumed = open();
      resumed.metrics({ step: 2 });
      assert.deepEqual(steps(resumed, "metrics.jsonl"), [1, 2]);
    });

    it("orders checkpoints by number, and looks at nothing else in their folder", () => {
      const open = opener();
      const run = open();
      for (const name of ["step-9", "step-10", ".step-11.tmp", "step-12.bak", "step-x"]) {
        mkdirSync(join(run.folder, "checkpoints", name), { recursive: true });
      }
      const resumed = open();
      assert.equal(resumed.resumedAt, 10);
      assert.match(resumed.lastCheckpoint!, /step-10$/);
    });
  });

  describe("keeps one whole checkpoint", () => {
    it("the newest", () => {
      const open = opener();
      const run = open();
      for (const step of [3, 10, 20]) save(run, step);
      assert.deepEqual(checkpoints(run), ["step-20"]);
    });

    it("the old one when writing the next one fails half-way", () => {
      const open = opener();
      const run = open();
      save(run, 2);
      assert.throws(() =>
        run.checkpoint(4, (folder) => {
          writeFileSync(join(folder, "weights"), "half");
          throw new Error("power cut");
        }),
      );
      const resumed = open();
      assert.equal(resumed.resumedAt, 2);
      assert.equal(saved(resumed), "weights 2");
      // The leftover is no hindrance, and none of its files reach the checkpoint that takes its place.
      const leftover = join(resumed.folder, "checkpoints", ".step-4.tmp");
      mkdirSync(leftover, { recursive: true });
      writeFileSync(join(leftover, "stray"), "");
      save(resumed, 4);
      assert.deepEqual(checkpoints(resumed), ["step-4"]);
      assert.deepEqual(readdirSync(open().lastCheckpoint!), ["weights"]);
    });

    for (const call of ["renameSync", "rmSync"] as const) {
      it(`at every moment: a crash in ${call} leaves the old or the new state`, () => {
        // Each call of the file system in turn is the one at which the process dies; a step may be saved twice.
        for (const next of [4, 2]) {
          for (let crashAt = 0; ; crashAt++) {
            const open = opener();
            const run = open();
            save(run, 2, "old");
            let calls = 0;
            const real = fs[call] as (...args: unknown[]) => void;
            (fs as Record<string, unknown>)[call] = (...args: unknown[]): void => {
              if (calls++ >= crashAt) throw new Error("crash");
              real(...args);
            };
            let crashed = false;
            try {
              save(run, next, "new");
            } catch {
              crashed = true;
            } finally {
              (fs as Record<string, unknown>)[call] = real;
            }
            const resumed = open();
            assert.ok(resumed.lastCheckpoint !== undefined, `lost at ${call} ${crashAt}`);
            assert.ok(["old", "new"].includes(saved(resumed)));
            save(resumed, 6, "later");
            assert.equal(saved(open()), "later");
            assert.deepEqual(checkpoints(resumed), ["step-6"]);
            if (!crashed) {
              assert.ok(next === 2 || crashAt > 0, `${call} is called`);
              break;
            }
          }
        }
      });
    }
  });

  it("starts from nothing when it is forced to", () => {
    const open = opener();
    const run = open();
    run.metrics({ step: 1 });
    save(run, 1);
    run.finish({ steps: 1 });
    const identity = { root, stage: "grpo", preset: "small", inputs: { number: trial - 1 } };
    const forced = openRun({ ...identity, force: true });
    assert.equal(forced.folder, run.folder);
    assert.equal(forced.summary, undefined);
    assert.deepEqual(readdirSync(forced.folder), ["spec.json"]);
  });

  describe("that has ended", () => {
    it("has its summary and keeps all its rows", () => {
      const open = opener();
      const run = open();
      for (const step of [1, 2, 3]) run.metrics({ step });
      save(run, 2);
      const summary = run.finish({ steps: 3, accuracy: 0.5 });
      assert.equal(summary.steps, 3);
      const again = open();
      assert.deepEqual(again.summary, summary);
      assert.equal(again.summary?.accuracy, 0.5);
      assert.deepEqual(steps(again, "metrics.jsonl"), [1, 2, 3]);
      assert.ok(!existsSync(join(run.folder, "checkpoints")), "its result lies elsewhere");
    });
  });

  it("adds up the seconds of all attempts, those of dropped rows left out", () => {
    const open = opener();
    const clock = Date.now;
    let now = 1_000_000;
    Date.now = () => now;
    try {
      const first = open();
      now += 10_000;
      first.metrics({ step: 1 });
      save(first, 1);
      now += 7_000;
      first.metrics({ step: 2 });
      now += 3_600_000;
      const second = open();
      now += 5_000;
      second.metrics({ step: 2 });
      const third = (save(second, 2), (now += 60_000), open());
      now += 2_000;
      assert.equal(third.finish({ steps: 2 }).seconds, 17);
      const rows = readJsonl<{ elapsed: number }>(join(third.folder, "metrics.jsonl"));
      assert.deepEqual(
        rows.map(({ elapsed }) => elapsed),
        [10, 15],
      );
    } finally {
      Date.now = clock;
    }
  });
});
