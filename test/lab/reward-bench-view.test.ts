import assert from "node:assert/strict";
import { checkFigure, describeFigure } from "../../lib/lab/chart";
import {
  advantageRows,
  attackRows,
  bestPolicyRows,
  boundaryFigure,
  findingRows,
  truthTableRows,
} from "../../lib/lab/reward-bench-view";
import { tableBundle } from "../../lib/lab/tables";
import { benchReward, type BenchReport } from "../../lib/reflection/reward-bench/bench";
import { rewardFunction } from "../../lib/reflection/reward-bench/trial";
import { rewardPresets } from "../../lib/reflection/reward-config";

describe("lab/reward-bench-view", function () {
  this.timeout(60_000);

  let report: BenchReport;
  before(async () => {
    report = await benchReward({ name: "paper", reward: rewardFunction(rewardPresets.paper) });
  });

  it("shows the truth table with a column a transition", () => {
    const rows = truthTableRows(report);
    const target = rows.find((row) => row.form === "well-formed" && row.length === "target");
    assert.equal((target?.RR as number).toFixed(2), "1.60");
    assert.deepEqual(rows.at(-1), { form: "one solution", length: "", RR: 0.5, WW: 0 });
  });

  it("puts what speaks against the reward first", () => {
    assert.equal(attackRows(report)[0].outcome, "exploited");
    assert.equal(attackRows(report).length, report.attacks.length);
    assert.equal(findingRows(report)[0][""], "✗");
  });

  it("has the best policy for every a and r", () => {
    const rows = bestPolicyRows(report, 46);
    assert.equal(rows.length, 9);
    assert.equal(rows[4]["r 0.9"], "honest");
    assert.equal(rows[4]["r 0.2"], "vacuous");
  });

  it("is made of tables that can be shown", () => {
    for (const rows of [truthTableRows(report), attackRows(report), advantageRows(report)]) {
      assert.match(tableBundle(rows)["text/plain"], /─/);
    }
  });

  it("draws one curve a length of the first solution, and the diagonal", () => {
    const figure = boundaryFigure(report);
    checkFigure("test", figure);
    assert.equal(figure.lines?.length, 6);
    assert.match(describeFigure(figure), /first solution of 46 tokens: 10\.\d % → 90\.\d %/);
  });
});
