import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wilson } from "../../lib/bench/report";
import { crossedDifference, crossedRate, seedInterval, type Cell } from "../../lib/bench/crossed";

/** `make_crossed_fixture.py` wrote it with numpy and scipy. */
interface Golden {
  right: number[][];
  better: number[][];
  of: number[][];
  rate: [number, number];
  ratio: [number, number];
  difference: [number, number];
  oneSeed: [number, number];
  t: { values: number[]; interval: [number, number] }[];
  quantiles: number[];
}

const golden = JSON.parse(
  readFileSync(join(__dirname, "../../../test/fixtures/bench/crossed.json"), "utf8"),
) as Golden;
const { right, better, of } = golden;

const cells = (hits: readonly number[][], among?: readonly number[][]): Cell[][] =>
  hits.map((row, s) =>
    row.map((hit, i) => {
      const n = among?.[s][i] ?? 1;
      return { hits: hit * n, of: n };
    }),
  );

/** Two bootstraps of 20,000 and 100,000 draws differ by chance; on 180 answers a quantile by less than `tolerance`. */
function close(
  { low, high }: { low: number; high: number },
  known: [number, number],
  tolerance = 0.008,
): void {
  assert.ok(Math.abs(low - known[0]) < tolerance, `${low} against ${known[0]}`);
  assert.ok(Math.abs(high - known[1]) < tolerance, `${high} against ${known[1]}`);
}

describe("crossed", () => {
  const options = { draws: 20_000 };

  it("has numpy's pigeonhole interval of a rate, of a ratio and of a paired difference", () => {
    close(crossedRate(cells(right), options), golden.rate);
    close(crossedRate(cells(right, of), options), golden.ratio);
    close(crossedDifference(cells(right), cells(better), options), golden.difference);
  });

  it("of one seed is scipy's bootstrap over problems", () => {
    // The mean of 60 answers moves in steps of a sixtieth.
    close(crossedRate(cells(right.slice(0, 1)), options), golden.oneSeed, 1.01 / 60);
  });

  it("is narrower over problems alone: seeds add what they differ by", () => {
    const seeds = [0.2, 0.5, 0.8].map((p) =>
      right[0].map((_, i) => ({ hits: +(i < 60 * p), of: 1 })),
    );
    const all = crossedRate(seeds);
    const pooled = crossedRate([seeds.flat()]);
    assert.ok(all.high - all.low > 2 * (pooled.high - pooled.low));
    assert.deepEqual(all.seeds, [0.2, 0.5, 0.8]);
    assert.equal(all.value, pooled.value);
  });

  it("is not sure of a rate that was never seen to be anything but 0 or 1", () => {
    const all = (hits: number): Cell[][] => [1, 2].map(() => right[0].map(() => ({ hits, of: 1 })));
    const never = crossedRate(all(0));
    assert.deepEqual([never.value, never.low], [0, 0]);
    assert.equal(never.high, wilson(0, 60).high);
    assert.equal(crossedRate(all(1)).low, wilson(60, 60).low);
  });

  it("counts what there is to hit, and leaves problems out where one of a pair has nothing", () => {
    const some: Cell[][] = [
      [
        { hits: 1, of: 2 },
        { hits: 0, of: 0 },
        { hits: 1, of: 1 },
      ],
    ];
    const rate = crossedRate(some);
    assert.deepEqual([rate.value, rate.problems, rate.of], [2 / 3, 2, 3]);
    const full: Cell[][] = [[1, 1, 1].map((hits) => ({ hits, of: 1 }))];
    const difference = crossedDifference(some, full);
    assert.deepEqual([difference.value, difference.problems], [0.25, 2]);
    const nothing = crossedRate([[{ hits: 0, of: 0 }]]);
    assert.ok(Number.isNaN(nothing.value) && Number.isNaN(nothing.low));
  });

  it("refuses seeds that have not the same problems", () => {
    assert.throws(() => crossedRate([]), /crossedRate: the seeds have not the same problems/);
    assert.throws(
      () => crossedDifference(cells(right), cells(right.slice(1))),
      /crossedDifference/,
    );
  });

  it("has scipy's t interval over seeds", () => {
    for (const { values, interval } of golden.t) {
      const { low, high } = seedInterval(values);
      assert.ok(Math.abs(low - interval[0]) < 1e-12 && Math.abs(high - interval[1]) < 1e-12);
    }
    golden.quantiles.forEach((t, i) => {
      const n = i + 2;
      const values = Array.from({ length: n }, (_, k) => k);
      const { mean, high } = seedInterval(values);
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
      assert.ok(Math.abs((high - mean) / Math.sqrt(variance / n) - t) < 1e-9);
    });
    assert.deepEqual(seedInterval([0.4]), { mean: 0.4, low: -Infinity, high: Infinity });
    assert.throws(() => seedInterval(new Array<number>(17).fill(0)), /seedInterval/);
  });
});
