import assert from "node:assert/strict";
import { createRandom } from "../../lib/engine/random";
import { mcnemar, pairedDifference, problemsNeeded } from "../../lib/bench/paired";
import {
  accuracyReport,
  bootstrapMean,
  disjoint,
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

  it("is scipy's bootstrap interval for a mean, about", () => {
    // scipy.stats.bootstrap((np.repeat([0, .5, 1], [40, 20, 40]),), np.mean, method="percentile", n_resamples=200000)
    //   -> about 0.5 ± 1.96 · 0.0449
    const values = [...new Array(40).fill(0), ...new Array(20).fill(0.5), ...new Array(40).fill(1)];
    const { low, high } = bootstrapMean(values, { seed: 1, draws: 20_000 });
    assert.ok(Math.abs(low - 0.412) < 0.01 && Math.abs(high - 0.588) < 0.01, `${low} ${high}`);
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

  it("draws each problem's difference with either sign where problems have several samples", () => {
    // from itertools import product; x = np.array([.5, .25, .75, -.25, .5, 0.25])
    // np.mean([abs(np.dot(s, x)) >= abs(x.sum()) - 1e-9 for s in product([1, -1], repeat=6)])  ->  0.125
    const other = [0.5, 0.25, 0.75, -0.25, 0.5, 0.25].map((step) => 0.25 + step);
    const { p, test, onlyA, onlyB } = pairedDifference(new Array(6).fill(0.25), other);
    assert.deepEqual({ test, onlyA, onlyB }, { test: "sign flip", onlyA: 1, onlyB: 5 });
    assert.ok(Math.abs(p - 0.125) < 0.01, String(p));
  });

  it("needs as many problems as find the difference in four of five comparisons", () => {
    // Connor's formula by hand: d = 0.2, δ = 0.05: (1.95996 √0.2 + 0.84162 √0.1975)² / 0.0025 = 625.5…
    const n = problemsNeeded({ difference: 0.05, discordant: 0.2 });
    assert.equal(n, 626);
    const random = createRandom("power");
    let found = 0;
    for (let trial = 0; trial < 400; trial++) {
      const counts = { a: 0, b: 0 };
      for (let i = 0; i < n; i++) {
        const draw = random.next();
        if (draw < 0.075) counts.a++;
        else if (draw < 0.2) counts.b++;
      }
      if (mcnemar(counts.a, counts.b) <= 0.05) found++;
    }
    // The exact test is a little more cautious than the formula; 400 trials scatter by 2 %.
    assert.ok(found / 400 > 0.7 && found / 400 < 0.88, String(found / 400));
    assert.ok(problemsNeeded({ difference: 0.05, discordant: 0.2, power: 0.9 }) > n);
    assert.throws(() => problemsNeeded({ difference: 0.3, discordant: 0.2 }), /impossible shares/);
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
