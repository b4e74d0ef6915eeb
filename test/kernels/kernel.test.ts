import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { needJupyter, openSession, root, type Session } from "./jupyter";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A stage as a cell sees it: it steps until it is told to stop, then fails the cell. */
const STAGE = `
  import { interruptible } from "srpo-lab/dist/lib/engine/interrupt";
  let reached = 0;
  const train = () => interruptible(async (signal) => {
    console.log("training");
    for (reached = 1; reached <= 600; reached++) {
      if (signal.aborted) throw new Error("stopped at step " + reached);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });`;

describe("kernels/kernel", () => {
  let session: Session;

  before(async function () {
    needJupyter(this);
    session = await openSession();
  });
  after(() => session?.close());

  // tslab refuses whatever arrives within 200 ms of an error.
  beforeEach(() => sleep(300));

  it("runs a cell, at the clone's root", async () => {
    const { status, stdout } = await session.run("console.log(1 + 1, process.cwd())");
    assert.deepEqual([status, stdout], ["ok", `2 ${root}\n`]);
  });

  it("gives notebooks the library under its own name, with types", async () => {
    const code = 'import { renderEngine } from "srpo-lab/dist/lib/engine/backend";';
    const typed = await session.run(`${code} renderEngine({ backend: "abacus" } as const);`);
    assert.equal(typed.status, "error");
    assert.match(typed.stderr, /abacus.*not assignable|not assignable.*abacus/s);
    await sleep(300);
    const { status, stdout } = await session.run(
      `import { ready, tf } from "srpo-lab/dist/lib/engine/backend";
       await ready();
       console.log(tf.topk(tf.tensor1d([1, 3, 2]), 2).values.arraySync().join());`,
    );
    assert.deepEqual([status, stdout], ["ok", "3,2\n"]);
  });

  it("fails a cell that throws, and keeps what earlier cells made", async () => {
    await session.run("let kept = 41;");
    const failed = await session.run('kept += 1; throw new Error("no such luck");');
    assert.equal(failed.status, "error");
    assert.match(failed.stderr, /no such luck/);
    await sleep(300);
    assert.equal((await session.run("console.log(kept)")).stdout, "42\n");
  });

  it("knows earlier cells' variables in shorthand properties, where stock tslab does not", async () => {
    await session.run('const [x, y, $z] = [1, 2, 3]; function f() { return "f"; }');
    const { status, stdout, stderr } = await session.run(
      `const own = 4;
       await Promise.resolve();
       const made = { x, own, inner: [{ y, $z }], f };
       const shadow = ((x: number) => ({ x }))(5);
       let into = 0;
       ({ x: into } = { x });
       console.log("{ x, y }", JSON.stringify([made, shadow, into]), made.f());`,
    );
    assert.deepEqual([status, stderr], ["ok", ""]);
    assert.equal(stdout, '{ x, y } [{"x":1,"own":4,"inner":[{"y":2,"$z":3}]},{"x":5},1] f\n');
  });

  it("lets a stage stop by itself when it is interrupted, and lives on", async () => {
    assert.equal((await session.run(STAGE)).status, "ok");
    const stopped = await session.run("await train();", { interruptAfter: 0.3 });
    assert.equal(stopped.status, "error");
    assert.match(stopped.stderr, /stopped at step \d+/);
    await sleep(300);
    const first = Number((await session.run("console.log(reached)")).stdout);
    await sleep(300);
    const second = Number((await session.run("console.log(reached)")).stdout);
    assert.ok(first > 1 && first < 600, `stopped at step ${first}`);
    assert.equal(second, first, "nothing trains on behind the cell");
  });

  it("survives an interrupt while a cell's own listener was added before its first await", async () => {
    const stopped = await session.run(
      `let told = false;
       const listen = () => { told = true; };
       process.on("SIGINT", listen);
       console.log("waiting");
       for (let i = 0; i < 600 && !told; i++) await new Promise((resolve) => setTimeout(resolve, 20));
       process.off("SIGINT", listen);
       console.log("told", told);`,
      { interruptAfter: 0.3 },
    );
    assert.deepEqual([stopped.status, stopped.stdout], ["ok", "waiting\ntold true\n"]);
  });

  it("abandons a cell that nobody can stop", async () => {
    const wait =
      'console.log("waiting"); await new Promise((resolve) => setTimeout(resolve, 30_000));';
    const abandoned = await session.run(wait, { interruptAfter: 0.3 });
    assert.notEqual(abandoned.status, "ok");
    await sleep(300);
    assert.equal((await session.run("console.log('alive')")).stdout, "alive\n");
  });

  it("ends when Jupyter is killed", async function () {
    if (!existsSync("/proc")) this.skip();
    const orphan = await openSession();
    assert.ok(existsSync(join("/proc", String(orphan.pid))));
    orphan.kill();
    for (let tries = 0; tries < 100 && existsSync(join("/proc", String(orphan.pid))); tries++) {
      await sleep(100);
    }
    assert.ok(!existsSync(join("/proc", String(orphan.pid))), "the kernel outlives its server");
  });
});
