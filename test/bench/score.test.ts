import assert from "node:assert/strict";
import type { RuleFamily } from "../../lib/bench/benchmark";
import { benchmarkByName, benchmarks } from "../../lib/bench/benchmarks";
import { identifierOf, scoreRecord, scoreWithJudge } from "../../lib/bench/score";
import { wordsToNumber } from "../../lib/bench/number-words";
import { openAnswers, openEqual } from "../../lib/bench/open-answers";
import { inferOption } from "../../lib/bench/option-letters";
import { hostileTexts } from "./hostile";

const vision = {
  id: "1",
  question: "How many?",
  options: [],
  answer: "61",
  level: 1,
  subject: "algebra",
};
const vista = {
  pid: "7",
  question: "Which?",
  question_type: "multi_choice",
  answer_type: "text",
  choices: ["red", "green", "blue"],
  answer: "blue",
  precision: null,
};
const emma = {
  pid: "e1",
  type: "Multiple Choice",
  question: "Which?",
  options: ["1", "2", "four"],
  answer: "C",
  subject: "Math",
};
const score = (name: string, record: object, rules: RuleFamily = "official") =>
  scoreRecord(benchmarkByName(name), record as Record<string, unknown>, { rules });

describe("bench/score", () => {
  it("scores a two-solution response on its second answer, and shows both", () => {
    const response =
      "<think>a</think><answer>\\boxed{60}</answer><reflection>no</reflection><think>b</think><answer>\\boxed{61}</answer>";
    const mathvision = benchmarkByName("mathvision");
    const scored = scoreRecord(mathvision, { ...vision, response });
    assert.equal(scored.correct, true);
    assert.equal(scored.transition, "WR");
    assert.equal(scored.first?.extraction, "60");
    assert.equal(scored.second?.extraction, "61");
    assert.equal(
      scoreRecord(mathvision, { ...vision, response }, { answer: "first" }).correct,
      false,
    );
  });

  it("lets the first answer stand where the second never came", () => {
    const response = "<think>a</think><answer>61</answer><reflection>hm</reflection><think>b";
    const scored = score("mathvision", { ...vision, response });
    assert.equal(scored.correct, true);
    assert.equal(scored.second, null);
    assert.equal(scored.transition, null);
  });

  it("names family and rules, and says where nobody was asked", () => {
    assert.equal(
      score("mathvista", { ...vista, extraction: "(C)" }).rule,
      "official/choice-letter",
    );
    assert.equal(
      score("mathvista", { ...vista, extraction: "bleu" }).rule,
      "official/nearest-choice",
    );
    assert.match(
      score("mathvista", { ...vista, response: "I say (C)." }).rule,
      /^official\/extract\(no-judge\)/,
    );
    assert.match(
      score("mathvision", { ...vision, answer: null, response: "61" }).rule,
      /\(no-gold\)$/,
    );
    assert.match(
      score("mathvision", { ...vision, response: "61" }, "vlmevalkit").rule,
      /^vlmevalkit\//,
    );
  });

  it("keeps the families apart where they differ", () => {
    const float = {
      ...vista,
      question_type: "free_form",
      answer_type: "float",
      choices: null,
      precision: 1,
      answer: "1.5",
    };
    // The authors round to the item's precision, VLMEvalKit does not.
    assert.equal(score("mathvista", { ...float, extraction: "1.54" }).correct, true);
    assert.equal(score("mathvista", { ...float, extraction: "1.54" }, "vlmevalkit").correct, false);
    // VLMEvalKit compares a list with the word None.
    const list = { ...float, answer_type: "list", answer: "[1, 2]" };
    assert.equal(score("mathvista", { ...list, extraction: "[1, 2]" }).correct, true);
    assert.equal(
      score("mathvista", { ...list, extraction: "[1, 2]" }, "vlmevalkit").correct,
      false,
    );
    // Two decimals against 1e-6.
    assert.equal(score("mathvision", { ...vision, extraction: "61.004" }).correct, true);
    assert.equal(
      score("mathvision", { ...vision, extraction: "61.004" }, "vlmevalkit").correct,
      false,
    );
    // The authors' clean-up spoils the index of a root, lms-eval's does not.
    const root = { ...vision, answer: "2", response: "\\boxed{\\sqrt[3]{8}}" };
    assert.equal(score("mathvision", root).correct, false);
    assert.equal(score("mathvision", root, "lmms-eval").correct, true);
    // Whose value is tried as a percentage.
    const olympiad = { id: 1, final_answer: ["$100.4$"], error: "1e-1", answer_type: "Numerical" };
    assert.equal(score("olympiadbench", { ...olympiad, extraction: "1" }).correct, true);
    assert.equal(
      score("olympiadbench", { ...olympiad, extraction: "1" }, "vlmevalkit").correct,
      false,
    );
  });

  it("never draws an option: without one there is no prediction", () => {
    const record = { id: "t_Art_1", options: "['one', 'two']", answer: "A", response: "no idea" };
    const scored = score("mmmu-pro", record);
    assert.deepEqual([scored.prediction, scored.correct], [null, false]);
    assert.equal(scored.rule, "official/no-option");
    assert.equal(score("mmmu-pro", { ...record, response: "Answer: B" }).prediction, "B");
    // MMMU wants blanks on both sides of a letter, MMMU-Pro takes `X ` after anything.
    assert.equal(score("mmmu-pro", { ...record, response: "DNA is it" }).prediction, "A");
    assert.equal(
      score("mmmu", { ...record, question_type: "multiple-choice", response: "DNA is it" })
        .prediction,
      null,
    );
  });

  it("EMMA: fast extraction, number words, option texts", () => {
    const extracted = (response: string) => score("emma", { ...emma, response }).extraction;
    assert.equal(extracted("c"), "C");
    assert.equal(extracted("B. two"), "B");
    assert.equal(extracted(" 1e3 "), "1e3");
    assert.equal(extracted("so \\boxed{\\text{C} } it is"), "C");
    assert.equal(extracted("\\boxed{A} then \\boxed{\\frac{1}{2}}"), "\\frac{1}{2}");
    assert.equal(extracted("The Final Answer is Red.\nBlue"), "red");
    assert.equal(extracted("nothing"), "");
    assert.equal(score("emma", { ...emma, response: "\\boxed{four}" }).correct, true);
    assert.equal(
      score("emma", {
        ...emma,
        options: [],
        type: "Open-ended",
        answer: "4",
        response: "\\boxed{four}",
      }).correct,
      true,
    );
    assert.equal(
      score("emma", {
        ...emma,
        type: "Open-ended",
        answer: "0.333",
        response: "\\boxed{\\frac{1}{3}}",
      }).correct,
      true,
    );
    assert.equal(wordsToNumber("two million twenty three thousand and forty nine"), 2023049);
    assert.equal(wordsToNumber("one point two three"), 1.23);
    // word2number 1.1 counts a scale that ends the text a second time.
    assert.equal(wordsToNumber("two million three thousand"), 2004003);
    assert.equal(wordsToNumber("three thousand"), 3000);
    assert.equal(wordsToNumber("point five"), 0.5);
    assert.equal(wordsToNumber("thousand thousand"), null);
    assert.equal(wordsToNumber("none"), null);
  });

  it("asks the judge where the procedure does, and takes what it says", async () => {
    const record = { sample_index: "1", question: "AB?", answer: "C", question_type: "free-form" };
    const asked: string[] = [];
    const scored = await scoreWithJudge(
      benchmarkByName("mathverse"),
      { ...record, response: "It must be the third." },
      async ({ prompt }) => {
        asked.push(prompt);
        return asked.length === 1 ? "the third" : asked.length === 2 ? "perhaps" : "1";
      },
    );
    assert.equal(asked.length, 3);
    assert.ok(asked[0].includes("It must be the third.") && asked[2].includes("the third"));
    assert.equal(scored.correct, true);
    assert.equal(scored.rule, "official/llm-judge+llm-judge");
    const never = await scoreWithJudge(
      benchmarkByName("mathverse"),
      { ...record, extraction: "D" },
      async () => "?",
    );
    assert.equal(never.rule, "official/llm-judge-failed");
    assert.equal(never.correct, false);
  });

  it("shows the judge what the published scripts show it", async () => {
    const said = "It is long.\nSo \\boxed{x = 3} or so.";
    const shown = async (name: string, record: object, rules: RuleFamily): Promise<string> => {
      const prompts: string[] = [];
      await scoreWithJudge(
        benchmarkByName(name),
        record as Record<string, unknown>,
        async ({ prompt }) => {
          prompts.push(prompt);
          return "no";
        },
        { rules },
      );
      return prompts[0];
    };
    const k12 = { id: "1", question: "x?", answer: "3" };
    assert.match(await shown("mmk12", { ...k12, response: said }, "official"), /Response: x = 3\n/);
    assert.ok((await shown("mmk12", { ...k12, response: said }, "lmms-eval")).includes(said));
    const open = "First.\nIt must be about three.";
    assert.ok((await shown("mmk12", { ...k12, response: open }, "official")).includes(open));
    const verse = { sample_index: "1", question: "x?", answer: "3", question_type: "free-form" };
    assert.ok((await shown("mathverse", { ...verse, response: said }, "official")).includes(said));
    assert.ok(
      (await shown("mathverse", { ...verse, response: said }, "vlmevalkit")).includes("'x = 3'"),
    );
  });

  it("asks K12's judge five times, each hotter, and takes none for an answer for no", async () => {
    const temperatures: number[] = [];
    const scored = await scoreWithJudge(
      benchmarkByName("mmk12"),
      { id: "1", question: "x?", answer: "3", response: "\\boxed{4}" },
      async ({ temperature }) => {
        temperatures.push(temperature);
        return "I would say that it depends.";
      },
    );
    assert.deepEqual(temperatures, [0, 0.5, 1, 1.5, 2]);
    assert.deepEqual([scored.correct, scored.rule], [false, "official/boxed+llm-judge-failed"]);
  });

  it("VLMEvalKit's matcher: letters near the end, one behind 'answer is', texts of options", () => {
    const choices = ["red", "green", "blue"];
    const said: [string, string | null][] = [
      ["(B)", "B"],
      ["B, as one sees when one looks", null],
      ["Not A or C: the answer is **B**, as one sees when one looks", "B"],
      ["The answer is **D**", null],
      ["It is green", "B"],
      ["green or blue", null],
      ["Cannot determine the answer", "Z"],
    ];
    for (const [text, letter] of said) assert.equal(inferOption(text, choices), letter, text);
    const pro = { id: "1", options: "['5', '6', '7']", answer: "C" };
    const picked = (response: string) =>
      score("mmmu-pro", { ...pro, response }, "vlmevalkit").prediction;
    assert.equal(picked("A or B?\n  Answer: C"), "C");
    assert.equal(picked("A or B?\nAnswer: 7"), "C");
  });

  it("MMMU: numbers of open answers are looked for by Python's idea of a digit and a word", () => {
    // parse_open_response of MMMU's eval_utils.py on CPython 3.11; its order is a set's.
    const found = (text: string) =>
      new Set(openAnswers(text).filter((each) => typeof each === "number"));
    assert.deepEqual(found("so 1,234.5 m"), new Set([1234, 234.5]));
    assert.deepEqual(found("so 1,234 m"), new Set([1234, 234]));
    assert.deepEqual(found("so -2.5e3 and 5é and \u0663"), new Set([-2500, -2, 3]));
    assert.equal(openEqual(["1234"], openAnswers("The answer is 1,234.")), true);
    assert.equal(openEqual(["x"], openAnswers("the answer is max")), false);
  });

  it("We-Math: a problem counts by its steps and its whole", () => {
    const rows = ["2steps_1", "2steps_2", "2steps_multi"].map((key, i) => ({
      record: { ID: "1", key, answer: "A" },
      correct: i !== 0,
    }));
    const { strict, loose } = benchmarkByName("wemath").aggregate(rows);
    assert.equal(strict.RoteMemorization.correct, 1);
    assert.equal(loose.CompleteMastery.correct, 1);
    assert.equal(strict.Score.correct, 0);
    assert.equal(loose.Score.correct, 1);
  });

  it("takes identifiers by their own name, and says what is missing", () => {
    assert.deepEqual(identifierOf(benchmarkByName("mathvista"), { pid: 7 }), { pid: 7 });
    assert.throws(() => score("mathvision", vision), /no response/);
  });

  it("calls no hostile text right, in any family of any benchmark", function () {
    this.timeout(60_000);
    for (const benchmark of benchmarks) {
      for (const rules of ["official", "vlmevalkit", "lmms-eval"] as const) {
        for (const { record, response } of hostileTexts()) {
          const { correct } = scoreRecord(benchmark, { ...record, response }, { rules });
          assert.equal(correct, false, `${benchmark.name} ${rules} ${response.slice(0, 12)}`);
        }
      }
    }
  });
});
