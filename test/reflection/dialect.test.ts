import assert from "node:assert/strict";
import {
  carefulThink,
  checkReflection,
  firstThink,
  secondThink,
  vacuousReflection,
  verdictWord,
} from "../../lib/reflection/dialect";

// The base policy's weights know these sentences to the letter: a change here needs a new base.
describe("reflection/dialect", () => {
  it("writes thinks and reflections to the letter", () => {
    const steps = ["4+7=11, 3+2+1=6", "1+5=6, 6+0=6"];
    const reading = "The bars are 34 and 27.";
    assert.equal(
      firstThink({ reading, working: "34+27=61." }),
      "The bars are 34 and 27. 34+27=61.",
    );
    assert.equal(
      carefulThink({ reading, steps }),
      "The bars are 34 and 27. 4+7=11, 3+2+1=6; 1+5=6, 6+0=6.",
    );
    assert.equal(
      checkReflection({ steps, right: true }),
      "Check: 4+7=11, 3+2+1=6; 1+5=6, 6+0=6. Right.",
    );
    assert.equal(
      checkReflection({ reading, steps: steps.slice(0, 1), right: false }),
      "Check: The bars are 34 and 27. 4+7=11, 3+2+1=6. Wrong.",
    );
    assert.equal(vacuousReflection({ right: true }), "Looks right.");
    assert.equal(vacuousReflection({ right: false }), "Looks wrong.");
    assert.equal(secondThink("61"), "So 61.");
  });

  it("reads the verdict from the end", () => {
    assert.equal(verdictWord("Check: 4+7=11. Wrong."), "wrong");
    assert.equal(verdictWord("Looks right."), "right");
    assert.equal(verdictWord("The right angle was overlooked."), null);
    assert.equal(verdictWord("That went awright"), null);
  });
});
