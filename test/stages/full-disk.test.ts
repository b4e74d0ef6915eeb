import assert from "node:assert/strict";
import fs, { readdirSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../../lib/engine/errors";
import { appendJsonl, readJsonl, writeFileAtomic } from "../../lib/engine/files";
import { createRuleTeacher } from "../../lib/reflection/teacher";
import { constructData } from "../../lib/stages/construct";
import type { StageOptions, StageResult } from "../../lib/stages/context";
import { evaluate } from "../../lib/stages/evaluate";
import { finetune } from "../../lib/stages/finetune";
import { reinforce } from "../../lib/stages/reinforce";
import { listener, spec, testLab } from "./lab";

/**
 * Runs `work` on a disk that takes so many bytes. As a real one, it takes what fits of a write and refuses the next.
 * @returns the bytes that were written
 */
async function withDisk(capacity: number, work: () => unknown): Promise<number> {
  const real = fs.writeSync as (handle: number, ...rest: unknown[]) => number;
  let written = 0;
  const limited = (handle: number, bytes: Uint8Array, at: number, length: number): number => {
    const fits = Math.min(length, capacity - written);
    if (fits === 0 && length > 0) {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    }
    written += fits;
    return real(handle, bytes, at, fits);
  };
  fs.writeSync = limited as typeof fs.writeSync;
  try {
    await work();
  } finally {
    fs.writeSync = real as typeof fs.writeSync;
  }
  return written;
}

/** The error of a full disk names the file and what to do. */
function tellsOfTheDisk(error: Error): boolean {
  assert.ok(error instanceof LabError, error.stack);
  const root = process.env.SRPO_RUNS as string;
  assert.ok(error.message.includes(`cannot write ${root}`), error.message);
  assert.match(error.message, /\(ENOSPC\).*Try: free some disk space, then run again/);
  return true;
}

describe("a full disk", function () {
  this.timeout(120_000);
  const lab = testLab(40);
  const file = (name: string): string => join(process.env.SRPO_RUNS as string, name);

  it("leaves the old file whole where a new one does not fit", async () => {
    writeFileAtomic(file("a.json"), "old");
    await assert.rejects(
      withDisk(2, () => writeFileAtomic(file("a.json"), "longer")),
      tellsOfTheDisk,
    );
    assert.equal(fs.readFileSync(file("a.json"), "utf8"), "old");
    assert.deepEqual(readdirSync(process.env.SRPO_RUNS as string), ["a.json"]);
  });

  it("keeps the lines before the one that does not fit", async () => {
    appendJsonl(file("a.jsonl"), { step: 1 });
    await assert.rejects(
      withDisk(5, () => appendJsonl(file("a.jsonl"), { step: 2 })),
      tellsOfTheDisk,
    );
    assert.deepEqual(readJsonl(file("a.jsonl")), [{ step: 1 }]);
  });

  it("is what Linux's own full device is", function () {
    if (!fs.existsSync("/dev/full")) this.skip();
    assert.throws(() => appendJsonl("/dev/full", {}), /cannot write \/dev\/full \(ENOSPC\)/);
  });

  const construct = (options: StageOptions = {}) =>
    constructData(spec, lab.base, lab.problems, createRuleTeacher(), options);
  const stages: Record<string, (options: StageOptions) => Promise<StageResult>> = {
    construct,
    finetune: async (options) => finetune(spec, lab.base, await construct(), "reflection", options),
    reinforce: (options) =>
      reinforce(spec, {
        ...{ name: "GRPO", from: lab.base, reward: "task-only", problems: lab.problems },
        ...options,
      }),
    evaluate: (options) => evaluate(spec, lab.base, lab.problems, "test", options),
  };
  for (const [name, stage] of Object.entries(stages)) {
    it(`stops ${name} wherever it is, and the stage goes on when there is room`, async () => {
      const root = process.env.SRPO_RUNS as string;
      if (name === "finetune") await construct();
      const whole = await withDisk(Infinity, () => stage({}));
      for (const share of [0.001, 0.3, 0.6, 0.9, 0.999]) {
        process.env.SRPO_RUNS = `${root}-${share}`;
        if (name === "finetune") await construct();
        const { heard, options } = listener();
        const full = withDisk(Math.floor(share * whole), () => stage(options));
        await assert.rejects(full, tellsOfTheDisk);
        if (heard.total > 0) assert.match(heard.ends[0] ?? "", /ENOSPC/);
        // Nothing half-written beside the whole files, but for the checkpoint that was on its way.
        const left = readdirSync(process.env.SRPO_RUNS, { recursive: true, encoding: "utf8" });
        assert.deepEqual(
          left.filter((path) => /tmp/.test(path) && !/\.step-\d+\.tmp/.test(path)),
          [],
        );
        const again = listener();
        const { cached, run, summary } = await stage(again.options);
        assert.equal(cached, false);
        if (name === "evaluate") continue;
        // Two checkpoints were there before the end, or all the attempts.
        if (share === 0.9) assert.ok(again.heard.earlier.length > 0);
        if (name === "construct") continue;
        const rows = readJsonl<{ step: number }>(join(run.folder, "metrics.jsonl"));
        assert.deepEqual(
          rows.map(({ step }) => step),
          Array.from({ length: summary.steps }, (_unused, i) => i + 1),
        );
      }
    });
  }
});
