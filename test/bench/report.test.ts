import assert from "node:assert/strict";
import {
  accuracyReport,
  disjoint,
  mcnemar,
  pairedDifference,
  reportRows,
  wilson,
  type JudgedRow,
} from "../../lib/bench/report";

describe("report: intervals", () => {
  // from statsmodels.stats.proportion import proportion_confint (0.15.0)
  // [proportion_confint(c, n, method="wilson") for c, n in ...]
  const known: [number, number, number, number][] = [
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371106, 1],
    [7, 10, 0.39677814746114537, 0.8922087325936989],
    [215, 500, 0.3873016475903593, 0.47376576007425814],
    [1, 1, 0.2065493143772374, 1],
    [81, 263, 0.2552885198782742, 0.36620957698280004],
    [499, 500, 0.9887592932948532, 0.9996468636054407],
  ];
  for (const [correct, n, low, high] of known) {
    it(`is statsmodels' Wilson interval for ${correct} of ${n}`, () => {
      const interval = wilson(correct, n);
      assert.ok(Math.abs(interval.low - low) < 1e-12, `${interval.low} against ${low}`);
      assert.ok(Math.abs(interval.high - high) < 1e-12, `${interval.high} against ${high}`);
      assert.equal(interval.value, correct / n);
    });
  }

  it("knows nothing from no data", () => {
    const { low, high, n } = wilson(0, 0);
    assert.deepEqual([low, high, n], [0, 1, 0]);
  });

  it("refuses impossible counts with both of them in the message", () => {
    assert.throws(() => wilson(11, 10), /wilson: impossible counts.*"correct":11,"n":10/);
    assert.throws(() => wilson(0.5, 10), /wilson/);
  });

  it("tells intervals that touch from intervals that do not", () => {
    assert.equal(disjoint({ low: 0.1, high: 0.2 }, { low: 0.21, high: 0.3 }), true);
    assert.equal(disjoint({ low: 0.21, high: 0.3 }, { low: 0.1, high: 0.2 }), true);
    assert.equal(disjoint({ low: 0.1, high: 0.2 }, { low: 0.2, high: 0.3 }), false);
    assert.equal(disjoint({ low: 0.1, high: 0.9 }, { low: 0.4, high: 0.5 }), false);
  });
});

describe("report: paired comparison", () => {
  // from statsmodels.stats.contingency_tables import mcnemar
  // mcnemar([[50, b], [c, 30]], exact=True).pvalue
  const known: [number, number, number][] = [
    [0, 0, 1],
    [3, 12, 0.03515625],
    [59, 86, 0.030481814649487685],
    [10, 10, 1],
    [1, 0, 1],
    // 2^-1500 is no double any more.
    [700, 800, 0.010559255466711506],
  ];
  for (const [onlyA, onlyB, p] of known) {
    it(`is statsmodels' exact McNemar test for ${onlyA} against ${onlyB}`, () => {
      assert.ok(Math.abs(mcnemar(onlyA, onlyB) - p) < 1e-9 * Math.max(1, p));
      assert.equal(mcnemar(onlyA, onlyB), mcnemar(onlyB, onlyA));
    });
  }

  const a = Array.from({ length: 500 }, (_, i) => i < 59 || i >= 400);
  const b = Array.from({ length: 500 }, (_, i) => (i >= 59 && i < 145) || i >= 400);

  it("counts the problems that only one policy gets right", () => {
    const { onlyA, onlyB, difference, n, p } = pairedDifference(a, b);
    assert.deepEqual({ onlyA, onlyB, n }, { onlyA: 59, onlyB: 86, n: 500 });
    assert.ok(Math.abs(difference - 0.054) < 1e-12);
    assert.ok(Math.abs(p - 0.030481814649487685) < 1e-9);
  });

  it("bootstraps scipy's interval", () => {
    // steps = np.array([1] * 86 + [-1] * 59 + [0] * 355)
    // scipy.stats.bootstrap((steps,), np.mean, method="percentile", n_resamples=200000, random_state=0)
    //   -> low 0.008, high 0.1; the ends of 20 000 draws scatter by about one problem (0.002)
    const { low, high } = pairedDifference(a, b, { draws: 20_000, seed: 3 });
    assert.ok(Math.abs(low - 0.008) <= 0.003, `low ${low}`);
    assert.ok(Math.abs(high - 0.1) <= 0.003, `high ${high}`);
  });

  it("repeats with its seed and differs with another", () => {
    const draw = (seed: number): unknown => pairedDifference(a, b, { seed, draws: 50 });
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
  });

  it("refuses lists that are not of the same problems", () => {
    assert.throws(() => pairedDifference([true], [true, false]), /equal lengths/);
    assert.throws(() => pairedDifference([], []), /at least 1/);
  });
});

describe("report: accuracies", () => {
  const row = (family: string, first: boolean, second: boolean, tokens: number): JudgedRow => ({
    family,
    correct: second,
    firstCorrect: first,
    secondCorrect: second,
    transition: `${first ? "R" : "W"}${second ? "R" : "W"}`,
    tokens,
  });
  const rows = [
    row("bars", false, true, 40),
    row("bars", true, true, 20),
    row("clock", true, false, 60),
    row("bars", false, false, 30),
    { family: "clock", correct: true, transition: null, tokens: 10 } satisfies JudgedRow,
  ];

  it("adds up by family and overall, with first and second answers over those that have one", () => {
    const { overall, families } = accuracyReport(rows);
    assert.deepEqual(
      families.map(({ family, n, accuracy }) => [family, n, accuracy]),
      [
        ["bars", 3, 2 / 3],
        ["clock", 2, 0.5],
      ],
    );
    assert.deepEqual(overall.transitions, { RR: 1, RW: 1, WR: 1, WW: 1 });
    assert.equal(overall.n, 5);
    assert.equal(overall.accuracy, 0.6);
    assert.equal(overall.accFirst, 0.5);
    assert.equal(overall.accFinal, 0.5);
    assert.equal(overall.meanTokens, 32);
    assert.equal(overall.low, wilson(3, 5).low);
  });

  it("has no first accuracy where no response has two answers", () => {
    const { overall } = accuracyReport([{ family: "bars", correct: true, tokens: 5 }]);
    assert.equal(overall.accFirst, null);
    assert.equal(overall.accFinal, null);
  });

  it("gives rows for a table, the whole last", () => {
    const table = reportRows(accuracyReport(rows));
    assert.deepEqual(
      table.map((r) => r.family),
      ["bars", "clock", "overall"],
    );
    assert.equal(table[2].WR, 1);
  });
});
