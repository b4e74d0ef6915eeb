import assert from "node:assert/strict";
import { join } from "node:path";
import { readJsonl } from "../../lib/engine/files";
import { projectRoot } from "../../lib/paths";
import { judge } from "../../lib/reflection/equality";
import { anyLength, rejectionOf } from "../../lib/reflection/filters";
import { leakOf } from "../../lib/reflection/leaks";
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

  it("takes what the attempt says itself for no leak", () => {
    const said = { text: "", think: "34+27 is 61, no, 71.", answer: "71" };
    const reflection = "I had 61 and then changed the tens, a slip.";
    assert.equal(
      rejectionOf(sampleOf({ reflection }), anyLength),
      "the reflection names the gold answer",
    );
    const attempt = { ...said, text: said.think };
    assert.equal(rejectionOf(sampleOf({ reflection, attempt }), anyLength), null);
    assert.equal(leakOf("It must be (A).", letter, "A bar is <answer>B</answer>"), NAMES);
    assert.equal(leakOf("It must be (A).", letter, "A bar is <answer>A</answer>"), null);
    const { verdict } = rightAttempt(sums);
    const right = { verdict, attempt: { text: "So 61.", think: "So 61.", answer: "61" } };
    const praise = { ...right, reflection: "The sum 61 rests on the carry from 4+7=11." };
    assert.equal(rejectionOf(sampleOf(praise), anyLength), null);
  });

  it("wants a flaw of a wrong attempt, in a passage that the attempt has", () => {
    const flawOf = (reflection: string, quote?: string): string | null =>
      rejectionOf(
        sampleOf({ reflection, ...(quote === undefined ? {} : { flaw: { quote, fault: "f" } }) }),
        anyLength,
      );
    const none = /names no flaw/;
    assert.match(flawOf("Adding 34 and 27 goes by ones and then tens.") ?? "", none);
    assert.match(flawOf("Let me add the bars 34 and 27 column by column.") ?? "", none);
    for (const good of [
      "The carry from 4+7=11 was forgotten.",
      "I misread the left bar, it ends above 30.",
      "The tens should be 3+2+1=6.",
      "3+2 did not count what 4+7=11 carries.",
    ]) {
      assert.equal(flawOf(good), null, good);
    }
    const carry = "The carry from 4+7=11 was forgotten.";
    assert.equal(flawOf(carry, "the bars are  $34$ and 27"), null);
    assert.match(flawOf(carry, "the bars are 35 and 27") ?? "", /quoted passage/);
    assert.match(flawOf(carry, "…") ?? "", /quoted passage/);
  });

  it("finds reflections that contradict the gold answer or the verdict, and no others", () => {
    const wrong = (reflection: string): string | null =>
      rejectionOf(sampleOf({ reflection }), anyLength);
    const { verdict } = rightAttempt(sums);
    const attempt = { text: "So 61.", think: "So 61.", answer: "61" };
    const right = (reflection: string): string | null =>
      rejectionOf(sampleOf({ reflection, verdict, attempt }), anyLength);
    assert.match(wrong("The reasoning is correct, nothing of 34+27 is missing.") ?? "", /verdict/);
    assert.match(wrong("I forgot the carry, so the answer is 62.") ?? "", /another answer/);
    assert.equal(wrong("The reasoning is correct until 4+7=11, whose carry is forgotten."), null);
    assert.equal(wrong("The answer is 71 because the carry was counted twice, a mistake."), null);
    assert.match(right("The answer is wrong since 4+7=11 was not carried.") ?? "", /verdict/);
    assert.equal(right("My answer is 61, and 4+7=11 shows the carry that it needs."), null);
    assert.equal(right("It is not wrong to start with the tens, but 4+7=11 changes them."), null);
  });

  it("bounds lengths, and refuses stock phrases and marks of pictures", () => {
    const bounds = { reflection: [5, 20], secondThink: [1, 5] } as const;
    const of = (changes: Partial<ReflectionSample>) => rejectionOf(sampleOf(changes), bounds) ?? "";
    assert.match(of({ reflection: "Forgot the carry 4+7=11." }), /reflection is too short/);
    assert.match(
      of({ reflection: `Forgot the carry. ${"so ".repeat(20)}` }),
      /reflection is too long/,
    );
    const reflection = "The carry from 4+7=11 was forgotten.";
    assert.match(
      of({ reflection, second: { think: "a b c d e f", answer: "61" } }),
      /second reasoning is too long/,
    );
    assert.match(of({ reflection: "There is a mistake in the solution." }), /stock phrase/);
    assert.match(of({ reflection: `${reflection} <image>` }), /mark of a picture/);
  });

  describe("on reflections that were labelled by hand", () => {
    const problems: Record<string, Partial<Problem>> = {
      sum: {},
      small: { answer: "7", question: "How often does the small one fit?", reading: "" },
      neg: { answer: "-3", question: "Solve x+8=5.", reading: "" },
      half: { answer: "1/2", question: "Which part is shaded?", reading: "" },
      thousand: { answer: "1200", question: "How many in all?", reading: "" },
      stated: { answer: "34", question: "How tall is the second of the bars 27 and 34?" },
      colour: { answer: "red", answerType: "text", question: "Which wedge?", reading: "" },
      yes: { answer: "Yes", answerType: "text", question: "Is the second taller?", reading: "" },
      letter: {
        ...{ answer: "B", answerType: "choice", question: "Which line?", reading: "" },
        choices: ["the rising line", "the falling line"],
      },
    };
    const wrongAnswers: Record<string, string> = { colour: "blue", yes: "no", letter: "A" };
    const kinds: Record<string, RegExp> = {
      leak: /given answer|names the gold/,
      flaw: /names no flaw/,
      contradiction: /verdict is not|another answer/,
    };
    interface Labelled {
      problem: string;
      right: boolean;
      label: string;
      reflection: string;
    }
    const rows = readJsonl<Labelled>(
      join(projectRoot, "test/fixtures/reflection/labelled-reflections.jsonl"),
    );
    const kindOf = ({ problem: name, right, reflection }: Labelled): string => {
      const problem: Problem = { ...sums, ...problems[name] };
      const answer = right ? problem.answer : (wrongAnswers[name] ?? "51");
      const attempt = { text: "", think: "The bars are 34 and 27. So.", answer };
      const sample = sampleOf({
        ...{ problem, attempt: { ...attempt, text: right ? `So ${answer}.` : "" }, reflection },
        ...{ verdict: judge(answer, problem), second: { think: "So.", answer: problem.answer } },
      });
      const reason = rejectionOf(sample, anyLength);
      if (reason === null) return "good";
      return Object.keys(kinds).find((kind) => kinds[kind].test(reason)) ?? reason;
    };

    it("miss few of each kind, and take few honest ones for one", () => {
      const found = rows.map((row) => ({ ...row, kind: kindOf(row) }));
      const tell = (some: typeof found): string =>
        some.map((row) => `${row.label} taken for ${row.kind}: ${row.reflection}`).join("\n");
      for (const kind of Object.keys(kinds)) {
        const labelled = found.filter(({ label }) => label === kind);
        const missed = labelled.filter((row) => row.kind === "good");
        const elsewhere = labelled.filter((row) => row.kind !== "good" && row.kind !== kind);
        assert.ok(missed.length <= 0.05 * labelled.length, tell(missed));
        assert.ok(elsewhere.length <= 0.2 * labelled.length, tell(elsewhere));
      }
      const honest = found.filter(({ label }) => label === "good");
      const refused = honest.filter(({ kind }) => kind !== "good");
      assert.ok(refused.length <= 0.05 * honest.length, tell(refused));
    });
  });
});
