import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sources, sourceByName } from "../../../datasets/sources/index";
import { judge } from "../../../lib/reflection/equality";
import { readJsonl } from "../../../lib/engine/files";
import { temporaryFolder } from "../../policy/fixture";
import { drawPicture, jsonl, readAll, SAMPLES, writeText } from "./files";

const FIXTURES = join(__dirname, "../../../../test/fixtures/sources");
const draft = (source: string, row: Record<string, unknown>) => sourceByName(source).draftOf(row);
const turns = (human: string, gpt?: string) => [
  { from: "human", value: human },
  ...(gpt === undefined ? [] : [{ from: "gpt", value: gpt }]),
];

describe("LLaVA-CoT records", () => {
  const reply =
    "<SUMMARY> I will compare the bars. </SUMMARY>\n\n<CAPTION> Two bars, 10 and 31. </CAPTION>\n\n" +
    "<REASONING> The larger is 31.\nThe smaller is 10.\n31-10=21 </REASONING>\n\n<CONCLUSION> 21 </CONCLUSION>";

  it("give question, reading, steps, answer and subset", () => {
    const row = {
      ...{ id: "two_col_1", image: "chartqa/train/png/two_col_1.png" },
      conversations: turns(
        "<image>\nWhat is the difference?\r\nAnswer the question using a single word or phrase.",
        reply,
      ),
    };
    assert.deepEqual(draft("llava-cot", row), {
      ...{ id: "two_col_1", question: "What is the difference?" },
      ...{ images: ["chartqa/train/png/two_col_1.png"], answer: "21", answerType: "number" },
      ...{ family: "ChartQA", subject: "statistics", level: 1 },
      reading: "Two bars, 10 and 31.",
      steps: ["I will compare the bars.", "The larger is 31.", "The smaller is 10.", "31-10=21"],
    });
  });

  it("are read although a closing tag is missing, an id is a number or the roles are OpenAI's", () => {
    const broken = reply.replace("</CAPTION>", "").replace("</CONCLUSION>", "").toLowerCase();
    const row = {
      ...{ id: 7, image: ["sqa/train/1/image.png"] },
      messages: [
        { role: "user", content: "Which?\nA. soft\nB. hard" },
        { role: "assistant", content: broken.replace(/21\s*$/, "B") },
      ],
    };
    const { answer, choices, reading, id, question, subject } = draft("llava-cot", row);
    assert.deepEqual([answer, choices, id, question], ["B", ["soft", "hard"], "7", "Which?"]);
    assert.deepEqual([reading, subject], ["two bars, 10 and 31.", "science"]);
  });

  it("without a conclusion or a user's turn are no problems", () => {
    assert.throws(
      () => draft("llava-cot", { conversations: turns("Q?", "<SUMMARY> only </SUMMARY>") }),
      /no CONCLUSION/,
    );
    assert.throws(() => draft("llava-cot", { conversations: [] }), /no turn of a user/);
    assert.throws(() => draft("llava-cot", { conversations: "x" }), /no JSON/);
  });
});

describe("Mulberry records", () => {
  const ask = "<image>\nQuestion: Find x.\nChoices:\nA: 57\nB: 65\nC: 123";
  const read = (reply: string, question = ask) =>
    draft("mulberry", {
      images: "geo3k/train/74/img_diagram.png",
      messages: [
        { role: "user", content: question },
        { role: "assistant", content: reply },
      ],
    });
  const canonical =
    "### Image Description:\nA circle with a chord.\n\n### Rationales:\nUse the angle sum.\n\n" +
    "### Let's think step by step.\n### Step 1:\n180-57=123.\n\n### Step 2:\nSo x is 123.\n\n### The final answer is: C";

  it("give description, rationales, steps and the chosen letter", () => {
    assert.deepEqual(read(canonical), {
      ...{ id: undefined, images: ["geo3k/train/74/img_diagram.png"], question: "Find x." },
      ...{ answer: "C", answerType: "choice", choices: ["57", "65", "123"] },
      ...{ family: "Geometry3K", subject: "geometry", level: 1 },
      reading: "A circle with a chord.",
      steps: ["Use the angle sum.", "180-57=123.", "So x is 123."],
    });
  });

  const variants: [string, string][] = [
    ["a colon after step by step", canonical.replace("step by step.", "step by step:")],
    ["the letter with its text", canonical.replace("is: C", "is: C: 123")],
    ["the text alone", canonical.replace("is: C", "is: 123")],
    ["a sentence", canonical.replace("is: C", "is: \n\nC.")],
    [
      "bold headings",
      canonical
        .replace(/### ([^\n:]+):/g, "**$1:**")
        .replace("### Let", "**Let")
        .replace("step.", "step.**"),
    ],
    ["two marks", canonical.replaceAll("### ", "## ")],
    ["headings without marks", canonical.replaceAll("### ", "")],
    ["a typographic apostrophe", canonical.replace("Let's", "Let’s")],
    ["Windows line ends", canonical.replaceAll("\n", "\r\n")],
    ["one line", canonical.replace(/\n+/g, " ")],
    ["an answer in a box", canonical.replace("is: C", "is: $\\boxed{C}$")],
    ["an explanation below the answer", canonical + "\nThis is the exterior angle."],
  ];
  for (const [name, reply] of variants) {
    it(`are the same with ${name}`, () => {
      const { answer, reading, steps } = read(reply);
      assert.deepEqual(
        [answer, reading, steps],
        ["C", "A circle with a chord.", ["Use the angle sum.", "180-57=123.", "So x is 123."]],
      );
    });
  }

  it("may number their steps only", () => {
    const reply =
      "### Let's think step by step:\n1. First.\n2. Second, 2.5 long.\n\n### The final answer is: 65";
    assert.deepEqual(read(reply).steps, ["First.", "Second, 2.5 long."]);
    assert.equal(read(reply).answer, "B");
  });

  it("may state the answer in the last sentence only", () => {
    const reply = "### Step 1:\nStep 1 shows that x is large.\nThus the final answer is 7.";
    const { answer, answerType, steps } = read(reply, "Find x.");
    assert.deepEqual([answer, answerType], ["7", "number"]);
    assert.equal(steps?.length, 1);
  });

  it("keep a letter whose choices are nowhere listed", () => {
    assert.equal(read("### The final answer is: A: 57", "Find x.").answer, "A");
  });

  it("lose the instructions before the question", () => {
    const instructions =
      "Generate an image description.\nFormat your response with the following sections, separated by ###:\n" +
      "### Image Description:\n### Step 1:\n...\n### The final answer is: \n\nQuestion: Find x.";
    assert.equal(read("### The final answer is: 4", instructions).question, "Find x.");
  });

  it("without an answer are no problems", () => {
    assert.throws(() => read("### Step 1:\nI cannot see it."), /no final answer/);
    assert.throws(() => read("### The final answer is: 99"), /none of the choices/);
  });
});

describe("MathV360K records", () => {
  const hint = (what: string) => `<image>\nHint: Please answer the question ${what} at the end.\n`;

  it("lose the hint, which tells the answer's type", () => {
    const integer = draft("mathv360k", {
      image: "TabMWP/images/1.png",
      conversations: turns(
        hint("requiring an integer answer and provide the final value, e.g., 1, 2, 3,") +
          "Question: How many?",
        "The answer is 1,200.",
      ),
    });
    assert.deepEqual(
      [integer.question, integer.answer, integer.answerType, integer.family, integer.subject],
      ["How many?", "1,200", "number", "TabMWP", "arithmetic"],
    );
    const choice = draft("mathv360k", {
      ...{ id: "identity_1", image: "IconQA/images/1.png" },
      conversations: turns(
        hint("and provide the correct option letter, e.g., A, B, C, D,") +
          "Question: Which is it?\nChoices:\n(A) left (B) right\n(C) up",
        "The answer is B",
      ),
    });
    assert.deepEqual(
      [choice.question, choice.answer, choice.choices],
      ["Which is it?", "B", ["left", "right", "up"]],
    );
  });

  it("keep minus signs, decimals and yes or no", () => {
    for (const [reply, answer, type] of [
      ["The answer is -3", "-3", "number"],
      ["The answer is 0.25", "0.25", "number"],
      ["The answer is Yes", "Yes", "text"],
      ["Answer: 5:30", "5:30", "number"],
    ]) {
      const found = draft("mathv360k", {
        image: "DVQA/x.png",
        conversations: turns("How?", reply),
      });
      assert.equal(found.answer, answer);
      if (answer !== "5:30") assert.equal(found.answerType, type);
    }
  });

  it("keep the typographical minus sign, in answers and in choices", () => {
    const found = draft("mathv360k", {
      image: "DVQA/x.png",
      conversations: turns("Solve x + 8 = 5.", "The answer is \u22123"),
    });
    const gold = draft("llava-cot", {
      image: "a.png",
      conversations: turns("How?", "<CONCLUSION> \u22120.5 </CONCLUSION>"),
    });
    for (const [problem, right, wrong] of [
      [found, "-3", "3"],
      [gold, "\u22121/2", "0.5"],
    ] as const) {
      assert.equal(problem.answerType, "number");
      assert.ok(judge(right, problem).correct);
      assert.ok(!judge(wrong, problem).correct);
    }
    const choices = draft("mathv360k", {
      image: "DVQA/x.png",
      conversations: turns("Which?\nChoices:\n(A) 3\n(B) \u22123", "The answer is B"),
    });
    assert.equal(choices.answer, "B");
    assert.ok(judge("-3", choices).correct);
    assert.ok(!judge("3", choices).correct);
  });

  it("do not take points in the text for choices", () => {
    const row = {
      image: "GEOS/a.png",
      conversations: turns("Angles (A) and (B) are equal. Find A.", "The answer is 40"),
    };
    const { question, answer, choices } = draft("mathv360k", row);
    assert.deepEqual(
      [question, answer, choices],
      ["Angles (A) and (B) are equal. Find A.", "40", undefined],
    );
  });

  it("of odd length are used as far as they go", () => {
    assert.throws(() => draft("mathv360k", { conversations: turns("How?") }), /no reply/);
    const three = {
      image: "a.png",
      conversations: [...turns("How?", "3"), { from: "human", value: "Why?" }],
    };
    assert.equal(draft("mathv360k", three).answer, "3");
  });
});

describe("other sources", function () {
  this.timeout(30_000);
  const root = temporaryFolder();
  before(async () => {
    for (const name of ["a.png", "b.png"]) await drawPicture(join(root, "images", name), name);
  });

  it("SRPO input: with the sections of either collection, or none", () => {
    const row = {
      query: "How much? Answer the question using a single word or phrase.",
      image: "chartqa/x.png",
      answer: 21,
    };
    const plain = draft("srpo-input", row);
    assert.deepEqual([plain.question, plain.answer, plain.steps], ["How much?", "21", undefined]);
    const content = "<CAPTION> Bars. </CAPTION> <REASONING> 3*7 </REASONING>";
    assert.deepEqual(draft("srpo-input", { ...row, content }).steps, ["3*7"]);
    const mulberry =
      "### Image Description:\nBars.\n\n### Step 1:\n3*7\n\n### The final answer is: 21";
    assert.equal(draft("srpo-input", { ...row, content: mulberry }).reading, "Bars.");
    assert.throws(() => draft("srpo-input", { query: "Q?", image: "x.png" }), /no answer/);
  });

  it("MMK12: rows over several row groups, text as text, pictures written out once", async () => {
    const path = join(FIXTURES, "mmk12.parquet");
    const { problems, report } = await readAll("mmk12", path, { images: root });
    assert.equal(problems.length, 150);
    assert.deepEqual(
      [problems[149].question, problems[149].answer, problems[149].choices, problems[149].subject],
      ["What is 149 + π?", "B", ["149", "more"], "physics"],
    );
    assert.equal(new Set(problems.map(({ images }) => images[0])).size, 150);
    assert.ok(readFileSync(problems[3].images[0]).subarray(1, 4).equals(Buffer.from("PNG")));
    assert.deepEqual(
      report.strata.map(({ subject, kept }) => [subject, kept]),
      [
        ["math", 75],
        ["physics", 75],
      ],
    );
  });

  it("ViRL39K and Geometry3K: parquet as the hub has it", async () => {
    const virl = await readAll("virl39k", join(FIXTURES, "virl39k.parquet"), { images: root });
    assert.deepEqual(
      virl.problems.map(({ id, question, answer, level, subject, family }) => [
        id,
        question,
        answer,
        level,
        subject,
        family,
      ]),
      [
        ["virl39k/q1", "How long is AB?", "7", 4, "geometry", "Processed"],
        ["virl39k/q2", "Which point is highest?", "P", 1, "charts", "Other"],
      ],
    );
    const [geometry] = (
      await readAll("geometry3k", join(FIXTURES, "geometry3k.parquet"), { images: root })
    ).problems;
    assert.deepEqual([geometry.question, geometry.answerType], ["Find x.", "number"]);
    assert.equal(judge("$6\\sqrt{3}$", geometry).correct, true);
  });

  it("a file that is no parquet is named", async () => {
    const path = writeText(join(root, "no.parquet"), "this is text, and quite some of it");
    await assert.rejects(readAll("mmk12", path, { images: root }), /no\.parquet cannot be read/);
  });

  it("sharegpt: the answer is a field or what the reply says clearly", () => {
    const picture = { image: "a.png" };
    for (const [reply, answer] of [
      ["<think>So.</think><answer> 12 </answer>", "12"],
      ["Long work. $\\boxed{12}$", "12"],
      ["First this, then that.\nThe answer is: 12", "12"],
      ["12", "12"],
    ]) {
      assert.equal(
        draft("sharegpt", { ...picture, conversations: turns("Q?", reply) }).answer,
        answer,
      );
    }
    assert.throws(
      () => draft("sharegpt", { ...picture, conversations: turns("Q?", "word ".repeat(80)) }),
      /states no answer/,
    );
    const eureka = {
      ...{ id: "1", answer: "$5$" },
      message: JSON.stringify([
        {
          role: "user",
          content: [
            { type: "image", image: "file:///x/a.png" },
            { type: "text", text: "How?" },
          ],
        },
      ]),
    };
    const { question, images, answer } = draft("sharegpt", eureka);
    assert.deepEqual([question, images, answer], ["How?", ["file:///x/a.png"], "5"]);
  });

  it("every source has a name of its own, and its title and licence", () => {
    assert.equal(new Set(sources.map(({ name }) => name)).size, sources.length);
    for (const { title, licence, path } of sources) assert.ok(title && licence && path);
    assert.throws(() => sourceByName("llava"), /one of llava-cot, mulberry/);
  });

  it("JSON Lines written by hand come out in order with ids of their own", async () => {
    const path = writeText(
      join(root, "rows.jsonl"),
      jsonl([
        { id: 5, question: "One?", answer: 1, image: "images/a.png" },
        { id: 5, question: "Two?", answer: 2, image: "images/a.png" },
        { question: "Three?", answer: 3, image: "images/b.png" },
      ]),
    );
    const { problems } = await readAll("records", path);
    assert.deepEqual(
      problems.map(({ id }) => id),
      ["records/5", "records/5#2", "records/#3"],
    );
  });
});

const present = existsSync(SAMPLES);
describe(
  present ? "real samples" : "real samples (skipped: no ../shared/samples beside the checkout)",
  function () {
    this.timeout(30_000);
    if (!present) return;
    const file = (name: string): string => join(SAMPLES, name);

    it("PuzzleVQA: every answer is a choice, integers too; five pictures come twice", async () => {
      const { problems, report } = await readAll("records", file("puzzlevqa/items.jsonl"));
      assert.deepEqual(report.sources[0].dropped, { duplicate: 5 });
      const rows = readJsonl<{ image: string; answer: unknown; options: unknown[] }>(
        file("puzzlevqa/items.jsonl"),
      );
      for (const { images, answer, choices, reading, steps } of problems) {
        const row = rows.find(({ image }) => images[0].endsWith(image));
        assert.equal(choices?.["ABCD".indexOf(answer)], String(row?.answer));
        assert.ok(reading && steps?.length === 2);
      }
    });

    it("MATH-V, DynaMath and K12: every item with its picture and an answer that equals itself", async () => {
      for (const [name, count] of [
        ["mathvision/items.jsonl", 100],
        ["dynamath/items.json", 50],
        ["mm_eureka_k12/items.json", 60],
      ] as const) {
        const { problems, dropped } = await readAll("records", file(name));
        assert.deepEqual(dropped, []);
        assert.equal(problems.length, count);
        for (const problem of problems) {
          assert.ok(existsSync(problem.images[0]));
          assert.equal(judge(problem.answer, problem).correct, true, problem.id);
        }
      }
    });

    it("Geometry3K's folders: the clean diagram and the choices", async () => {
      const { problems } = await readAll("geometry3k", file("geometry3k/examples"), {
        images: file("geometry3k/examples"),
      });
      assert.deepEqual(
        problems.map(({ id }) => id),
        [11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((id) => `geometry3k/${id}`),
      );
      for (const { images, choices, answerType } of problems) {
        assert.match(images[0], /img_diagram\.png$/);
        assert.deepEqual([choices?.length, answerType], [4, "choice"]);
      }
    });

    it("MathVista: text records read whole, their pictures all counted as missing", async () => {
      const { report, dropped } = await readAll("records", file("mathvista/testmini.json"));
      assert.deepEqual(
        [report.sources[0].records, report.sources[0].dropped],
        [1000, { missing: 1000 }],
      );
      assert.equal(dropped.length, 1000);
    });

    it("MATH-V and DynaMath share one picture, which the contamination check finds", async () => {
      const { dropped } = await readAll("records", file("mathvision/items.jsonl"), {
        benchmarks: [file("dynamath/items.json")],
      });
      assert.deepEqual(
        dropped.map(({ reason, detail }) => [reason, detail]),
        [["contaminated", "the picture of items.json 355"]],
      );
    });
  },
);
