import assert from "node:assert/strict";
import { apart } from "../../lib/perf/apart";
import { renderReport } from "../../lib/perf/report";
import { spread } from "../../lib/perf/spread";

describe("npm run bench", function () {
  this.timeout(120_000);

  it("measures in a process of its own, whose memory is its own", async () => {
    const { result, peak_mb, before_mb } = await apart(
      "decodeSeconds",
      {
        ...{ hidden: 64, layers: 1, prompts: 2, group: 2 },
        ...{ promptTokens: 8, newTokens: 4, repeats: 3 },
      },
      1,
    );
    assert.equal(result.length, 3);
    assert.ok(result.every((seconds) => seconds > 0));
    assert.ok(before_mb > 50 && peak_mb >= before_mb);
  });

  it("says what failed there", async () => {
    await assert.rejects(
      apart("decodeSeconds", {
        ...{ hidden: 64, layers: 1, prompts: 1, group: 0 },
        ...{ promptTokens: 8, newTokens: 4, repeats: 1 },
      }),
      /decodeSeconds.*failed[\s\S]*group/,
    );
  });

  it("writes every row with its spread, what was measured on, and the command", () => {
    const text = renderReport({
      decode: {
        ...{ title: "Decoding", about: "How.", figures: [], findings: ["It grows."] },
        rows: [
          { batch: 1, tok_per_s: spread([10, 12, 11]) },
          { batch: 64, tok_per_s: spread([400, 410, 500]) },
        ],
        ...{ command: "npm run bench -- decode", at: "2026-11-23T00:00:00Z", seconds: 1, lab: "0" },
        ...{ hardware: "2 × CPU", engine: "engine native", threads: 2, load: 0.25 },
      },
    });
    assert.match(text, /\| batch \| tok_per_s \|\n\| --- \| --- \|/);
    assert.ok(text.includes("| 64 | 410 [400, 500] n = 3 |"));
    assert.ok(text.includes("`npm run bench -- decode` (2 × CPU; engine native; load before 0.3;"));
    assert.ok(text.includes("- It grows."));
  });
});
