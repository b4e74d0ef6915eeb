import assert from "node:assert/strict";
import { askedKey, askProblem, type AskKind } from "../../lib/bench/ask";
import type { BenchRecord } from "../../lib/bench/benchmark";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import { paperSystemPrompt, SYSTEM_PROMPTS, type ChatMessage } from "../../lib/reflection/prompts";

const ask = (name: string, record: BenchRecord, images: string[], kind: AskKind) => {
  const benchmark = benchmarkByName(name);
  const problem = benchmark.problem(record, images);
  return askProblem(benchmark, { record, problem }, kind, "official");
};
const shown = (messages: readonly ChatMessage[]): string =>
  messages
    .map(({ role, content }) =>
      typeof content === "string"
        ? `${role}: ${content.slice(0, 20)}`
        : `${role}: ${content.map((part) => (part.type === "image" ? "▣" : part.text)).join("|")}`,
    )
    .join("\n");

const pro = {
  id: "test_Art_1",
  question: "Which of <image 2> and <image 1>?",
  options: "['<image 3>', 'none']",
  ...{ image_1: "1.png", image_2: "2.png", image_3: "3.png", answer: "A", subject: "Art" },
};

describe("bench/ask", () => {
  it("puts pictures where the text names them, in the order in which it does", () => {
    const { problem, messages } = ask("mmmu-pro", pro, ["1.png", "2.png", "3.png"], "direct");
    assert.deepEqual(problem.images, ["2.png", "1.png", "3.png"]);
    assert.equal(
      shown(messages),
      "user: Which of |▣| and |▣|?\nA. |▣|\nB. none\nAnswer with the option letter from the given choices directly.",
    );
  });

  it("asks for two solutions under SRPO's prompt, for one under its direct one, with the benchmark's question", () => {
    const record = { id: "1", question: "How many?", options: [], answer: "61", image: "1.png" };
    const two = ask("mathvision", record, ["1.png"], "srpo").messages;
    assert.deepEqual(two[0], { role: "system", content: paperSystemPrompt });
    assert.match(
      shown(two.slice(1)),
      /^user: ▣\|Please solve the problem step by step.*\nHow many\?$/s,
    );
    const one = ask("mathvision", record, ["1.png"], "srpo-direct").messages;
    assert.equal(one[0].content, SYSTEM_PROMPTS["paper-direct"]);
    assert.deepEqual(one[1], two[1]);
  });

  it("asks the embedded policies the bare question, and knows the options that it left out", () => {
    const { messages, options } = ask(
      "mmmu-pro",
      { ...pro, question: "Which?" },
      ["1.png"],
      "lab-reflect",
    );
    assert.equal(shown(messages), "system: Solve, reflect, solv\nuser: ▣|Which?");
    assert.deepEqual(options, ["<image 3>", "none"]);
  });

  it("asks Vision Only by the picture, and every other version by its text", () => {
    const record = {
      ...{
        sample_index: "1",
        question: "",
        image: "6.png",
        answer: "C",
        question_type: "multi-choice",
      },
      ...{
        problem_version: "Vision Only",
        metadata: { subject: "Plane Geometry", subfield: "Angle" },
      },
    };
    const { messages } = ask("mathverse", record, ["6.png"], "direct");
    assert.match(
      shown(messages),
      /^user: ▣\|Please directly answer .*option letter.*\nQuestion: $/s,
    );
    const vision = { id: "v", image: "q.png", options: "['a', 'b']", answer: "A", subject: "Art" };
    assert.match(
      shown(ask("mmmu-pro", vision, ["q.png"], "cot").messages),
      /^user: ▣\|Write out the multiple-choice question in the image and then solve it\./,
    );
  });

  it("has a direct and a reasoning prompt for every benchmark", () => {
    const records: Record<string, BenchRecord> = {
      mathvista: {
        pid: "1",
        question: "Q",
        choices: null,
        answer: "1",
        question_type: "free_form",
        answer_type: "integer",
        image: "1.png",
      },
      mathverse: {
        sample_index: "1",
        question: "Q",
        answer: "1",
        question_type: "free-form",
        image: "1.png",
      },
      mathvision: { id: "1", question: "Q", options: [], answer: "1", image: "1.png" },
      olympiadbench: {
        id: 1,
        question: "Q",
        final_answer: ["1"],
        answer_type: "Numerical",
        image_1: "1.png",
      },
      "mmmu-pro": { ...pro, question: "Q", options: "['1', '2']", image_2: null, image_3: null },
      emma: {
        pid: "1",
        question: "Q",
        type: "Open-ended",
        options: [],
        answer: "1",
        image_1: "1.png",
      },
      mmk12: { id: "1", question: "Q", answer: "A", image: "1.png" },
      mmmu: {
        id: "validation_Art_1",
        question: "Q",
        options: "['1', '2']",
        answer: "A",
        image_1: "1.png",
      },
      wemath: {
        ID: "1",
        key: "2steps_1",
        question: "Q",
        option: "A. 1; B. 2",
        answer: "A",
        image_path: "1.png",
      },
    };
    for (const [name, record] of Object.entries(records)) {
      const [cot, direct] = (["cot", "direct"] as const).map((kind) =>
        shown(ask(name, record, ["1.png"], kind).messages),
      );
      assert.ok(cot.includes("▣") && cot.includes("Q"), cot);
      assert.notEqual(cot, direct, name);
    }
  });

  it("refuses a picture that the record does not have, and names a question by all that is sent", () => {
    assert.throws(() => ask("mmmu-pro", pro, [], "cot"), /asked with picture 2/);
    const one = ask("mmmu-pro", pro, ["1.png", "2.png", "3.png"], "cot");
    const other = ask("mmmu-pro", pro, ["1.png", "2.png", "3.png"], "direct");
    const keys = [askedKey(one, ["x"]), askedKey(one, ["y"]), askedKey(other, ["x"])];
    assert.equal(new Set(keys).size, 3);
  });
});
