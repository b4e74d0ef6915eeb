import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../lib/paths";
import { goldOf } from "../../lib/reflection/answer-type";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { defectRows, officialDefects } from "../../lib/reflection/official-defects";
import { scoreResponse, type RewardBreakdown } from "../../lib/reflection/rewards";
import { parseResponse } from "../../lib/reflection/template";

/** What the published function returned, see `make_official_rewards.py`. */
interface Recorded {
  kind: string;
  gold: string;
  response: string;
  accuracy: number;
  format: number;
  length: number;
  total: number;
}

const path = join(projectRoot, "test/fixtures/reflection/official-rewards.json");
const recorded = JSON.parse(readFileSync(path, "utf8")) as Recorded[];

/** The recording counted white-space tokens. */
const tokenCount = (text: string): number => text.split(/\s+/).filter(Boolean).length;

function score({ gold, response }: Recorded, readsBareNumbers: boolean): RewardBreakdown {
  return scoreResponse({
    response: parseResponse(response),
    problem: goldOf(gold),
    config: rewardConfig("official-code", { readsBareNumbers }),
    tokenCount,
  });
}

function agrees(row: Recorded, readsBareNumbers: boolean): boolean {
  const { accuracy, efficacy, format, length, total } = score(row, readsBareNumbers);
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12;
  return (
    near(accuracy + efficacy, row.accuracy) &&
    near(format, row.format) &&
    near(length, row.length) &&
    near(total, row.total)
  );
}

describe("reflection/official-code", () => {
  for (const kind of new Set(recorded.map((row) => row.kind))) {
    const rows = recorded.filter((row) => row.kind === kind);
    it(`pays what the published function paid: ${kind} (${rows.length})`, () => {
      for (const row of rows) {
        const { accuracy, efficacy, format, length, total } = score(row, false);
        const paid = { accuracy: accuracy + efficacy, format, length, total };
        assert.ok(agrees(row, false), `${JSON.stringify(row)} against ${JSON.stringify(paid)}`);
      }
    });
  }

  it("departs from it by default in bare numbers alone, which the published code cannot read", () => {
    const other = recorded.filter((row) => !agrees(row, true)).map(({ kind }) => kind);
    assert.deepEqual([...new Set(other)], ["bare numbers", "bare decimals"]);
    const bare = recorded.filter(({ kind }) => kind === "bare numbers");
    assert.deepEqual(
      bare.map((row) => score(row, true)).map(({ accuracy, efficacy }) => accuracy + efficacy),
      [0.75, 1, 0.25, 0],
    );
  });

  it("still says what is wrong where it pays nothing", () => {
    const row = recorded.find(({ kind }) => kind === "one answer") as Recorded;
    const reward = score(row, false);
    assert.equal(reward.total, 0);
    assert.equal(reward.first.correct, true);
    for (const part of ["format", "accuracy", "efficacy", "length"] as const) {
      assert.match(reward.reasons[part] ?? "", /pays 0 for everything/);
    }
  });

  for (const [i, row] of defectRows().entries()) {
    it(`differs from the paper: ${row.defect}`, () => {
      assert.notEqual(row["code pays"], row["paper pays"]);
      if (row.defect === "no I_ref") return;
      // The missing I_ref is a defect of its own and must not be what makes the others differ.
      const { response, gold } = officialDefects[i];
      const withoutRef = scoreResponse({
        response: parseResponse(response),
        problem: gold,
        config: rewardConfig("no-reflection-format", { alpha: 0 }),
        tokenCount,
      });
      assert.notEqual(row["code pays"], withoutRef.total);
    });
  }

  it("keeps groups that are right twice and drops groups that correct themselves, as its filter is fed", () => {
    const mean = (kind: string, index: number): number =>
      recorded.filter((row) => row.kind === kind)[index].accuracy;
    const [allRight, allCorrected] = [mean("boxed numbers", 0), mean("boxed numbers", 1)];
    assert.ok(allRight >= 0.1 && allRight <= 0.9);
    assert.ok(allCorrected > 0.9);
  });
});
