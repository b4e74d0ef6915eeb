import assert from "node:assert/strict";
import {
  countTransitions,
  summarizeTransitions,
  transitionOf,
} from "../../lib/reflection/transitions";

describe("reflection/transitions", () => {
  it("names the four transitions, and none where an answer is missing", () => {
    assert.equal(transitionOf(true, true), "RR");
    assert.equal(transitionOf(true, false), "RW");
    assert.equal(transitionOf(false, true), "WR");
    assert.equal(transitionOf(false, false), "WW");
    assert.equal(transitionOf(true, null), null);
    assert.equal(transitionOf(null, true), null);
  });

  it("counts, the responses without a transition too", () => {
    const counts = countTransitions(["RR", "WR", "WR", null, "WW"]);
    assert.deepEqual(counts, { RR: 1, RW: 0, WR: 2, WW: 1, none: 1 });
  });

  it("gives the rates with their denominators", () => {
    const summary = summarizeTransitions([
      { first: true, second: true },
      { first: true, second: true },
      { first: true, second: false },
      { first: false, second: true },
      { first: false, second: false },
      { first: false, second: false },
      { first: true, second: null },
      { first: false, second: null },
    ]);
    assert.equal(summary.n, 8);
    assert.deepEqual(summary.accuracyFirst, { hits: 4, of: 8, value: 0.5 });
    // Two RR, one WR, and the single right answer.
    assert.deepEqual(summary.accuracyFinal, { hits: 4, of: 8, value: 0.5 });
    assert.deepEqual(summary.fixRate, { hits: 1, of: 3, value: 1 / 3 });
    assert.deepEqual(summary.harmRate, { hits: 1, of: 3, value: 1 / 3 });
  });

  it("has no rate where nothing could be fixed or harmed", () => {
    const summary = summarizeTransitions([{ first: true, second: null }]);
    assert.equal(summary.fixRate.value, null);
    assert.equal(summary.harmRate.value, null);
    assert.equal(summarizeTransitions([]).accuracyFirst.value, null);
  });
});
