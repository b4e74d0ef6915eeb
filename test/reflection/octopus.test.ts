import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../lib/paths";
import { rewardPresets } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { parseResponse, renderResponse } from "../../lib/reflection/template";
import type { Solution } from "../../lib/types";

/** What Octopus's published reward returned, see `make_octopus_rewards.py`. */
interface Recorded {
  first: Solution;
  second: Solution | null;
  /** Before it is weighed with the format. */
  correctness: number;
  total: number;
}

const path = join(projectRoot, "test/fixtures/reflection/octopus-rewards.json");
const recorded = JSON.parse(readFileSync(path, "utf8")) as Recorded[];

function score({ first, second }: Recorded) {
  const reflection = second === null ? null : "r";
  return scoreResponse({
    response: parseResponse(
      renderResponse({ first, reflection, second: second ?? { think: null, answer: null } }),
    ),
    problem: { answer: "61", answerType: "number" },
    config: rewardPresets.octopus,
    tokenCount: (text) => text.length,
  });
}

describe("reflection/reward-config, octopus", () => {
  it(`pays the correctness that the published reward paid, on ${recorded.length} pairs`, () => {
    for (const row of recorded) {
      const { accuracy, efficacy } = score(row);
      const paid = accuracy + efficacy;
      const shown = JSON.stringify(row);
      assert.ok(Math.abs(paid - 0.9 * row.correctness) < 1e-9, `${shown} against ${paid}`);
    }
  });

  it("pays its format for two whole solutions, and for nothing that it would not pay", () => {
    const paying = recorded.filter((row) => score(row).format > 0);
    assert.equal(paying.length, 2 * 5, "the filled pairs");
    for (const row of paying) {
      assert.ok(Math.abs(score(row).total - row.total) < 1e-9, JSON.stringify(row));
    }
  });
});
