import assert from "node:assert/strict";
import { createRuleTeacher } from "../../lib/reflection/teacher";
import { teachAttempts } from "../../lib/reflection/construction";
import { drawnProblems, rightAttempt, sums, wrongAttempt } from "./stage-one";

const teacher = createRuleTeacher();
const right = { extraction: "61", prediction: "61", correct: true, rule: "number" };
const wrong = { ...right, extraction: "51", prediction: "51", correct: false };

describe("reflection/teacher", () => {
  it("does the steps again and says its verdict after them", async () => {
    const attempt = { think: "The bars are 34 and 27. 34+27=61.", answer: "61" };
    assert.deepEqual(await teacher.reflect({ problem: sums, attempt, verdict: right }), {
      reflection: "Check: 4+7=11, 3+2+1=6. Right.",
      second: { think: "So 61.", answer: "61" },
    });
    const slip = { think: "The bars are 34 and 27. 34+27=51.", answer: "51" };
    const { reflection } = await teacher.reflect({ problem: sums, attempt: slip, verdict: wrong });
    assert.equal(reflection, "Check: 4+7=11, 3+2+1=6. Wrong.");
  });

  it("says what the picture shows where it was misread", async () => {
    const attempt = { think: "The bars are 24 and 27. 24+27=51.", answer: "51" };
    const { reflection } = await teacher.reflect({ problem: sums, attempt, verdict: wrong });
    assert.equal(reflection, "Check: The bars are 34 and 27. 4+7=11, 3+2+1=6. Wrong.");
  });

  it("sends problems without steps to another teacher", async () => {
    const attempt = { think: "t", answer: "51" };
    for (const problem of [
      { ...sums, steps: undefined },
      { ...sums, reading: undefined },
    ]) {
      await assert.rejects(
        teacher.reflect({ problem, attempt, verdict: wrong }),
        /sum-1.*another teacher/,
      );
    }
  });

  it("passes its own filters on drawn problems of every family", async () => {
    const problems = drawnProblems(160);
    assert.ok(new Set(problems.map(({ family }) => family)).size >= 8);
    const attempts = problems.map((problem, i) => (i % 3 ? wrongAttempt : rightAttempt)(problem));
    const { samples, dropped } = await teachAttempts(attempts, {
      teacher,
      policy: "test",
      seed: 1,
    });
    assert.deepEqual(dropped, []);
    assert.equal(samples.length, 160);
    for (const sample of samples) {
      assert.equal(sample.second.answer, sample.problem.answer);
    }
  });
});
