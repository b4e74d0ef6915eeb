import assert from "node:assert/strict";
import { median, spread, straightLine } from "../../lib/perf/spread";

describe("spread of measurements", () => {
  it("gives median, smallest, largest and number", () => {
    assert.deepEqual(spread([3, 1, 2]), { n: 3, median: 2, low: 1, high: 3 });
    assert.equal(median([4, 1, 3, 2]), 2.5);
  });

  it("finds a straight line, and says how little of a level cloud lies on one", () => {
    const { slope, intercept, r2 } = straightLine([1, 2, 4], [5, 8, 14]);
    assert.ok(Math.abs(slope - 3) < 1e-12 && Math.abs(intercept - 2) < 1e-12);
    assert.ok(Math.abs(r2 - 1) < 1e-12);
    assert.ok(straightLine([1, 2, 3, 4], [1, -1, -1, 1]).r2 < 1e-12);
  });

  it("agrees with Anscombe's published fit", () => {
    // Anscombe, Graphs in Statistical Analysis (1973), data set 1: y = 3.00 + 0.500 x, r² = 0.67.
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const { slope, intercept, r2 } = straightLine(x, y);
    assert.deepEqual(
      [slope.toFixed(3), intercept.toFixed(2), r2.toFixed(2)],
      ["0.500", "3.00", "0.67"],
    );
  });
});
