import assert from "node:assert/strict";
import { join } from "node:path";
import { readJsonl } from "../../lib/engine/files";
import { projectRoot } from "../../lib/paths";
import { leakOf } from "../../lib/reflection/leaks";
import type { Problem } from "../../lib/types";
import { sums } from "./stage-one";

/** A problem of the fixture, and the wrong answer of the attempt that is reflected on. */
type Case = Pick<Problem, "question" | "answer" | "answerType" | "choices"> & { attempted: string };

const cases: Record<string, Case> = {
  angle: {
    question: "In triangle ABC, AB = AC and angle A is 36°. How large is angle B in degrees?",
    ...{ answer: "72", answerType: "number", attempted: "144" },
  },
  share: {
    question: "What percentage of the travellers take a bus?",
    ...{ answer: "45%", answerType: "number", attempted: "60" },
  },
  price: {
    question: "How many dollars do the bags in the basket cost?",
    ...{ answer: "18.50", answerType: "number", attempted: "27.75" },
  },
  part: {
    question: "Which fraction of the bar is shaded?",
    ...{ answer: "3/8", answerType: "number", attempted: "3/9" },
  },
  below: {
    question: "Solve x + 5 = -2.",
    ...{ answer: "-7", answerType: "number", attempted: "17" },
  },
  planet: {
    question: "Which planet does the picture show?",
    ...{ answer: "Saturn", answerType: "text", attempted: "Jupiter" },
  },
  shape: {
    question: "What kind of triangle is drawn?",
    ...{ answer: "C", answerType: "choice", attempted: "A" },
    choices: ["equilateral", "scalene", "isosceles", "none of these"],
  },
  root: {
    question: "How high is the equilateral triangle with side 4?",
    ...{ answer: "2\\sqrt{3}", answerType: "number", attempted: "\\sqrt{8}" },
  },
  salt: {
    question: "How many grams of water are in 200 g of the mixture?",
    ...{ answer: "180", answerType: "number", attempted: "200" },
  },
  taller: {
    question: "Is the second bar taller than the first?",
    ...{ answer: "No", answerType: "text", attempted: "Yes" },
  },
};

/**
 * Written by hand, by somebody who knew the filter. Round 1 was written against the filter of that day, which caught 5 of its 20 leaks
 * and refused 4 of its 20 honest reflections; the filter's rules were widened afterwards, so that round 1 is no longer held out. Round
 * 2 was written after that, of other sentences on the same problems, and before the filter had seen it.
 */
interface Labelled {
  round: 1 | 2;
  problem: string;
  leak: boolean;
  reflection: string;
}

const rows = readJsonl<Labelled>(
  join(projectRoot, "test/fixtures/reflection/held-out-leaks.jsonl"),
);

/** The reflections of a round with this label that the filter calls leaks, or that it lets pass. */
function those(wanted: { round: 1 | 2; leak: boolean; found: boolean }): string[] {
  return rows
    .filter(({ round, leak }) => round === wanted.round && leak === wanted.leak)
    .filter(({ problem: name, reflection }) => {
      const { attempted, ...own } = cases[name];
      const problem: Problem = { ...sums, reading: undefined, choices: undefined, ...own };
      const attempt = `<think>So.</think> <answer>${attempted}</answer>`;
      return (leakOf(reflection, problem, attempt) !== null) === wanted.found;
    })
    .map(({ reflection }) => reflection);
}

describe("reflection/leaks", () => {
  it("finds leaks that were written to slip through, but for three that need to be understood", () => {
    assert.deepEqual(those({ round: 1, leak: true, found: false }), [
      "I multiplied by three bags instead of two. Eighteen dollars and fifty cents come out then.",
      "I mixed up the sides; the picture shows an isosceles triangle.",
      "I compared the wrong bars; the question has to be answered in the negative.",
    ]);
    assert.equal(those({ round: 1, leak: true, found: true }).length, 17);
    assert.deepEqual(those({ round: 2, leak: true, found: false }), []);
    assert.equal(those({ round: 2, leak: true, found: true }).length, 10);
  });

  it("lets honest reflections pass that speak of keys, labels, given solutions and right ways", () => {
    for (const [round, count] of [
      [1, 20],
      [2, 10],
    ] as const) {
      assert.deepEqual(those({ round, leak: false, found: true }), []);
      assert.equal(those({ round, leak: false, found: false }).length, count);
    }
  });

  it("takes a number for the gold answer in every spelling, and no other number", () => {
    const of = (answer: string, reflection: string): boolean => {
      const problem: Problem = { ...sums, reading: undefined, question: "How many?", answer };
      return leakOf(reflection, problem) !== null;
    };
    const spelt: [string, readonly string[], readonly string[]][] = [
      [
        "-7",
        ["It leaves −7.", "It leaves -7.0", "negative seven", "minus seven", "x = −7", "y=-7"],
        ["It leaves 7.", "seven", "minus seventy", "5-7", "2 - 7 is what I had", "x = -7+2"],
      ],
      ["45%", ["45 %", "45\\%", "45 per cent", "forty-five percent", "0.45"], ["4.5 %", "450"]],
      [
        "3/8",
        ["3/8", "\\frac{3}{8}", "37.5 %", "0.375", "three eighths", "three-eighths"],
        ["13/8", "3/80", "three", "eight", "0.38"],
      ],
      ["120", ["one hundred and twenty", "120.0", "n = 120"], ["one hundred", "12", "60+60=120"]],
      ["2\\sqrt{3}", ["2√3", "$2 \\sqrt3$", "2\\sqrt{3}"], ["√3", "2√5", "12\\sqrt{3}"]],
    ];
    for (const [answer, same, other] of spelt) {
      for (const text of same) assert.ok(of(answer, `I lost ${text}`), `${answer}: ${text}`);
      for (const text of other) assert.ok(!of(answer, `I lost ${text}`), `${answer}: ${text}`);
    }
  });
});
