import assert from "node:assert/strict";
import { anyLength, leakOf, rejectionOf } from "../../lib/reflection/filters";
import type { Problem, ReflectionSample } from "../../lib/types";
import { rightAttempt, sums, wrongAttempt } from "./stage-one";

const NAMES = "names the gold answer";
const TOLD = "speaks of the given answer";

const colour: Problem = { ...sums, answer: "red", answerType: "text", reading: undefined };
const letter: Problem = { ...sums, answer: "A", answerType: "choice", choices: ["61", "62"] };
const negative: Problem = { ...sums, answer: "-3" };

const LEAKS: [Problem, string, string | null][] = [
  [sums, "The result should be 61.", NAMES],
  [sums, "It is $61$, not 51.", NAMES],
  [sums, "\\boxed{61}", NAMES],
  [sums, "61", NAMES],
  [sums, "The correct answer is something else.", TOLD],
  [sums, "Compared with the ground truth this is off.", TOLD],
  [sums, "The Ground-Truth differs.", TOLD],
  [sums, "The answer key says otherwise.", TOLD],
  [sums, "It does not agree with the reference answer.", TOLD],
  [sums, "Check: 34+27=61. Right.", null],
  [sums, "Check: 34 + 27 = 61. Right.", null],
  [sums, "Check: 4+7=11, 3+2+1=6. Wrong.", null],
  [sums, "The 161 and the 610 and 61.5 were mixed up.", null],
  [sums, "The carry was forgotten; that is the right way to answer it.", null],
  [{ ...sums, answer: "34" }, "The first bar is 34.", null],
  [colour, "The bar is Red.", NAMES],
  [colour, "It was scored and reddish.", null],
  [{ ...colour, question: "Is it red or blue?" }, "Red was not looked at.", null],
  [letter, "It must be (A).", NAMES],
  [letter, "So option A holds.", NAMES],
  [letter, "A better look at the carry is needed.", null],
  [negative, "It should be -3 here.", NAMES],
  [negative, "5-8=-3", null],
  [negative, "It is 3.", null],
  [{ ...sums, answer: "f(x)=[1]*" }, "f(x)=[1]* holds", NAMES],
];

function sampleOf(changes: Partial<ReflectionSample> = {}): ReflectionSample {
  const { problem, verdict } = wrongAttempt(sums);
  return {
    problem,
    attempt: { text: "", think: "The bars are 34 and 27. So.", answer: "71" },
    verdict,
    mode: "correct",
    reflection: "Check: 4+7=11, 3+2+1=6. Wrong.",
    second: { think: "So 61.", answer: "61" },
    provenance: { policy: "test", teacher: "test", seed: 1 },
    ...changes,
  };
}

describe("reflection/filters", () => {
  it("finds reflections that give the answer away, and no others", () => {
    for (const [problem, reflection, leak] of LEAKS) {
      assert.equal(leakOf(reflection, problem), leak, `${problem.answer}: ${reflection}`);
    }
  });

  it("finds samples that contradict themselves", () => {
    assert.equal(rejectionOf(sampleOf(), anyLength), null);
    const takes = (changes: Partial<ReflectionSample>): void =>
      assert.equal(rejectionOf(sampleOf(changes), anyLength), null);
    takes({ second: { think: "So.", answer: "61.0 cm" } });
    takes({ reflection: "The carry was forgotten." });
    const cases: [Partial<ReflectionSample>, RegExp][] = [
      [{ second: { think: "So 71.", answer: "71" } }, /not the gold answer/],
      [{ reflection: "Check: 4+7=11, 3+2+1=6. Right." }, /verdict/],
      [{ verdict: rightAttempt(sums).verdict }, /verdict/],
      [{ reflection: " " }, /empty/],
      [{ second: { think: "", answer: "61" } }, /empty/],
      [{ reflection: "r</reflection><think>" }, /tag/],
    ];
    for (const [changes, reason] of cases) {
      assert.match(rejectionOf(sampleOf(changes), anyLength) ?? "", reason);
    }
  });
});
