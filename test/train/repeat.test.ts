/**
 * The same seed on the same machine gives the same numbers, to the bit, whatever interrupts it. One thread adds numbers up
 * in one order, hence `SRPO_THREADS=1`.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { readJsonl } from "../../lib/engine/files";
import { createRandom } from "../../lib/engine/random";
import { temporaryFolder } from "../policy/fixture";
import { rowsOf, trainInChild, type Ended } from "./child";
import { writeGuessingPolicy } from "./tiny";

const FILES = ["metrics.jsonl", "rollouts.jsonl"];

describe("a GRPO training of 20 steps", function () {
  this.timeout(300_000);
  const root = temporaryFolder();
  const policy = join(root, "guesses");
  const weights = (folder: string): Buffer =>
    readFileSync(join(folder, "policy/model.safetensors"));
  let first: Ended;
  /** That its steps took. */
  let seconds: number;

  before(async () => {
    await writeGuessingPolicy(policy);
    first = await trainInChild("grpo-20", policy, join(root, "first")).ended;
    assert.equal(first.status, 0, first.stderr);
    const rows = readJsonl<{ elapsed: number }>(join(first.folder, "metrics.jsonl"));
    seconds = rows[rows.length - 1].elapsed - rows[0].elapsed;
  });

  function sameAsFirst(folder: string): void {
    const [before, after] = [first.folder, folder].map((run) => rowsOf(run, "metrics.jsonl"));
    assert.equal(after.length, 20);
    for (const [i, row] of after.entries()) assert.deepEqual(row, before[i], `step ${i + 1}`);
    for (const name of FILES) assert.deepEqual(rowsOf(folder, name), rowsOf(first.folder, name));
    assert.ok(weights(folder).equals(weights(first.folder)), "the same bits");
  }

  it("learns something, so that there is something to repeat", () => {
    const rows = rowsOf(first.folder, "metrics.jsonl");
    assert.equal(new Set(rows.map(({ loss }) => loss)).size, 20);
    assert.ok(!weights(first.folder).equals(readFileSync(join(policy, "model.safetensors"))));
  });

  it("has equal metrics, rollouts and weights the second time", async () => {
    const { status, stderr, folder } = await trainInChild("grpo-20", policy, join(root, "second"))
      .ended;
    assert.equal(status, 0, stderr);
    sameAsFirst(folder);
  });

  it("has them when it was killed at random moments", async () => {
    const seed = process.env.SRPO_TEST_SEED ?? String(Date.now());
    const random = createRandom(`kill/${seed}`);
    const place = join(root, "killed");
    const steps: number[] = [];
    let last: Ended | undefined;
    for (let tries = 0; steps.length < 2 && tries < 6; tries++) {
      const { child, ended } = trainInChild("grpo-20", policy, place);
      await atWork(place, Date.now(), child);
      await wait(1000 * random.next() * seconds);
      child.kill("SIGKILL");
      last = await ended;
      if (last.signal === "SIGKILL") {
        const metrics = join(last.folder, "metrics.jsonl");
        steps.push(existsSync(metrics) ? rowsOf(last.folder, "metrics.jsonl").length : 0);
        continue;
      }
      // Faster than the first time. Where nothing was killed yet, it counts for nothing.
      assert.equal(last.status, 0, last.stderr);
      if (steps.length > 0) break;
      rmSync(place, { recursive: true });
    }
    assert.ok(steps.length > 0, "no training lived long enough to be killed");
    console.log(`      SRPO_TEST_SEED=${seed}: killed after ${steps.join(", ")} of 20 steps`);
    if (last?.status !== 0) last = await trainInChild("grpo-20", policy, place).ended;
    assert.equal(last.status, 0, last.stderr);
    sameAsFirst(last.folder);
  });
});

/** Resolves when a training that began at `since` has opened its metrics, so that it is about to step, or has ended. */
async function atWork(root: string, since: number, child: ChildProcess): Promise<void> {
  const begun = (): boolean => {
    const [name = ""] = existsSync(root) ? readdirSync(root) : [];
    const file = join(root, name, "metrics.jsonl");
    return existsSync(file) && statSync(file).mtimeMs >= since;
  };
  while (!begun() && child.exitCode === null && child.signalCode === null) await wait(20);
}
