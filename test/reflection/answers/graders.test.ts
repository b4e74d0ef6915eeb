import assert from "node:assert/strict";
import { optionLetter } from "../../../lib/reflection/answers/option-letter";
import { compareAnswers, type RuleOptions } from "../../../lib/reflection/answers/rules";
import {
  skyThoughtExtract,
  skyThoughtLetter,
  skyThoughtStrip,
} from "../../../lib/reflection/answers/skythought";
import { agreement, scoringRecords } from "./records";

interface Pair {
  id: string;
  gold: string;
  pred: string;
  expected: boolean | null;
  precision?: number | number[];
}

/** gold, prediction, equal?, options; each row shows one line of the family's rule. */
const ROWS: Readonly<Record<string, [string, string, boolean, RuleOptions?][]>> = {
  olympiadbench: [
    ["50", "0.5", true], // a hundredth
    ["0.333", "\\frac13", false],
    ["0.333", "\\frac13", true, { precision: 0.001 }],
    ["1, 0.2", "0.21, 1", true, { precision: [1e-8, 0.01] }], // each answer its own tolerance
    ["x^2+y^2=1", "2x^2+2y^2=2", true], // a whole factor
    ["x^2+y^2=1", "x^2+y^2=2", false],
    ["v=\\sqrt{2gh}", "\\sqrt{2 g h}", true],
    ["1\\pm\\sqrt{2}", "1-\\sqrt{2}, 1+\\sqrt{2}", true],
    ["1\\pm\\sqrt2", "1-\\sqrt{2}, 1+\\sqrt{2}", false], // sympy's grammar wants the braces
    ["[0,1)", "[0,1]", false],
    ["(1,2),(3,4)", "(3,4),(1,2)", true],
    ["$2 \\pi$", "6.28318", false], // a rounded constant needs the item's tolerance
    ["$2 \\pi$", "6.28318", true, { precision: 1e-4 }],
    ["$3$", "The answer is $3$", true],
    ["2^{100000}", "3^{100000}", false],
    ["1", "1, 2", false],
  ],
  "qwen25-math": [
    ["0.1", "10%", true],
    ["75", "0.75", true],
    ["3.1416", "3.14159", true], // a relative 1e-4
    ["3.14", "3.15", false],
    ["B", "The answer is B", true],
    ["5", "x=5", true],
    ["34x+45y-20z+100=0", "-34x-45y+20z-100=0", true], // negated, but not scaled
    ["x+y=1", "2x+2y=2", false],
    ["(1,2)", "[1,2]", true], // brackets say nothing
    ["[1,2,3]", "[3,2,1]", false],
    ["(1,\\frac{9}{2})", "(1,4.5)", true],
    ["\\sec^2(y)", "\\tan^2(y)+1", true],
    ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}", false],
  ],
  "nemo-skills": [
    ["918\\frac{1}{2}", "918.5", true],
    ["\\$5.00", "5", true],
    ["12%", "12", true],
    ["5 \\text{ cm}", "5", true],
    ["\\text{(E)}", "E", true],
    ["E", "2E", false],
    ["B", "b", false], // a choice is no variable
    ["2,3,4", "4,3,2", true],
    ["(1,2)", "(2,1)", false],
    ["0.33", "1/3", false],
  ],
  skythought: [
    ["\\frac{1}{3}", "0.333", true], // a relative 1e-3
    ["1/3", "0.335", false],
    ["\\pi", "3.14", true],
    ["12", "$12.00", true],
    ["5\\text{ cm}", "5", true],
    ["A", "a", true],
    ["2\\sqrt{3}", "3.4641", true],
    ["(1,2)", "(2,1)", false],
  ],
  "lmms-eval": [
    ["B", "the answer is b because of the dog", true],
    ["B", "I would go with (C).", false],
    ["A", "A dog is in the picture", false],
    ["E", "The answer is E", false, { choices: ["A", "B", "C"] }],
  ],
};

describe("reflection/answers: the graders' own rules", function () {
  this.timeout(60_000);

  for (const [rules, rows] of Object.entries(ROWS)) {
    it(`${rules}: ${rows.length} rows, each a line of its rule`, () => {
      for (const [gold, prediction, equal, options] of rows) {
        assert.equal(
          compareAnswers(rules, gold, prediction, options).equal,
          equal,
          `${gold} | ${prediction}`,
        );
      }
    });
  }

  const files: readonly [string, string, number][] = [
    ["olympiadbench_scoring_examples", "olympiadbench", 0.94],
    ["nemo_skills_math_equal", "nemo-skills", 1],
    ["qwen25math_math_equal", "qwen25-math", 1],
    ["skythought_math_parsing", "skythought", 1],
  ];
  for (const [name, rules, floor] of files) {
    it(`agrees with ${name} by its own mode`, function () {
      const records = scoringRecords<{ cases: Pair[] }>(this, name);
      const cases = records.cases.filter(({ expected }) => expected !== null);
      const both = rules === "nemo-skills";
      const equal = (gold: string, pred: string, { precision }: Pair): boolean =>
        compareAnswers(rules, gold, pred, precision === undefined ? {} : { precision }).equal;
      const share = agreement(
        name,
        cases,
        (row) =>
          equal(row.gold, row.pred, row) === row.expected &&
          (!both || equal(row.pred, row.gold, row) === row.expected),
        ({ id, gold, pred }) => `${id}: ${gold} | ${pred}`,
      );
      assert.ok(share >= floor, String(share));
    });
  }

  it("spells, extracts and picks letters as SkyThought does", function () {
    const records = scoringRecords<{
      strip: { raw: string; expected: string }[];
      extract: { response: string; expected: string }[];
      mcq: { response: string; expected: string }[];
    }>(this, "skythought_math_parsing");
    for (const { raw, expected } of records.strip) assert.equal(skyThoughtStrip(raw), expected);
    for (const { response, expected } of records.extract) {
      assert.equal(skyThoughtExtract(response), expected);
    }
    for (const { response, expected } of records.mcq) {
      assert.equal(skyThoughtLetter(response), expected);
    }
    assert.equal(skyThoughtLetter("no letter"), "no letter");
  });

  it("reads option letters as lmms-eval does", function () {
    const records = scoringRecords<{
      cases: { id: string; response: string | null; choices: string[] | null; expected: string }[];
      letter_substitution: { alphabets: string[]; formats: string[] };
    }>(this, "lmms_eval_mcq_extract");
    const share = agreement(
      "lmms_eval_mcq_extract",
      records.cases,
      ({ response, choices, expected }) => (optionLetter(response, choices) ?? "") === expected,
      ({ id, response }) => `${id}: ${response}`,
    );
    assert.ok(share >= 0.97, String(share));
    const { alphabets, formats } = records.letter_substitution;
    const generated = alphabets.flatMap((alphabet) =>
      [...alphabet].flatMap((letter) =>
        [letter.toUpperCase(), letter.toLowerCase()].flatMap((written) =>
          formats.map((format) => ({
            letters: [...alphabet],
            letter: letter.toUpperCase(),
            // The file writes the braces of a box doubled, as Python's format strings do.
            response: format.replace("{letter}", written).replace("{{", "{").replace("}}", "}"),
          })),
        ),
      ),
    );
    const all = agreement(
      "generated letters",
      generated,
      ({ response, letters, letter }) => optionLetter(response, letters) === letter,
      ({ response, letters }) => `${letters.join("")}: ${response}`,
    );
    assert.ok(all >= 0.99, String(all));
  });

  it("reads option letters of the lab's own sentences, and abstains where none is marked", () => {
    const sentences: [string, string | null][] = [
      ["The answer is (B).", "B"],
      ["Answer:\nB", "B"],
      ["B is the correct answer", "B"],
      ["The correct option is: **C**", "C"],
      ["C\n\nExplanation: it is a cat", "C"],
      ["A is wrong, B is right. So the answer is B.", "B"],
      ["Therefore, the answer is:\n\n**B. 12**", "B"],
      ["$\\boxed{\\text{B}}$", "B"],
      ["<think>A? no</think><answer>D</answer>", "D"],
      ["So, B", "B"],
      ["A cat is on the mat", null],
      ["The answer is a dog.", null],
      ["Both A and B", null],
      ["(A) or (B)", null],
      ["The answer is A or B", null],
      ["None of the above", null],
      ["The graph shows vitamin C", null],
      ["Answer: I don't know", null],
      ["AB", null],
    ];
    for (const [response, letter] of sentences) {
      assert.equal(optionLetter(response), letter, response);
    }
  });
});
