import assert from "node:assert/strict";
import { LabError } from "../../lib/engine/errors";
import { isFiltering, keepsGroup } from "../../lib/train/filter";
import { checkObjective, lossRecipe, LOSSES, objectiveDefaults } from "../../lib/train/objective";

describe("keepsGroup", () => {
  const group = (right: number): boolean[] => Array.from({ length: 8 }, (_unused, i) => i < right);
  const kept = (filterLow: number, filterHigh: number): number[] =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((right) =>
      keepsGroup(group(right), { filterLow, filterHigh }),
    );

  it("drops groups that are all right or all wrong under the paper's bounds, and none without bounds", () => {
    assert.deepEqual(kept(0.1, 0.9), [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(kept(0, 1), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(kept(0.25, 0.5), [2, 3, 4]);
    assert.deepEqual(
      [
        isFiltering({ filterLow: 0, filterHigh: 1 }),
        isFiltering({ filterLow: 0, filterHigh: 0.9 }),
      ],
      [false, true],
    );
  });
});

describe("an objective", () => {
  const limits = { maxNewTokens: 112, group: 8 };

  it("stands as the papers set it, for every loss", () => {
    for (const loss of LOSSES) {
      const recipe = lossRecipe(loss, limits);
      assert.equal(recipe.loss, loss);
      checkObjective("here", { ...objectiveDefaults, ...recipe, maxNewTokens: 112 });
    }
    // All but groups of nothing but right or nothing but wrong answers.
    const { filterLow = 0, filterHigh = 1 } = lossRecipe("dapo", limits);
    const keeps = (right: number): boolean =>
      keepsGroup(
        Array.from({ length: 8 }, (_unused, i) => i < right),
        { filterLow, filterHigh },
      );
    assert.deepEqual([0, 1, 7, 8].map(keeps), [false, true, true, false]);
  });

  it("is refused where its settings contradict each other", () => {
    const refuses = (changes: object, message: RegExp): void =>
      assert.throws(
        () => checkObjective("here", { ...objectiveDefaults, maxNewTokens: 112, ...changes }),
        (error: Error) => error instanceof LabError && message.test(error.message),
      );
    refuses({ filterLow: 0.9, filterHigh: 0.1 }, /keeps no group/);
    refuses({ filterHigh: 90 }, /keeps no group/);
    refuses({ maxDraws: 3 }, /drops nothing.*filterLow/);
    refuses({ overlongBuffer: 113 }, /overlongBuffer.*112/);
    refuses({ importanceMax: 0.5 }, /exclude 1/);
  });
});
