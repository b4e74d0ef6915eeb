import assert from "node:assert/strict";
import sharp from "sharp";
import { needJupyter, openSession, plain, type Session } from "./jupyter";

describe("kernels: what cells show", () => {
  let session: Session;

  before(async function () {
    needJupyter(this);
    session = await openSession();
  });
  after(() => session?.close());

  async function bundle(code: string): Promise<Record<string, string>> {
    const { status, result, error } = await session.run(code);
    assert.equal(status, "ok", plain(error));
    return result as Record<string, string>;
  }

  it("is what a value offers under Jupyter's symbol, at once or later", async () => {
    const own =
      '{ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "own", "text/html": "<i>own</i>" }) }';
    assert.deepEqual(await bundle(`(${own})`), { "text/plain": "own", "text/html": "<i>own</i>" });
    const late = '({ [Symbol.for("Jupyter.display")]: async () => ({ "text/plain": "late" }) })';
    assert.deepEqual(await bundle(late), { "text/plain": "late" });
  });

  it("is a tensor's shape, type, range and picture", async () => {
    const matrix = await bundle(
      `import { ready, tf } from "srpo-lab/dist/lib/engine/backend";
       await ready();
       tf.tensor2d([[1, 2], [6, NaN]])`,
    );
    assert.match(
      matrix["text/plain"],
      /Tensor \[2, 2\] float32 {2}min 1, max 6, mean 3, 1 not finite/,
    );
    const sizeOf = async (shape: string): Promise<(number | undefined)[]> => {
      const { "image/png": png } = await bundle(`tf.zeros(${shape})`);
      const { width, height } = await sharp(Buffer.from(png, "base64")).metadata();
      return [width, height];
    };
    assert.deepEqual(await sizeOf("[16, 16, 3]"), [160, 160]);
    assert.deepEqual(await sizeOf("[3, 16, 16, 1]"), [480, 160], "a batch, side by side");
    const big = await bundle("tf.range(0, 1e6)");
    assert.match(big["text/plain"], /\[1000000\] float32 {2}min 0, max[^]*\n0, 1, 2, .*…$/);
    assert.match(
      (await bundle("const gone = tf.zeros([1]); gone.dispose(); gone"))["text/plain"],
      /disposed/,
    );
  });

  it("is a frame as a table, and a map, with markup in their values made safe", async () => {
    const frame = await bundle(
      'import { DataFrame } from "danfojs-node"; new DataFrame({ name: ["<b>", "x"], n: [1, 2] })',
    );
    assert.match(frame["text/html"], /<th>name<\/th>.*&#60;b&#62;/);
    assert.match(frame["text/plain"], /2 rows × 2 columns/);
    assert.match(
      (await bundle('new Map([["k", { v: 1 }]])'))["text/html"],
      /<td>k<\/td><td>\{ v: 1 \}/,
    );
  });

  it("is a picture for the bytes of one, and numbers for numbers", async () => {
    const picture = await bundle(
      `import sharp from "sharp";
       await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } }).jpeg().toBuffer()`,
    );
    assert.match(picture["image/jpeg"], /^\/9j\//);
    assert.match((await bundle("Float32Array.of(1, 2, 3)"))["text/plain"], /min 1, max 3, mean 2/);
    assert.match((await bundle('Buffer.from("<svg/>")'))["image/svg+xml"], /^<svg\/>$/);
    assert.match((await bundle("new Promise(() => {})"))["text/plain"], /await/);
    const failed = await session.run('Promise.reject(new Error("late"))');
    assert.match(
      plain({ ename: "", evalue: "", traceback: [String(failed.result?.["text/plain"])] }),
      /rejected[^]*Error: late[^]*> 1 \|/,
    );
    assert.equal(failed.stderr, "", "it was looked at");
    assert.equal((await bundle("(x: number) => x"))["text/plain"], "[Function (anonymous)]");
    assert.match((await bundle('new RangeError("far")'))["text/plain"], /RangeError.*far/);
  });

  it("is drawn again in its place, and cleared", async () => {
    const { displays } = await session.run(
      `const place = await display(1);
       await place.update(md("**2**"));
       await display("three", { id: "own" });
       await updateDisplay("own", { "text/plain": "4" }, { raw: true });
       clearOutput({ wait: true });`,
    );
    assert.deepEqual(
      displays.map(({ type, data }) => [type, data?.["text/plain"]]),
      [
        ["display_data", "1"],
        ["update_display_data", "**2**"],
        ["display_data", "'three'"],
        ["update_display_data", "4"],
        ["clear_output", undefined],
      ],
    );
    assert.equal(displays[1].data?.["text/markdown"], "**2**");
  });

  it("comes whole and in order when ten thousand lines are printed", async () => {
    const { stdout } = await session.run("for (let i = 0; i < 10_000; i++) console.log(i);");
    assert.equal(stdout, Array.from({ length: 10_000 }, (_, i) => `${i}\n`).join(""));
  });

  it("is refused with advice when it is too big", async () => {
    const { displays } = await session.run(
      'await display({ "text/plain": "small", "text/html": "x".repeat(20e6) }, { raw: true });',
    );
    assert.deepEqual(Object.keys(displays[0].data ?? {}), ["text/plain"]);
    assert.match(String(displays[0].data?.["text/plain"]), /19\.1 MB.*not sent[^]*file/);
    const { stdout } = await session.run(
      'for (let i = 0; i < 20; i++) console.log("y".repeat(1e6));',
    );
    assert.ok(stdout.length < 11e6);
    assert.match(stdout.slice(-200), /write long logs to a file/);
  });

  it("says what happened when the cell ended its process, and a new one goes on", async () => {
    await session.run("const lost = 1;");
    const ended = await session.run("await 0;\nprocess.exit(3);");
    assert.equal(ended.status, "error");
    assert.match(
      plain(ended.error),
      /process\.exit\(3\) ended the kernel[^]*> 2 \| process\.exit\(3\);/,
    );
    assert.match(plain((await session.run("lost")).error), /Cannot find name 'lost'/);
    const killed = await session.run(
      'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});',
    );
    assert.match(plain(killed.error), /SIGKILL.*memory/);
    assert.equal((await bundle("1 + 1"))["text/plain"], "2");
  });

  it("does not wait for the programs of a process that died", async () => {
    const { error, seconds, stdout } = await session.run(
      `import { spawn } from "node:child_process";
       const { pid } = spawn("sleep", ["30"], { stdio: "inherit" });
       console.log(pid);
       await new Promise((resolve) => setTimeout(resolve, 100));
       process.abort();`,
    );
    process.kill(Number(stdout));
    assert.match(plain(error), /SIGABRT/);
    assert.ok(seconds < 20, `${seconds} s`);
    assert.equal((await bundle("1 + 1"))["text/plain"], "2");
  });

  it("tells an out-of-memory abort from others", async () => {
    const small = await openSession({ NODE_OPTIONS: "--max-old-space-size=400" });
    const { error } = await small.run(
      "const heap: object[][] = []; for (;;) heap.push(new Array(1e5).fill(0).map(() => ({})));",
    );
    await small.close();
    assert.equal(error?.ename, "OutOfMemory", plain(error));
    assert.match(error.evalue, /max-old-space-size/);
  });
});
