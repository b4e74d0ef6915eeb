/**
 * A training that was stopped or killed and started again ends where an undisturbed one ends, to the bit. It can, because a
 * checkpoint holds weights and moments as the float32 that they are, everything random follows from the seed and the step's
 * number, and one thread adds numbers up in one order; hence processes of their own, with `SRPO_THREADS=1`.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { rowsOf, trainInChild, type Ended } from "./child";
import { writeGuessingPolicy } from "./tiny";

describe("resuming", function () {
  this.timeout(180_000);
  const root = temporaryFolder();
  const untrained = join(root, "untrained");
  const guesses = join(root, "guesses");

  before(async () => {
    writeTinyPolicy(untrained);
    // GRPO learns nothing from a policy that never earns anything.
    await writeGuessingPolicy(guesses);
  });

  for (const [kind, policy] of [
    ["sft", untrained],
    ["grpo", guesses],
    ["grpo-lora", guesses],
  ]) {
    describe({ sft: "SFT", grpo: "GRPO" }[kind] ?? "GRPO with adapters", () => {
      const file = kind === "grpo-lora" ? "adapter_model.safetensors" : "model.safetensors";
      /** Trains in a root of the trial's own. */
      const train = (trial: string, ...how: string[]): Promise<Ended> =>
        trainInChild(kind, policy, join(root, kind, trial), how).ended;
      const weights = (folder: string): Buffer => readFileSync(join(folder, "policy", file));
      const checkpoint = (folder: string): string[] => readdirSync(join(folder, "checkpoints"));
      let undisturbed: string;

      before(async () => {
        const { status, stderr, folder } = await train("undisturbed");
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
      const goesOn = async (trial: string): Promise<void> => {
        const { status, stderr, folder } = await train(trial);
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

      it("goes on after it was stopped, from the step that it had finished", async () => {
        const { status, stderr, folder } = await train("stopped", "stop", "3");
        assert.equal(status, 130, stderr);
        assert.match(stderr, /Stopped (SFT|GRPO) at step 3 of 6/);
        assert.deepEqual(checkpoint(folder), ["step-3"]);
        await goesOn("stopped");
      });

      if (kind === "grpo") {
        it("goes on after it was stopped while it sampled, from the last whole step", async () => {
          const { status, stderr, folder } = await train("sampling", "stop-sampling", "4");
          assert.equal(status, 130, stderr);
          assert.match(stderr, /Stopped GRPO at step 3 of 6/);
          assert.deepEqual(checkpoint(folder), ["step-3"]);
          await goesOn("sampling");
        });
      }

      // What is left differs in nothing from the others.
      if (kind === "grpo-lora") return;

      it("goes on after it was killed between two checkpoints, twice", async () => {
        let killed = await train("killed", "die", "3");
        assert.equal(killed.signal, "SIGKILL", killed.stderr);
        assert.deepEqual(checkpoint(killed.folder), ["step-2"]);
        killed = await train("killed", "die", "5");
        assert.equal(killed.signal, "SIGKILL", killed.stderr);
        assert.deepEqual(checkpoint(killed.folder), ["step-4"]);
        assert.equal(rowsOf(killed.folder, "metrics.jsonl").length, 5);
        await goesOn("killed");
      });

      it("goes on after it was killed while it wrote a checkpoint", async () => {
        const { signal, stderr, folder } = await train("saving", "die-saving", "4");
        assert.equal(signal, "SIGKILL", stderr);
        assert.deepEqual(checkpoint(folder).sort(), [".step-4.tmp", "step-2"]);
        await goesOn("saving");
      });
    });
  }
});
