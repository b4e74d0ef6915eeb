import assert from "node:assert/strict";
import {
  trainedSpan,
  trainedTokens,
  type FirstSolutionMask,
} from "../../lib/reflection/first-solution-mask";
import { parseResponse } from "../../lib/reflection/template";
import type { Transition } from "../../lib/types";

const FIRST = "<think>a</think> <answer>1</answer> ";
const REST = "<reflection>r</reflection><think>b</think><answer>2</answer>";

function trained(text: string, mask: FirstSolutionMask, transition: Transition | null): string {
  const { start, end } = trainedSpan(parseResponse(text), mask, transition);
  return text.slice(start, end);
}

describe("reflection/first-solution-mask", () => {
  it("leaves everything in, takes the first solution out, or only where correctness changed", () => {
    for (const transition of ["RR", "WR", "RW", "WW"] as const) {
      assert.equal(trained(FIRST + REST, "never", transition), FIRST + REST);
      assert.equal(trained(FIRST + REST, "always", transition), REST);
      const changes = transition === "WR" || transition === "RW";
      assert.equal(trained(FIRST + REST, "changed", transition), changes ? REST : FIRST + REST);
    }
  });

  it("begins with the second solution where there is no reflection", () => {
    const second = "<think>b</think><answer>2</answer>";
    assert.equal(trained(FIRST + second, "always", "RR"), second);
  });

  it("keeps a response whole that has nothing after its first answer", () => {
    for (const text of ["", "61", FIRST, "<answer>1", "<reflection>r</reflection>" + FIRST]) {
      assert.equal(trained(text, "always", null), text);
    }
  });

  it("trains a token that lies partly in the span, and the end of the turn", () => {
    // Tokens of 4 characters; the span begins at 6, within the second.
    assert.deepEqual(trainedTokens([4, 8, 12, 12], { start: 6, end: 12 }), [
      ...[false, true, true, true],
    ]);
    assert.deepEqual(trainedTokens([4, 8], { start: 0, end: 8 }), [true, true]);
    assert.deepEqual(trainedTokens([4, 8], { start: 4, end: 8 }), [false, true]);
  });
});
