import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkNode, compareGpu, diagnose, isHealthy, renderDoctor } from "../../lib/engine/doctor";

const root = join(__dirname, "../../..");

describe("engine/doctor", () => {
  it("finds the clone's packages in working order", async () => {
    const checks = await diagnose({ root });
    const failing = checks.filter(
      ({ name, status }) =>
        // A machine may do without Python; its packages are another matter.
        status === "missing" && !["python", "jupyter", "kernel"].includes(name),
    );
    assert.deepEqual(failing, []);
    assert.ok(checks.some(({ name, detail }) => name === "danfojs" && /shares/.test(detail)));
  });

  it("names a fix for whatever is not in place", async () => {
    const empty = mkdtempSync(join(tmpdir(), "doctor-"));
    try {
      const checks = await diagnose({ root: empty });
      for (const { name, status, fix } of checks) {
        assert.equal(fix === undefined, status === "ok", name);
      }
      const missing = checks.filter(({ status }) => status === "missing").map(({ name }) => name);
      assert.deepEqual(missing, ["python", "jupyter", "kernel"]);
      assert.equal(isHealthy(checks), false);
      assert.match(renderDoctor(checks), /✗ python .*no notebooks\n.*→ install Python/);
    } finally {
      rmSync(empty, { recursive: true });
    }
  });

  it("names the GPU of WebGPU, and advises it only where it is faster and real", () => {
    const cpu = { on: "cpu", software: true, gflops: 130 };
    const gpu = { on: "Apple M2", software: false, gflops: 900 };
    assert.match(compareGpu(cpu, gpu).fix ?? "", /SRPO_DEVICE=webgpu/);
    assert.match(compareGpu(cpu, gpu).detail, /Apple M2, 900 GFLOP\/s.*cpu, 130/);
    assert.equal(compareGpu(cpu, { ...gpu, gflops: 60 }).status, "ok");
    assert.equal(compareGpu(cpu, { ...gpu, software: true }).status, "ok");
    assert.equal(compareGpu(gpu, gpu).detail, "Apple M2, 900 GFLOP/s");
    assert.equal(compareGpu(cpu, undefined).status, "ok");
  });

  it("knows which versions of Node can require ES modules", () => {
    const enough = ["20.19.0", "20.20.2", "22.12.0", "24.0.0"];
    const tooOld = ["18.20.0", "20.18.1", "21.7.0", "22.11.0"];
    for (const version of enough) assert.equal(checkNode(version).status, "ok", version);
    for (const version of tooOld) assert.equal(checkNode(version).status, "missing", version);
  });
});
