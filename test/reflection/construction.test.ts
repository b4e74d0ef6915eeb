import assert from "node:assert/strict";
import { constructSamples, teachAttempts } from "../../lib/reflection/construction";
import { buildMessages, SYSTEM_PROMPTS } from "../../lib/reflection/prompts";
import { toCheckedCot, toPlainCot, toSharegpt } from "../../lib/reflection/records";
import {
  createRuleTeacher,
  MalformedTeaching,
  TeacherStopped,
  type Teacher,
} from "../../lib/reflection/teacher";
import { isWellFormed, parseResponse } from "../../lib/reflection/template";
import { drawnProblems, rightAttempt, sums, wrongAttempt } from "./stage-one";

const options = { teacher: createRuleTeacher(), policy: "base", seed: 7 };
const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => wrongAttempt({ ...sums, id: `p${i}` }));

/** A teacher that answers after a moment, `reply` telling what it writes about a problem. */
function slowTeacher(
  reply: (id: string) => string,
  watch: (running: number) => void = () => {},
): Teacher {
  let running = 0;
  return {
    name: "slow",
    reflect: async ({ problem }) => {
      watch(++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return { reflection: reply(problem.id), second: { think: "So 61.", answer: "61" } };
    },
  };
}

describe("reflection/construction", function () {
  this.timeout(20_000);
  it("makes samples at the paper's shares, every attempt accounted for", async () => {
    const attempts = drawnProblems(200).map((problem, i) =>
      (i % 2 ? wrongAttempt : rightAttempt)(problem),
    );
    const { samples, dropped } = await constructSamples({ ...options, attempts, size: 60 });
    assert.equal(samples.length, 60);
    assert.equal(samples.filter(({ mode }) => mode === "condense").length, 18);
    assert.ok(samples.every(({ mode, verdict }) => (mode === "condense") === verdict.correct));
    assert.equal(
      dropped.reduce((sum, row) => sum + row.right + row.wrong, 0),
      140,
    );
    assert.deepEqual(samples[0].provenance, { policy: "base", teacher: "rule", seed: 7 });
    const again = await constructSamples({ ...options, attempts, size: 60 });
    assert.deepEqual(again.samples, samples);
  });

  it("cleans the attempt's form and keeps its words", async () => {
    const attempt = {
      ...wrongAttempt(sums),
      text: "Hm. <think>t </think>\n<answer>51</answer> bye",
    };
    const { samples } = await teachAttempts([attempt], options);
    assert.equal(samples[0].attempt.text, "<think>t </think><answer>51</answer>");
  });

  it("never has more lessons at work than asked for, and keeps the order", async () => {
    let most = 0;
    const teacher = slowTeacher(
      () => "The carry was forgotten. Wrong.",
      (running) => (most = Math.max(most, running)),
    );
    const attempts = numbered(23);
    const progress: number[] = [];
    const { samples } = await teachAttempts(attempts, {
      ...options,
      teacher,
      concurrency: 3,
      onProgress: (done) => progress.push(done),
    });
    assert.equal(most, 3);
    assert.deepEqual(
      samples.map(({ problem }) => problem.id),
      attempts.map(({ problem }) => problem.id),
    );
    assert.deepEqual(
      progress,
      attempts.map((_, i) => i + 1),
    );
  });

  it("drops what a teacher spoils, each with its reason", async () => {
    const replies: Record<string, string> = { p0: "The answer is 61.", p1: "Right.", p2: "" };
    const teacher = slowTeacher((id) => {
      if (id === "p3") throw new Error("no reply");
      return replies[id] ?? "The carry was forgotten. Wrong.";
    });
    const { samples, dropped } = await teachAttempts(numbered(6), { ...options, teacher });
    assert.deepEqual(
      samples.map(({ problem }) => problem.id),
      ["p4", "p5"],
    );
    assert.deepEqual(
      new Map(dropped.map(({ reason, wrong }) => [reason, wrong])),
      new Map([
        ["the reflection names the gold answer", 1],
        ["the reflection's verdict is not the judge's", 1],
        ["a part is empty", 1],
        ["the teacher failed", 1],
      ]),
    );
  });

  it("tells a teacher why it was refused, as often as it may try, and counts every refusal", async () => {
    const heard: string[][] = [];
    const teacher: Teacher = {
      ...{ name: "learner", settings: { prompts: "p" } },
      reflect: async ({ problem }, rejections = []) => {
        heard.push(rejections.map(({ reply, reason }) => `${reply} | ${reason}`));
        if (problem.id === "p1")
          throw new MalformedTeaching("{", "the reply is not one JSON object");
        const reflection = rejections.length < 2 ? "It is 61." : "The carry was forgotten.";
        return { reflection, second: { think: "So 61.", answer: "61" } };
      },
    };
    const of = (tries: number) =>
      teachAttempts(numbered(2), { ...options, teacher, tries, concurrency: 1 });
    const leak = "the reflection names the gold answer";
    const malformed = "the reply is not one JSON object";
    const first = await of(3);
    assert.deepEqual(heard.slice(0, 3), [
      [],
      [`It is 61. | ${leak}`],
      Array(2).fill(`It is 61. | ${leak}`),
    ]);
    assert.deepEqual(heard[5], Array(2).fill(`{ | ${malformed}`));
    const { policy, teacher: name, seed, settings, tries } = first.samples[0].provenance;
    assert.deepEqual(
      [policy, name, seed, settings, tries],
      ["base", "learner", 7, { prompts: "p" }, 3],
    );
    assert.deepEqual(first.dropped, [{ reason: malformed, right: 0, wrong: 1 }]);
    assert.deepEqual(first.rejected, [
      { reason: leak, right: 0, wrong: 2 },
      { reason: malformed, right: 0, wrong: 3 },
    ]);
    const second = await of(2);
    assert.deepEqual(
      [second.samples, second.dropped.map(({ reason }) => reason)],
      [[], [leak, malformed]],
    );
  });

  it("puts the next attempt of its kind in the place of a lesson that fails, and keeps the books", async () => {
    const attempts = drawnProblems(200).map((problem, i) =>
      (i % 2 ? wrongAttempt : rightAttempt)(problem),
    );
    const rule = createRuleTeacher();
    let lessons = 0;
    const teacher: Teacher = {
      name: "moody",
      reflect: async (lesson) => {
        if (++lessons % 3 === 0) throw new MalformedTeaching("", "no");
        return rule.reflect(lesson);
      },
    };
    const size = { ...options, teacher, attempts, size: 40, concurrency: 1 };
    const { samples, dropped } = await constructSamples(size);
    const right = samples.filter(({ mode }) => mode === "condense").length;
    assert.deepEqual([samples.length, right], [40, 12]);
    assert.ok(lessons > 55);
    for (const [kind, kept] of [
      ["right", right],
      ["wrong", 40 - right],
    ] as const) {
      assert.equal(kept + dropped.reduce((sum, row) => sum + row[kind], 0), 100);
    }
    // With nobody left, fewer samples and the same books.
    const all = await constructSamples({ ...size, size: 200 });
    assert.ok(all.samples.length < 142);
    assert.equal(
      all.samples.length + all.dropped.reduce((sum, row) => sum + row.right + row.wrong, 0),
      200,
    );
  });

  it("keeps what was taught when the teacher stops, and says so", async () => {
    let lessons = 0;
    const teacher = slowTeacher(() => {
      if (++lessons > 4) throw new TeacherStopped("the budget is used up");
      return `The carry of sum ${lessons} was forgotten.`;
    });
    const { samples, dropped, stopped } = await teachAttempts(numbered(9), {
      ...{ ...options, teacher, concurrency: 2 },
    });
    assert.equal(stopped?.message, "the budget is used up");
    assert.deepEqual(
      [samples.length, dropped],
      [4, [{ reason: "not taught", right: 0, wrong: 5 }]],
    );
  });

  it("lets only so many reflections be alike, in the attempts' order", async () => {
    const teacher = slowTeacher(() => "The carry was forgotten.");
    const alike = await teachAttempts(numbered(7), { ...options, teacher, mostAlike: 3 });
    assert.deepEqual(
      alike.samples.map(({ problem }) => problem.id),
      ["p0", "p1", "p2"],
    );
    assert.deepEqual(alike.dropped, [
      { reason: "the reflection is nearly that of several others", right: 0, wrong: 4 },
    ]);
  });

  it("stops where every lesson fails, with the teacher's own words", async () => {
    const teacher = slowTeacher(() => {
      throw new Error("quota is used up");
    });
    await assert.rejects(
      teachAttempts(numbered(3), { ...options, teacher }),
      /slow failed on every.*quota is used up/,
    );
    assert.deepEqual(await teachAttempts([], { ...options, teacher }), {
      samples: [],
      dropped: [],
      rejected: [],
    });
  });

  it("can be aborted", async () => {
    const abort = new AbortController();
    let lessons = 0;
    const teacher = slowTeacher(() => {
      if (++lessons === 2) abort.abort();
      return "Wrong.";
    });
    await assert.rejects(
      teachAttempts(numbered(50), { ...options, teacher, concurrency: 1, signal: abort.signal }),
      { name: "AbortError" },
    );
    assert.equal(lessons, 2);
  });
});

describe("reflection/records and prompts", () => {
  const prompt = "<image>What is the sum of the bars?";

  it("writes a sample as LLaMA-Factory reads it, in the template of the RL stage", async () => {
    const { samples } = await teachAttempts([wrongAttempt(sums)], options);
    const { messages, images } = toSharegpt(samples[0]);
    assert.deepEqual(images, ["bars.png"]);
    assert.deepEqual(messages.slice(0, 2), [
      { role: "system", content: "Solve, reflect, solve again." },
      { role: "user", content: prompt },
    ]);
    assert.equal(messages[2].role, "assistant");
    assert.equal(
      messages[2].content,
      "<think>The bars are 34 and 27. So.</think><answer>71</answer>" +
        "<reflection>Check: 4+7=11, 3+2+1=6. Wrong.</reflection>" +
        "<think>So 61.</think><answer>61</answer>",
    );
    assert.ok(isWellFormed(parseResponse(messages[2].content), { solutions: 2 }));
  });

  it("writes the control with the same problem and the same steps in one solution", async () => {
    const { samples } = await teachAttempts([wrongAttempt(sums)], options);
    const { messages } = toPlainCot(samples[0]);
    assert.deepEqual(
      messages.map(({ content }) => content),
      [
        "Solve.",
        prompt,
        "<think>The bars are 34 and 27. 4+7=11, 3+2+1=6.</think><answer>61</answer>",
      ],
    );
    const other = { ...samples[0], problem: { ...sums, steps: undefined } };
    assert.match(toPlainCot(other).messages[2].content, /^<think>So 61\.<\/think>/);
  });

  it("writes the checked control as long as the reflection, all of it right and in one solution", async () => {
    const { samples } = await teachAttempts([wrongAttempt(sums)], options);
    assert.equal(
      toCheckedCot(samples[0]).messages[2].content,
      "<think>The bars are 34 and 27. 4+7=11, 3+2+1=6. Check: 4+7=11, 3+2+1=6. Right. So 61.</think><answer>61</answer>",
    );
    const other = { ...samples[0], problem: { ...sums, steps: undefined } };
    assert.throws(() => toCheckedCot(other), /no reading or no steps/);
  });

  it("asks with the pictures first, and with the choices below the question once", () => {
    const problem = { question: "Which?", images: ["a.png", "b.png"], choices: ["red", "blue"] };
    assert.deepEqual(buildMessages(problem, "direct"), [
      { role: "system", content: "Solve." },
      {
        role: "user",
        content: [
          { type: "image" },
          { type: "image" },
          { type: "text", text: "Which?\n(A) red\n(B) blue" },
        ],
      },
    ]);
    const written = { ...problem, question: "Which?\n(A) red (B) blue" };
    assert.deepEqual(buildMessages(written, "reflect")[1].content, [
      { type: "image" },
      { type: "image" },
      { type: "text", text: written.question },
    ]);
  });

  it("asks large models for the template, with an example that is in it", () => {
    const example = /<think> One[^]*$/.exec(SYSTEM_PROMPTS.paper)?.[0] ?? "";
    const response = parseResponse(example);
    assert.deepEqual(response.faults, []);
    // A shell or a string that is not raw would have eaten these.
    assert.match(response.first.answer ?? "", /\$\\boxed\{2\}\$/);
    assert.match(response.first.think ?? "", /\$1\+1=2\$/);
  });
});
