import assert from "node:assert/strict";
import { needJupyter, openSession, plain, type Answer, type Session } from "./jupyter";

/** A stage as a cell sees it: it steps, blocking as tfjs does, until it is told to stop, then fails the cell. */
const STAGE = `
  import { interruptible } from "srpo-lab/dist/lib/engine/interrupt";
  let reached = 0;
  const train = () => interruptible(async (signal) => {
    console.log("training");
    for (reached = 1; reached <= 600; reached++) {
      if (signal.aborted) throw new Error("stopped at step " + reached);
      const end = Date.now() + 400;
      while (Date.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });`;

describe("kernels: Interrupt", () => {
  let session: Session;

  before(async function () {
    needJupyter(this);
    session = await openSession();
    await session.run(
      "let turns = 0; const rest = (ms: number) => new Promise((r) => setTimeout(r, ms));",
    );
  });
  after(() => session?.close());

  /** Interrupts a cell, and looks that it failed, kept its variables, and goes on nowhere. */
  async function stops(code: string, by: "signal" | "message" = "signal"): Promise<Answer> {
    const name = `kept${Math.random().toString(36).slice(2)}`;
    const answer = await session.run(`const ${name} = "kept"; turns = 0; ${code}`, {
      interruptAfter: 0.3,
      by,
    });
    assert.equal(answer.status, "error");
    const after = await session.run(
      `const before = turns; await rest(200); console.log(${name}, turns > 0, turns === before);`,
    );
    assert.equal(after.stdout, "kept true true\n", plain(after.error));
    return answer;
  }

  it("ends an endless loop", async () => {
    const { error } = await stops('console.log("go"); for (;;) turns++;');
    assert.equal(error?.ename, "Interrupted");
  });

  it("ends an endless loop after an await", async () => {
    const { error } = await stops(
      'console.log("go");\nawait rest(10);\nfunction work() {\n  for (;;) turns++;\n}\nwork();',
    );
    // The frame that was cut off, and who called it.
    assert.match(plain(error), /> 4 \| {3}for \(;;\) turns\+\+;[^]*at cell \d+:6:\d+/);
  });

  it("ends an endless loop of awaits that never leaves room for anything else", async () => {
    const { error } = await stops('console.log("go"); for (;;) {\n  await null;\n  turns++;\n}');
    assert.match(plain(error), /> [1-3] \|/);
  });

  it("ends an endless asynchronous loop, and shows where it waited", async () => {
    const { error } = await stops(
      'console.log("go");\nfor (;;) {\n  await rest(5);\n  turns++;\n}',
    );
    assert.match(plain(error), /> 3 \| {3}await rest\(5\);/);
  });

  it("ends an asynchronous loop in a function that catches everything", async () => {
    await stops(
      `async function stubborn() {
         for (;;) try { turns++; await rest(5); } catch {}
       }
       console.log("go");
       await stubborn();`,
    );
  });

  it("ends a loop in a timer's callback", async () => {
    await stops(
      'console.log("go"); setTimeout(() => { for (;;) turns++; }, 10); await rest(60_000);',
    );
  });

  it("ends timers that the cell has set", async () => {
    await stops('console.log("go"); setInterval(() => turns++, 5); await rest(60_000);');
  });

  it("ends a native call as soon as it returns", async () => {
    const { stdout } = await stops(
      `import { execSync } from "node:child_process";
       turns++;
       console.log("go");
       execSync("sleep 1.5");
       console.log("never");`,
    );
    assert.equal(stdout, "go\n");
  });

  it("runs finally blocks", async () => {
    const { stdout } = await stops(
      'console.log("go"); try { turns++; await rest(60_000); } finally { console.log("tidied"); }',
    );
    assert.equal(stdout, "go\ntidied\n");
  });

  it("comes by message as well", async () => {
    await stops('console.log("go"); for (;;) turns++;', "message");
    await stops('console.log("go"); for (;;) { turns++; await rest(5); }', "message");
  });

  it("lets a stage of the library stop by itself at its next step", async () => {
    assert.equal((await session.run(STAGE)).status, "ok");
    const stopped = await session.run("await train();", { interruptAfter: 0.6 });
    assert.match(stopped.error?.evalue ?? "", /stopped at step [2-9]/);
    const { stdout } = await session.run(
      "const then = reached; await rest(600); console.log(reached - then)",
    );
    assert.equal(stdout, "0\n", "nothing trains on behind the cell");
  });

  it("lets a cell's own listener decide", async () => {
    const { status, stdout } = await session.run(
      `let told = false;
       const listen = () => { told = true; };
       process.on("SIGINT", listen);
       console.log("waiting");
       for (let i = 0; i < 600 && !told; i++) await rest(20);
       process.off("SIGINT", listen);
       console.log("told", told);`,
      { interruptAfter: 0.3 },
    );
    assert.deepEqual([status, stdout], ["ok", "waiting\ntold true\n"]);
  });

  it("comes by a stop button's click, to a cell that hears of nothing else", async () => {
    const click = { comm_id: "none", data: { method: "custom", content: { interrupt: true } } };
    const { error } = await session.runAndSay(
      'console.log("go"); for (;;) turns++;',
      0.3,
      "comm_msg",
      click,
    );
    assert.equal(error?.ename, "Interrupted");
  });

  it("ends what loops between cells, and says where", async () => {
    const { status, error } = await session.run("setTimeout(() => {\n  for (;;) turns++;\n}, 20);");
    assert.equal(status, "ok", plain(error));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await session.request("interrupt_request", {}, "control");
    assert.equal(
      (await session.run("const over = turns; await rest(50); turns === over")).result?.[
        "text/plain"
      ],
      "true",
    );
  });

  it("does nothing to a kernel that rests", async () => {
    await session.request("interrupt_request", {}, "control");
    const { result } = await session.run("await rest(50); 1 + 1");
    assert.equal(result?.["text/plain"], "2");
  });
});
