import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../../../lib/engine/errors";
import { readJsonl, writeJsonl } from "../../../lib/engine/files";
import { collectAttempts, type AttemptedProblem } from "../../../lib/rollout/attempts";
import { createChatClient, RequestFailed } from "../../../lib/rollout/openai/client";
import { createOpenAiEngine } from "../../../lib/rollout/openai/engine";
import type { Problem } from "../../../lib/types";
import { temporaryFolder } from "../../policy/fixture";
import { drawPicture } from "../../datasets/sources/files";
import { chatServer, replyBody, sendJson, textIn } from "./server";

describe("the server engine", function () {
  this.timeout(60_000);
  const server = chatServer();
  const root = temporaryFolder();
  let trial = 0;
  let folder = "";
  let problems: Problem[] = [];
  before(async () => {
    for (const name of ["a.png", "b.jpg"]) await drawPicture(join(root, name), name);
    problems = Array.from({ length: 6 }, (_unused, i) => ({
      ...{ id: `p${i}`, question: `Item ${i}?`, answer: String(i), answerType: "number" as const },
      ...{ images: [join(root, "a.png"), join(root, "b.jpg")].slice(0, 1 + (i % 2)) },
      ...{ family: "f", level: 1, subject: "s", source: "test" },
    }));
  });
  beforeEach(() => {
    folder = join(root, `trial-${trial++}`);
    // Right in every second sample.
    server.behave = ({ body }, response) => {
      const item = Number(/Item (\d+)/.exec(textIn(body))?.[1]);
      const answer = body.seed % 2 === 0 ? item : -1;
      sendJson(response, 200, replyBody(`<think>I see.</think><answer>${answer}</answer>`));
    };
  });
  const engine = () =>
    createOpenAiEngine(
      createChatClient({
        model: "m",
        baseUrl: server.baseUrl,
        cache: join(folder, "cache"),
        retryBaseMs: 1,
        attempts: 2,
      }),
    );
  const request = {
    style: "paper-direct",
    group: 4,
    maxNewTokens: 64,
    temperature: 0.8,
    seed: 5,
  } as const;

  it("sends system prompt, pictures and question, and gives each problem its group in order", async () => {
    const completions = await engine().rollout(problems, request);
    assert.deepEqual(
      completions.map((group) => group.length),
      [4, 4, 4, 4, 4, 4],
    );
    const bodies = server.asked.map(({ body }) => body);
    assert.equal(bodies.length, 24);
    assert.equal(new Set(bodies.map(({ seed }) => seed)).size, 24);
    for (const { seed } of bodies) assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31);
    completions.forEach((group, i) => {
      for (const { text, ids, logprobs, tokenCount, truncated } of group) {
        assert.match(text, new RegExp(`<answer>(${i}|-1)</answer>`));
        assert.deepEqual([ids, logprobs, tokenCount, truncated], [[], [], 5, false]);
      }
    });
    const { messages, temperature, max_tokens } = bodies.find(
      (body) => textIn(body) === "Item 1?",
    ) as Record<string, any>;
    assert.deepEqual([temperature, max_tokens, messages[0].role], [0.8, 64, "system"]);
    const urls = messages[1].content.slice(0, 2).map((part: any) => part.image_url.url as string);
    for (const [i, [mime, name]] of [
      ["image/png", "a.png"],
      ["image/jpeg", "b.jpg"],
    ].entries()) {
      const [head, base64] = urls[i].split(",");
      assert.equal(head, `data:${mime};base64`);
      assert.ok(Buffer.from(base64, "base64").equals(readFileSync(join(root, name))));
    }
    assert.deepEqual(await engine().rollout(problems, request), completions);
    assert.equal(server.asked.length, 24);
  });

  it("answers what it can before it fails, and asks for the rest only afterwards", async () => {
    const behave = server.behave;
    server.behave = (asked, response, number) =>
      textIn(asked.body) === "Item 2?"
        ? sendJson(response, 400, { error: "no" })
        : behave(asked, response, number);
    await assert.rejects(engine().rollout(problems, request), (error: Error) => {
      assert.ok(error instanceof RequestFailed);
      assert.match(error.message, /^4 of 24 samples failed.*status 400: no/);
      return true;
    });
    server.behave = behave;
    server.asked.length = 0;
    await engine().rollout(problems, request);
    assert.deepEqual(
      server.asked.map(({ body }) => textIn(body)),
      Array(4).fill("Item 2?"),
    );
  });

  it("stops where nobody can be asked, and says which picture is none", async () => {
    server.behave = (_asked, response) => sendJson(response, 401, { error: { message: "who?" } });
    await assert.rejects(
      engine().rollout(problems, request),
      (error: Error) => error instanceof LabError && !(error instanceof RequestFailed),
    );
    assert.ok(server.asked.length <= 8);
    writeFileSync(join(root, "text.png"), "text");
    const broken = { ...problems[0], images: [join(root, "text.png")] };
    await assert.rejects(engine().rollout([broken], request), /text\.png is no picture/);
  });

  it("collects attempts with pass rates, leaves out what cannot be asked, and resumes", async () => {
    const behave = server.behave;
    server.behave = (asked, response, number) =>
      textIn(asked.body) === "Item 3?"
        ? sendJson(response, 400, {})
        : behave(asked, response, number);
    const file = join(folder, "attempts.jsonl");
    const progress: number[] = [];
    const first = await collectAttempts(engine(), problems, {
      ...request,
      file,
      batch: 4,
      onProgress: (done) => progress.push(done),
    });
    assert.deepEqual(progress, [4, 6]);
    assert.deepEqual(
      first.unasked.map(({ problem }) => problem),
      ["p3"],
    );
    assert.deepEqual(
      first.attempted.map(({ problem }) => problem.id),
      ["p0", "p1", "p2", "p4", "p5"],
    );
    for (const { attempts, passRate, problem } of first.attempted) {
      const right = attempts.filter(({ text }) =>
        text.includes(`<answer>${problem.answer}</answer>`),
      ).length;
      assert.equal(passRate, right / 4);
    }
    assert.deepEqual(readJsonl<AttemptedProblem>(file), first.attempted);

    appendFileSync(file, '{"problem":{"id":"cut');
    server.behave = behave;
    server.asked.length = 0;
    const second = await collectAttempts(engine(), problems, { ...request, file });
    assert.deepEqual(
      second.attempted.map(({ problem }) => problem.id),
      problems.map(({ id }) => id),
    );
    assert.deepEqual(second.unasked, []);
    assert.equal(server.asked.length, 4);
  });

  it("asks for a problem that fails as often as it may and no more, whoever else is in its batch", async () => {
    const behave = server.behave;
    server.behave = (asked, response, number) =>
      textIn(asked.body) === "Item 3?"
        ? sendJson(response, 500, {})
        : behave(asked, response, number);
    const asking = createOpenAiEngine(
      createChatClient({ model: "m", baseUrl: server.baseUrl, attempts: 2, retryBaseMs: 1 }),
    );
    const file = join(folder, "failing.jsonl");
    const { unasked, attempted } = await collectAttempts(asking, problems, {
      ...{ ...request, group: 1, file },
    });
    assert.deepEqual(
      unasked.map(({ problem }) => problem),
      ["p3"],
    );
    assert.match(unasked[0].reason, /after 2 attempts \(status 500\)/);
    assert.equal(attempted.length, 5);
    assert.equal(server.asked.length, 5 + 2);
  });

  it("is a command: an estimate first, then attempts on disk, and a second run that asks nothing", async () => {
    const [input, out] = [join(folder, "problems.jsonl"), join(folder, "attempts.jsonl")];
    writeJsonl(input, problems);
    const run = async (...more: string[]) => {
      const child = spawn(process.execPath, [
        ...[join(__dirname, "../../../lib/cli.js"), "data", "attempt", "--in", input, "--out", out],
        ...[
          "--model",
          "m",
          "--base-url",
          server.baseUrl,
          "--samples",
          "2",
          "--cache",
          join(folder, "cache"),
          ...more,
        ],
      ]);
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (text) => (stdout += text));
      child.stderr.on("data", (text) => (stderr += text));
      const status = await new Promise((resolve) => child.on("close", resolve));
      return { status, stderr, row: stdout === "" ? null : JSON.parse(stdout) };
    };
    const estimate = await run("--estimate", "--price-in", "1", "--price-out", "1");
    assert.deepEqual([estimate.status, estimate.row.calls, server.asked.length], [0, 12, 0]);
    const { status, row, stderr } = await run();
    assert.deepEqual([status, row.problems, row.unasked], [0, 6, 0], stderr);
    assert.ok(row.passRate > 0 && row.passRate < 1);
    assert.equal(server.asked.length, 12);
    assert.deepEqual((await run()).row, row);
    assert.equal(server.asked.length, 12);
    assert.equal(
      (await run("--token-budget", "1", "--seed", "2", "--out", join(folder, "other.jsonl")))
        .status,
      1,
    );
    assert.equal((await run("--policy", "x")).status, 2);
  });
});
