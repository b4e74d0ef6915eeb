import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { interruptible } from "../../lib/engine/interrupt";

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** What a trainer does: steps until it is told to stop. */
async function steps(signal: AbortSignal, each: (step: number) => void): Promise<number> {
  for (let step = 0; ; step++) {
    if (signal.aborted || step === 200) return step;
    each(step);
    await tick();
  }
}

describe("engine/interrupt", () => {
  // mocha itself listens, and would end the run.
  let others: NodeJS.SignalsListener[] = [];
  before(() => {
    others = process.rawListeners("SIGINT") as NodeJS.SignalsListener[];
    for (const listener of others) process.off("SIGINT", listener);
  });
  after(() => {
    for (const listener of others) process.on("SIGINT", listener);
  });

  it("turns SIGINT into an abort within a step, and leaves no listener behind", async () => {
    const done = await interruptible((signal) =>
      steps(signal, (step) => {
        if (step === 3) process.kill(process.pid, "SIGINT");
      }),
    );
    assert.ok(done >= 4 && done < 200, `stopped at step ${done}`);
    assert.equal(process.listenerCount("SIGINT"), 0);
  });

  it("lets a second SIGINT end the process, when the first is not heeded", () => {
    const library = JSON.stringify(join(__dirname, "../../lib/engine/interrupt.js"));
    const stubborn = `require(${library}).interruptible(async () => {
      process.kill(process.pid, "SIGINT");
      setTimeout(() => process.kill(process.pid, "SIGINT"), 50);
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    });`;
    const { signal } = spawnSync(process.execPath, ["-e", stubborn], { timeout: 15_000 });
    assert.equal(signal, "SIGINT");
  });

  it("follows the caller's own signal, one that aborted before included", async () => {
    const outer = new AbortController();
    const done = await interruptible(
      (signal) => steps(signal, (step) => step === 2 && outer.abort()),
      outer.signal,
    );
    assert.equal(done, 3);
    assert.equal(await interruptible((signal) => steps(signal, () => {}), outer.signal), 0);
  });

  it("passes results and errors on, and stops listening after an error", async () => {
    assert.equal(await interruptible(async () => 7), 7);
    await assert.rejects(
      interruptible(async () => {
        throw new Error("diverged");
      }),
      /diverged/,
    );
    assert.equal(process.listenerCount("SIGINT"), 0);
  });
});
