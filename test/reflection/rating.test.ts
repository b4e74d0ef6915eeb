import assert from "node:assert/strict";
import { computes, rateReflection } from "../../lib/reflection/rating";
import type { Transition } from "../../lib/types";

const problem = { steps: ["4+7=11, 3+2+1=6"] };
const rate = (reflection: string | null, transition: Transition | null) =>
  rateReflection({ reflection }, transition, problem);

describe("rating", () => {
  it("is decided by the answers where they change", () => {
    assert.equal(rate("Looks wrong.", "RW"), "detrimental");
    assert.equal(rate("Looks wrong.", "WR"), "effective");
    assert.equal(rate("Check: 4+7=11. Wrong.", "WW"), "redundant");
  });

  it("calls a confirmation effective only where it is computed, rightly, and to the point", () => {
    assert.equal(rate("Check: 4+7=11, 3+2+1=6. Right.", "RR"), "effective");
    assert.equal(rate("Looks right.", "RR"), "redundant");
    assert.equal(rate("Check: 4+7=12. Right.", "RR"), "redundant");
    assert.equal(rate("Check: 1+1=2. Right.", "RR"), "redundant");
    assert.equal(rate("Check: 4+7=11. Wrong.", "RR"), "redundant");
  });

  it("says nothing where there is no reflection between two answers", () => {
    assert.equal(rate(null, "RR"), null);
    assert.equal(rate("Check: 4+7=11. Right.", null), null);
  });

  it("computes with products before sums", () => {
    assert.ok(computes("2+3*4=14 and 20-6=14"));
    assert.ok(!computes("2+3*4=20"));
    assert.ok(!computes("It is 14."));
  });
});
