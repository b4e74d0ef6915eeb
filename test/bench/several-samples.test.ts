import assert from "node:assert/strict";
import type { LoadedProblem } from "../../lib/bench/load";
import { selectProblems } from "../../lib/bench/select";
import { atK, majority, passAtK, type Vote } from "../../lib/bench/several-samples";

const vote = (prediction: string | null, correct = false): Vote => ({ prediction, correct });

/** All ways to draw k of the votes. */
function draws<T>(items: readonly T[], k: number): T[][] {
  if (k === 0) return [[]];
  return items.flatMap((item, i) =>
    draws(items.slice(i + 1), k - 1).map((rest) => [item, ...rest]),
  );
}

describe("bench/several-samples", () => {
  it("pass@k is the share of all draws of k samples that hold a right one", () => {
    for (const [n, c] of [
      [6, 0],
      [6, 1],
      [6, 3],
      [6, 6],
    ]) {
      const samples = Array.from({ length: n }, (_, i) => i < c);
      for (let k = 1; k <= n; k++) {
        const all = draws(samples, k);
        const share = all.filter((some) => some.some(Boolean)).length / all.length;
        assert.ok(Math.abs(passAtK(n, c, k) - share) < 1e-12, `${n} ${c} ${k}`);
      }
    }
    // math.comb(900, 100) / math.comb(1000, 100) in Python
    assert.ok(Math.abs(1 - passAtK(1000, 100, 100) - 1.4696838026802188e-5) < 1e-12);
  });

  it("maj@k is the most frequent prediction; none does not vote, of a tie the first counts", () => {
    assert.equal(majority([vote("1"), vote("2", true), vote("2", true)]), true);
    assert.equal(majority([vote("1"), vote("2", true)]), false);
    assert.equal(majority([vote(null), vote(null), vote("2", true)]), true);
    assert.equal(majority([vote(null)]), false);
  });

  it("averages over problems for k = 1, 2, 4 and all", () => {
    const rows = atK([
      [vote("1", true), vote("2"), vote("1", true), vote("1", true), vote("3")],
      [vote("1"), vote("2", true), vote("3"), vote("4"), vote("5")],
    ]);
    assert.deepEqual(
      rows.map(({ k }) => k),
      [1, 2, 4, 5],
    );
    assert.deepEqual(rows.at(-1), { k: 5, pass: 1, maj: 0.5, mean: 0.4 });
    assert.ok(Math.abs(rows[0].pass - 0.4) < 1e-12);
    assert.deepEqual([rows[0].maj, rows[0].mean], [0.5, 0.5]);
  });
});

describe("bench/select", () => {
  const problems = Array.from({ length: 90 }, (_, i) => ({
    record: {},
    problem: { id: `p${i}`, subject: i % 3 === 0 ? "physics" : "math", family: "x", level: 1 },
  })) as unknown as LoadedProblem[];
  const ids = (limit: number, seed: string, from = problems): string[] =>
    selectProblems(from, { limit, seed }).map(({ problem }) => problem.id);

  it("keeps the mix and the order, whatever the order of the file", () => {
    const taken = ids(30, "1");
    assert.equal(taken.length, 30);
    assert.equal(taken.filter((id) => Number(id.slice(1)) % 3 === 0).length, 10);
    assert.deepEqual(
      taken,
      [...taken].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
    );
    assert.deepEqual(ids(30, "1", [...problems].reverse()).sort(), [...taken].sort());
  });

  it("gives a larger limit the smaller one's problems too, and another seed others", () => {
    const larger = new Set(ids(60, "1"));
    assert.ok(ids(30, "1").every((id) => larger.has(id)));
    assert.notDeepEqual(ids(30, "2"), ids(30, "1"));
    assert.equal(ids(1000, "1").length, 90);
  });
});
