/**
 * A training that was stopped or killed and started again ends where an undisturbed one ends, to the bit. It can, because a
 * checkpoint holds weights and moments as the float32 that they are, everything random follows from the seed and the step's
 * number, and one thread adds numbers up in one order; hence processes of their own, with `SRPO_THREADS=1`.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ready } from "../../lib/engine/backend";
import { readJsonl } from "../../lib/engine/files";
import { openPolicy } from "../../lib/policy/bundle";
import { savePolicy } from "../../lib/policy/checkpoint";
import { openRun } from "../../lib/train/run";
import { trainSft } from "../../lib/train/sft";
import { temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { guessing, tinyProblems } from "./tiny";

const TRAINING = join(__dirname, "training.js");

type Row = { step: number } & Record<string, unknown>;

/** A run's rows without what a clock wrote. */
function rowsOf(run: string, name: string): Row[] {
  return readJsonl<Row>(join(run, name)).map((row) => {
    const timeless = Object.entries(row).filter(([key]) => !/elapsed|_time$/.test(key));
    return Object.fromEntries(timeless) as Row;
  });
}

describe("resuming", function () {
  this.timeout(180_000);
  const root = temporaryFolder();
  const untrained = join(root, "untrained");
  const guesses = join(root, "guesses");

  before(async () => {
    await ready();
    writeTinyPolicy(untrained);
    // GRPO learns nothing from a policy that never earns anything.
    const bundle = openPolicy(untrained);
    const run = openRun({ root, stage: "sft", preset: "test", inputs: {} });
    await trainSft({ bundle, ...guessing(await tinyProblems(16)), seed: 1, run });
    savePolicy(bundle, guesses, untrained);
    bundle.weights.dispose();
  });

  for (const [kind, policy] of [
    ["sft", untrained],
    ["grpo", guesses],
  ]) {
    describe(kind === "sft" ? "SFT" : "GRPO", () => {
      /** Trains in a root of the trial's own. @returns how the process ended, and the run's folder */
      const train = (trial: string, ...how: string[]) => {
        const place = join(root, kind, trial);
        const { status, signal, stderr } = spawnSync(
          process.execPath,
          [TRAINING, kind, policy, place, ...how],
          { env: { ...process.env, SRPO_THREADS: "1" }, encoding: "utf8" },
        );
        const [name] = readdirSync(place);
        return { status, signal, stderr, folder: join(place, name) };
      };
      const weights = (folder: string): Buffer =>
        readFileSync(join(folder, "policy/model.safetensors"));
      const checkpoint = (folder: string): string[] => readdirSync(join(folder, "checkpoints"));
      let undisturbed: string;

      before(() => {
        const { status, stderr, folder } = train("undisturbed");
        assert.equal(status, 0, stderr);
        undisturbed = folder;
        const start = readFileSync(join(policy, "model.safetensors"));
        assert.notDeepEqual(weights(folder), start);
        const rows = rowsOf(folder, "metrics.jsonl");
        assert.ok(
          rows.every(({ grad_norm }) => (grad_norm as number) > 0),
          JSON.stringify(rows),
        );
      });

      /** Goes on with a disturbed run and compares its end. */
      const goesOn = (trial: string): void => {
        const { status, stderr, folder } = train(trial);
        assert.equal(status, 0, stderr);
        assert.deepEqual(
          rowsOf(folder, "metrics.jsonl").map(({ step }) => step),
          [1, 2, 3, 4, 5, 6],
        );
        for (const name of ["metrics.jsonl", "rollouts.jsonl"]) {
          if (name === "rollouts.jsonl" && kind === "sft") continue;
          assert.deepEqual(rowsOf(folder, name), rowsOf(undisturbed, name));
        }
        assert.ok(weights(folder).equals(weights(undisturbed)), "the same bits");
        assert.ok(!existsSync(join(folder, "checkpoints")));
      };

      it("goes on after it was stopped, from the step that it had finished", () => {
        const { status, stderr, folder } = train("stopped", "stop", "3");
        assert.equal(status, 130, stderr);
        assert.match(stderr, /Stopped (SFT|GRPO) at step 3 of 6/);
        assert.deepEqual(checkpoint(folder), ["step-3"]);
        goesOn("stopped");
      });

      it("goes on after it was killed between two checkpoints, twice", () => {
        let killed = train("killed", "die", "3");
        assert.equal(killed.signal, "SIGKILL", killed.stderr);
        assert.deepEqual(checkpoint(killed.folder), ["step-2"]);
        killed = train("killed", "die", "5");
        assert.equal(killed.signal, "SIGKILL", killed.stderr);
        assert.deepEqual(checkpoint(killed.folder), ["step-4"]);
        assert.equal(rowsOf(killed.folder, "metrics.jsonl").length, 5);
        goesOn("killed");
      });

      it("goes on after it was killed while it wrote a checkpoint", () => {
        const { signal, stderr, folder } = train("saving", "die-saving", "4");
        assert.equal(signal, "SIGKILL", stderr);
        assert.deepEqual(checkpoint(folder).sort(), [".step-4.tmp", "step-2"]);
        goesOn("saving");
      });
    });
  }
});
