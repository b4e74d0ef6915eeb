import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const cli = path.resolve(__dirname, "../../lib/cli.js");

describe("srpo score", function () {
  this.timeout(60_000);

  it("gives one row a row, in order, with its identifier; a bad row loses no other", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "srpo-score-"));
    const tables = path.join(folder, "tables.json");
    const item = { options: [], answer: "61", level: 2, subject: "algebra" };
    const rows = [
      { ...item, id: "a", response: "So \\boxed{61}." },
      { ...item, id: "b" },
      { ...item, id: "c", extraction: "60" },
    ];
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [cli, "score", "mathvision", "--in", "-", "--tables", tables],
      { input: rows.map((row) => JSON.stringify(row)).join("\n"), encoding: "utf8" },
    );
    const [a, b, c] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(a, {
      id: "a",
      extraction: "61",
      prediction: "61",
      correct: true,
      rule: "official/extract+is-equal",
    });
    assert.match(String(b.error), /no response/);
    assert.deepEqual([c.id, c.correct], ["c", false]);
    assert.match(stderr, /50\.00 % of 2 right/);
    assert.equal(status, 1);
    rmSync(folder, { recursive: true });
  });

  it("writes the benchmark's categories", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "srpo-score-"));
    const tables = path.join(folder, "tables.json");
    const row = {
      id: "a",
      options: [],
      answer: "61",
      level: 2,
      subject: "algebra",
      extraction: "61",
    };
    const { status } = spawnSync(
      process.execPath,
      [cli, "score", "mathvision", "--in", "-", "--tables", tables],
      { input: JSON.stringify(row), encoding: "utf8" },
    );
    assert.equal(status, 0);
    const written = JSON.parse(readFileSync(tables, "utf8")) as Record<string, unknown>;
    assert.deepEqual(written.subject_level, {
      algebra_level2: { accuracy: 1, correct: 1, total: 1 },
    });
    rmSync(folder, { recursive: true });
  });

  it("names benchmarks and families it does not know", () => {
    for (const words of [["nope"], ["mathvista", "--rules", "mine"]]) {
      const { status, stderr } = spawnSync(
        process.execPath,
        [cli, "score", ...words, "--in", "-"],
        {
          input: "",
          encoding: "utf8",
        },
      );
      assert.equal(status, 2);
      assert.match(stderr, /mathverse|vlmevalkit/);
    }
  });
});
