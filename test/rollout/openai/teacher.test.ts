import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readJsonl, writeJsonl } from "../../../lib/engine/files";
import { lessonOf, modelTeaching, teachAttempts } from "../../../lib/reflection/construction";
import type { Attempt } from "../../../lib/reflection/selection";
import { TeacherStopped } from "../../../lib/reflection/teacher";
import { attemptsOf, type AttemptedProblem } from "../../../lib/rollout/attempts";
import { judgeAttempts } from "../../../lib/rollout/judging";
import { createChatClient, type ClientOptions } from "../../../lib/rollout/openai/client";
import { createServerJudge, createServerTeacher } from "../../../lib/rollout/openai/teacher";
import type { ReflectionSample } from "../../../lib/types";
import { ended, srpo, start } from "../../cli/srpo";
import { drawPicture } from "../../datasets/sources/files";
import { temporaryFolder } from "../../policy/fixture";
import { rightAttempt, sums, wrongAttempt } from "../../reflection/stage-one";
import { chatServer, replyBody, sendJson, type Asked, type Behaviour } from "./server";

/** The number of the problem that is asked about, in its question. */
const numberIn = ({ body }: Asked): number => {
  const text = body.messages[1].content.find((part: { type: string }) => part.type === "text").text;
  return Number(/bars (\d+)\?/.exec(text)?.[1]);
};

const isWrong = ({ body }: Asked): boolean =>
  body.response_format.json_schema.schema.required.includes("quote");

/** A good teaching about problem n. */
const teachingOf = (asked: Asked): Record<string, unknown> => {
  const n = numberIn(asked);
  const fields = {
    reflection: `In picture ${n}, number ${n + 100} of ${n + 300}, I forgot the carry: 4+7=11 makes a ten more.`,
    think: `With the carry of picture ${n} the tens are 3+2+1=6.`,
    answer: "61",
  };
  return isWrong(asked)
    ? { quote: "The bars are 34 and 27.", flaw: "It stops there.", ...fields }
    : {
        ...fields,
        reflection: `Ones first, 4+7=11: all that picture ${n}, number ${n + 100} of ${n + 300}, needs.`,
      };
};

const usage = { prompt_tokens: 900, completion_tokens: 100 };

const teachWell: Behaviour = (asked, response) =>
  sendJson(response, 200, replyBody(JSON.stringify(teachingOf(asked)), { usage }));

describe("the teacher over a server", function () {
  this.timeout(60_000);
  const server = chatServer();
  const root = temporaryFolder();
  let cache = "";
  let count = 0;
  let attempts: Attempt[];
  before(async () => {
    await drawPicture(join(root, "bars.png"), 1);
    attempts = Array.from({ length: 20 }, (_unused, i) => {
      const question = `What is the sum of the bars ${i}?`;
      const problem = { ...sums, id: `p${i}`, question, images: [join(root, "bars.png")] };
      return (i % 3 === 0 ? rightAttempt : wrongAttempt)(problem);
    });
  });
  beforeEach(() => {
    cache = join(root, `cache-${count++}`);
    server.behave = teachWell;
  });
  const clientOf = (options: Partial<ClientOptions> = {}) =>
    createChatClient({
      ...{ model: "m", baseUrl: server.baseUrl, retryBaseMs: 1, cache, concurrency: 4 },
      ...options,
    });
  const teachAll = (client = clientOf(), given = attempts) =>
    teachAttempts(given, {
      ...{ teacher: createServerTeacher(client), policy: "base", seed: 1, concurrency: 4 },
      ...modelTeaching,
      mostAlike: Infinity,
    });

  it("sends picture, question, attempt and gold answer, in two modes, with the reply's schema", async () => {
    const { samples, dropped, rejected } = await teachAll();
    assert.deepEqual([samples.length, dropped, rejected], [20, [], []]);
    assert.equal(server.asked.length, 20);
    for (const asked of server.asked) {
      const [system, user] = asked.body.messages;
      assert.match(system.content, /JSON object/);
      const [picture, { text }] = user.content;
      assert.match(picture.image_url.url, /^data:image\/png;base64,/);
      const attempt = attempts[numberIn(asked)];
      assert.equal(attempt.verdict.correct, !isWrong(asked));
      assert.match(text, isWrong(asked) ? /first solution is wrong/ : /first solution is right/);
      for (const part of ["The bars are 34 and 27. So.", lessonOf(attempt).attempt.answer, "61"]) {
        assert.ok(text.includes(part), part);
      }
      const { strict, schema } = asked.body.response_format.json_schema;
      assert.deepEqual([strict, schema.additionalProperties], [true, false]);
    }
    const [right, wrong] = samples;
    assert.deepEqual([right.mode, right.flaw, wrong.mode], ["condense", undefined, "correct"]);
    assert.deepEqual(wrong.flaw, { quote: "The bars are 34 and 27.", fault: "It stops there." });
    const { settings, tries } = wrong.provenance;
    assert.deepEqual([settings?.model, settings?.temperature, tries], ["m", 0.7, 1]);
    assert.match(String(settings?.prompts), /^[\da-f]{8}$/);
  });

  it("sends back what the filters refuse, with the reason, until it is right or the tries are used up", async () => {
    // What each problem's teacher writes first; p5 and p6 never learn.
    const spoilt: Record<number, [RegExp, (asked: Asked) => string]> = {
      1: [/not one JSON object/, () => "I would say: look again."],
      2: [/"second|"think" is missing/, (a) => JSON.stringify({ ...teachingOf(a), think: " " })],
      4: [
        /quoted passage does not stand/,
        (a) => JSON.stringify({ ...teachingOf(a), quote: "The bars are 99." }),
      ],
      5: [
        /names the gold answer/,
        (a) =>
          JSON.stringify({
            ...teachingOf(a),
            reflection: "I forgot the carry, so it must be 61 in all.",
          }),
      ],
      7: [
        /second answer is not the gold/,
        (a) => JSON.stringify({ ...teachingOf(a), answer: "62" }),
      ],
      8: [
        /stock phrase/,
        (a) =>
          JSON.stringify({
            ...teachingOf(a),
            reflection: "There is a mistake in the calculation. I should have been more careful.",
          }),
      ],
      10: [/too short/, (a) => JSON.stringify({ ...teachingOf(a), reflection: "Forgot 4+7=11." })],
      11: [
        /verdict is not the judge's/,
        (a) =>
          JSON.stringify({
            ...teachingOf(a),
            reflection: "The solution is correct, as 4+7=11 is not missing in it at all.",
          }),
      ],
      13: [
        /names no flaw/,
        (a) =>
          JSON.stringify({
            ...teachingOf(a),
            reflection: "Adding 34 and 27 goes by ones and then tens.",
          }),
      ],
    };
    server.behave = (asked, response, number) => {
      const n = numberIn(asked);
      const [reason, write] = spoilt[n] ?? [];
      const { messages } = asked.body;
      if (messages.length > 2) {
        assert.equal(messages.at(-2).content, (write as (a: Asked) => string)(asked));
        assert.match(messages.at(-1).content, reason as RegExp);
      }
      if (write === undefined || (messages.length > 2 && n !== 5)) {
        return teachWell(asked, response, number);
      }
      sendJson(response, 200, replyBody(write(asked)));
    };
    const { samples, dropped, rejected } = await teachAll();
    assert.equal(samples.length, 19);
    assert.deepEqual(dropped, [
      { reason: "the reflection names the gold answer", right: 0, wrong: 1 },
    ]);
    assert.equal(rejected.length, 9);
    for (const { reason, wrong } of rejected)
      assert.equal(wrong, /names the gold/.test(reason) ? 3 : 1);
    assert.equal(server.asked.length, 20 + 8 + 2);
    for (const { problem, provenance } of samples) {
      assert.equal(provenance.tries, Number(problem.id.slice(1)) in spoilt ? 2 : 1);
    }
    const again = await teachAll();
    assert.deepEqual([again.samples, server.asked.length], [samples, 30]);
  });

  it("loses nothing and repeats nothing among 429, 500, slow, cut and malformed replies", async () => {
    const failed = new Set<number>();
    server.behave = (asked, response, number) => {
      if (failed.has(numberIn(asked))) return teachWell(asked, response, number);
      failed.add(numberIn(asked));
      const whole = replyBody(JSON.stringify(teachingOf(asked)));
      const cut = structuredClone(whole);
      cut.choices[0].finish_reason = "length";
      cut.choices[0].message.content = cut.choices[0].message.content.slice(0, 40);
      const faults: (() => void)[] = [
        () => sendJson(response, 429, {}, { "retry-after": "0" }),
        () => sendJson(response, 500, {}),
        () => undefined,
        () => void response.writeHead(200).end(JSON.stringify(whole).slice(0, 50)),
        () => sendJson(response, 200, cut),
        () => sendJson(response, 200, replyBody("```json\n{broken")),
        () => sendJson(response, 200, whole),
      ];
      faults[numberIn(asked) % faults.length]();
    };
    const { samples, dropped } = await teachAll(clientOf({ timeoutMs: 800 }));
    assert.deepEqual(dropped, []);
    assert.deepEqual(
      samples.map(({ problem }) => problem.id),
      attempts.map(({ problem }) => problem.id),
    );
    const before = server.asked.length;
    assert.deepEqual((await teachAll()).samples, samples);
    assert.equal(server.asked.length, before);
  });

  it("stops at its budget with what it has, and goes on from there with a larger one", async () => {
    const client = clientOf({ budget: { tokens: 8000 }, concurrency: 1 });
    const { samples, stopped, dropped } = await teachAll(client);
    assert.ok(stopped instanceof TeacherStopped && /budget/.test(stopped.message));
    assert.ok(samples.length > 0 && samples.length < 20);
    const untaught = dropped.reduce((sum, { right, wrong }) => sum + right + wrong, 0);
    assert.equal(samples.length + untaught, 20);
    const paid = server.asked.length;
    const rest = await teachAll();
    assert.deepEqual([rest.samples.length, rest.stopped, server.asked.length], [20, undefined, 20]);
    assert.ok(paid < 20);
  });

  it("judges reasoning from 1 to 5, asks once more for a reply without a grade, and shows no gold answer", async () => {
    server.behave = ({ body }, response) => {
      const asked = JSON.stringify(body.messages);
      assert.ok(!asked.includes("61") || /answer:\\n61/.test(asked), asked);
      const first = body.messages.length === 2 && asked.includes("bars 2?");
      const reply = first ? { comment: "c", score: 9 } : { comment: "clear", score: "4" };
      sendJson(response, 200, replyBody(asked.includes("bars 5?") ? "no" : JSON.stringify(reply)));
    };
    const rows: AttemptedProblem[] = attempts.slice(0, 6).map(({ problem, ...attempt }) => ({
      ...{ problem, policy: "p", passRate: 0 },
      attempts: [attempt, { ...attempt, text: "no tags" }],
    }));
    const judge = createServerJudge(clientOf());
    const { rows: judged, judged: count, unjudged } = await judgeAttempts(judge, rows);
    assert.deepEqual([count, unjudged, server.asked.length], [5, 1, 6 + 2]);
    for (const [i, { quality, text }] of attemptsOf(judged).entries()) {
      const scored = text !== "no tags" && i !== 10;
      assert.deepEqual(quality, scored ? { score: 4, comment: "clear", judge: "m" } : undefined);
    }
  });

  it("goes on at the very sample after kill -9, as a command: no answered call is made twice", async () => {
    const [input, out] = [join(root, "attempts.jsonl"), join(root, "samples.jsonl")];
    writeJsonl(input, attempts);
    const args = [
      ...["data", "reflect", "--in", input, "--out", out, "--model", "m", "--cache", cache],
      ...["--base-url", server.baseUrl, "--concurrency", "2"],
    ];
    const answered: string[] = [];
    const slow: Behaviour = async (asked, response, number) => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      response.on("finish", () => answered.push(JSON.stringify(asked.body)));
      return teachWell(asked, response, number);
    };
    server.behave = slow;
    const child = start(args);
    const end = ended(child);
    while (answered.length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await end;
    assert.ok(!existsSync(out));
    const kept = readJsonl<{ key: string }>(join(cache, "paid.jsonl")).length;
    assert.ok(kept >= 6 && kept < 20, `${kept} kept`);

    const asked = server.asked.length;
    const { status, rows, err } = await srpo(args);
    assert.equal(status, 0, err);
    // All that was on disk is not asked again; what was under way when it died is.
    assert.equal(server.asked.length - asked, 20 - kept);
    assert.deepEqual([rows[0].samples, rows[0].calls], [20, 20]);
    const samples = readJsonl<ReflectionSample>(out);
    assert.deepEqual(new Set(samples.map(({ problem }) => problem.id)).size, 20);

    const estimate = await srpo([...args, "--estimate", "--price-in", "1", "--price-out", "4"]);
    assert.deepEqual([estimate.rows[0].calls, estimate.rows[0].cached], [0, 20]);
    const poor = await srpo([...args, "--temperature", "0.1", "--token-budget", "9000"]);
    assert.equal(poor.status, 1);
    assert.match(poor.err, /budget would not hold another call/);
    assert.ok(readFileSync(out, "utf8").trim().split("\n").length < 20);
  });
});
