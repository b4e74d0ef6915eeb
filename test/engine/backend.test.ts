import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import util from "node:util";
import { bindingFiles, describeEngine, ready, restoreUtil, tf } from "../../lib/engine/backend";

const backend = join(__dirname, "../../lib/engine/backend.js");

/** Runs a piece of JavaScript, with `tf` ready, in a process of its own; it prints one JSON value. */
function inProcess(code: string, env: NodeJS.ProcessEnv): { value: unknown; stderr: string } {
  const script = `
    const B = require(${JSON.stringify(backend)});
    const print = (value) => process.stdout.write(JSON.stringify(value));
    (async () => { const engine = await B.ready(); const { tf } = B; ${code} })()
      .then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { value: stdout === "" ? undefined : JSON.parse(stdout), stderr };
}

/** Forward values and gradients of what a decoder is made of, from fixed inputs. */
const TRANSFORMER = `
  const x = tf.tensor2d(Array.from({ length: 48 }, (_, i) => Math.sin(i * 1.7)), [6, 8]);
  const w = tf.tensor2d(Array.from({ length: 96 }, (_, i) => Math.cos(i * 0.9)), [8, 12]);
  const q = tf.tensor4d(Array.from({ length: 120 }, (_, i) => Math.sin(i * 2.3)), [2, 3, 4, 5]);
  const ids = tf.tensor2d([[1, 5, 5], [0, 1, 1]], [2, 3], "int32");
  const labels = tf.tensor2d([[1], [2], [3], [0], [7], [5]], [6, 1], "int32");
  const mask = tf.tensor2d([0, -1e9, -1e9, -1e9, 0, 0, -1e9, -1e9, 0, 0, 0, -1e9, 0, 0, 0, 0], [4, 4]);
  const cases = {
    linear: [(a) => tf.matMul(a, w), x],
    attention: [(a) => tf.matMul(tf.softmax(tf.matMul(a, q, false, true).add(mask)), q), q],
    embedding: [(a) => tf.gather(a, ids), x],
    tokenLogProb: [(a) => tf.gather(tf.logSoftmax(a), labels, 1, 1), x],
    rmsNorm: [(a) => a.mul(a.square().mean(-1, true).add(1e-6).rsqrt()), x],
    silu: [(a) => a.mul(tf.sigmoid(a)), x],
    gelu: [(a) => a.mul(tf.erf(a.div(Math.SQRT2)).add(1)).mul(0.5), x],
    rotate: [(a) => tf.concat([a.slice([0, 4], [-1, 4]).neg(), a.slice([0, 0], [-1, 4])], -1), x],
    heads: [(a) => tf.transpose(a, [0, 2, 1, 3]).reshape([8, 15]), q],
    clip: [(a) => tf.minimum(a.mul(2), tf.clipByValue(a, -0.5, 0.5)), x],
  };
  const weigh = (y) => y.mul(tf.cos(tf.range(0, y.size)).reshape(y.shape)).sum();
  print(Object.fromEntries(Object.entries(cases).map(([name, [f, a]]) =>
    [name, { value: [...f(a).dataSync()], gradient: [...tf.grad((b) => weigh(f(b)))(a).dataSync()] }])));`;

interface Computed {
  value: number[];
  gradient: number[];
}

describe("engine/backend", () => {
  it("computes, and says on what", async () => {
    const engine = await ready();
    assert.equal(tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()[0], 3);
    assert.equal(engine.versions.tfjs, tf.version_core);
    assert.equal(engine.backend === "native", tf.getBackend() === "tensorflow");
    assert.equal(engine.warning === undefined || engine.warning.length > 0, true);
    assert.deepEqual(describeEngine(), engine);
  });

  it("loads nothing until tf is used, so that thread settings can still be made", () => {
    const code = `require(${JSON.stringify(backend)});
      process.stdout.write(String(Object.keys(require.cache).filter((f) => f.includes("tfjs-core")).length));`;
    const { stdout } = spawnSync(process.execPath, ["-e", code], { encoding: "utf8" });
    assert.equal(stdout, "0");
  });

  it("gives danfojs the same tfjs, on every back end", () => {
    for (const SRPO_ENGINE of ["wasm", ...(existsSync(bindingFiles().binding) ? ["native"] : [])]) {
      const { value, stderr } = inProcess(
        `const danfo = require("danfojs-node");
         print(danfo.tensorflow.engine() === tf.engine() && new danfo.DataFrame([[1, 2]]).shape);`,
        { SRPO_ENGINE },
      );
      assert.deepEqual(value, [1, 2], `${SRPO_ENGINE}: ${stderr}`);
    }
  });

  it("computes the same on WebAssembly as on plain JavaScript and on libtensorflow, gradients too", () => {
    const portable = inProcess(TRANSFORMER, { SRPO_ENGINE: "wasm" });
    const wasm = portable.value as Record<string, Computed>;
    assert.equal(portable.stderr, "", "quiet");
    for (const SRPO_ENGINE of ["cpu", ...(existsSync(bindingFiles().binding) ? ["native"] : [])]) {
      const other = inProcess(TRANSFORMER, { SRPO_ENGINE }).value as Record<string, Computed>;
      assert.equal(Object.keys(other).length, 10);
      for (const [name, computed] of Object.entries(other)) {
        for (const part of ["value", "gradient"] as const) {
          assert.equal(wasm[name][part].length, computed[part].length);
          const worst = Math.max(
            ...computed[part].map((want, at) => Math.abs(want - wasm[name][part][at])),
          );
          // Single precision, sums of at most a dozen terms of size one.
          assert.ok(worst < 1e-5, `${name} ${part} on wasm and ${SRPO_ENGINE} differ by ${worst}`);
        }
      }
    }
  });

  it("refuses a back end and a thread count it does not know, naming the variable", () => {
    assert.match(inProcess("", { SRPO_ENGINE: "webgl" }).stderr, /SRPO_ENGINE.*webgl.*native/);
    assert.match(inProcess("", { SRPO_THREADS: "many" }).stderr, /SRPO_THREADS.*many/);
  });

  it("limits the native threads and keeps libtensorflow quiet", function () {
    if (!existsSync(bindingFiles().quiet)) this.skip();
    const env = { SRPO_ENGINE: "native", SRPO_THREADS: "1", TF_CPP_MIN_LOG_LEVEL: "2" };
    const { value, stderr } = inProcess(
      "print([engine.threads, process.env.OMP_NUM_THREADS])",
      env,
    );
    assert.deepEqual(value, [1, "1"]);
    assert.equal(stderr, "");
  });

  it("puts back what Node 23 took from util", () => {
    const old = util as unknown as Record<string, unknown>;
    const kept = [old.isNullOrUndefined, old.isArray];
    try {
      delete old.isNullOrUndefined;
      delete old.isArray;
      restoreUtil();
      const { isNullOrUndefined, isArray } = old as Record<string, (value: unknown) => boolean>;
      assert.deepEqual([null, undefined, 0, ""].map(isNullOrUndefined), [true, true, false, false]);
      assert.deepEqual([[], {}].map(isArray), [true, false]);
    } finally {
      [old.isNullOrUndefined, old.isArray] = kept;
    }
  });
});
