import assert from "node:assert/strict";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import { compareResults } from "../../lib/bench/compare-results";
import type { BenchResults } from "../../lib/bench/results";
import { benchPage, benchTable, categoryTable, comparisonLines } from "../../lib/lab/bench-view";
import { toFrame } from "../../lib/lab/tables";
import { createChatClient } from "../../lib/rollout/openai/client";
import { runBenchmark, type BenchmarkOptions, type Contestant } from "../../lib/stages/benchmark";
import { ended, jsonl, srpo, start } from "../cli/srpo";
import { writeText } from "../datasets/sources/files";
import { temporaryFolder } from "../policy/fixture";
import { chatServer, replyBody, sendJson, textIn, type Behaviour } from "../rollout/openai/server";
import { testLab } from "./lab";

const mathvision = benchmarkByName("mathvision");
const COUNT = 6;

/** `What is 3 + 4?` and its like; answers the sum in a box. */
const sums: Behaviour = ({ body }, response) => {
  const [, a, b] = /What is (\d+) \+ (\d+)\?/.exec(textIn(body)) ?? [];
  sendJson(response, 200, replyBody(`So \\boxed{${Number(a) + Number(b)}}.`));
};

describe("stages/benchmark: a model behind a server", function () {
  this.timeout(120_000);
  const server = chatServer();
  const root = temporaryFolder();
  let trial = 0;
  let folder: string;
  let from: string;
  const runs = process.env.SRPO_RUNS;
  before(async () => {
    await sharp({ create: { width: 56, height: 56, channels: 3, background: "white" } })
      .png()
      .toFile(join(root, "1.png"));
  });
  beforeEach(() => {
    folder = join(root, `trial-${trial++}`);
    process.env.SRPO_RUNS = join(folder, "runs");
    const records = Array.from({ length: COUNT }, (_, i) => ({
      ...{ id: `${i}`, question: `<image1> What is ${i} + 4?`, options: [], image: "1.png" },
      // The last two have a wrong gold answer.
      ...{ answer: `${i + (i < 4 ? 4 : 5)}`, level: 1 + (i % 2), subject: "algebra" },
    }));
    from = writeText(join(folder, "test.jsonl"), jsonl(records));
    copyFileSync(join(root, "1.png"), join(folder, "1.png"));
    server.behave = sums;
  });
  after(() => {
    if (runs === undefined) delete process.env.SRPO_RUNS;
    else process.env.SRPO_RUNS = runs;
  });
  const contestant = (cache?: string): Contestant => ({
    kind: "server",
    client: createChatClient({
      ...{ model: "m", baseUrl: server.baseUrl, concurrency: 2, attempts: 2, retryBaseMs: 1 },
      ...{ cache, prices: { input: 1, output: 2 } },
    }),
  });
  const run = (options: Partial<BenchmarkOptions> = {}, who = contestant()) =>
    runBenchmark(who, { benchmark: mathvision, from, ...options });

  it("asks, scores, counts and writes everything; the second time it asks nothing", async () => {
    const steps: Record<string, number>[] = [];
    const watch = {
      step: (step: number, row: Record<string, number>) => steps.push({ step, ...row }),
    };
    const { results, file } = await run({ watch });
    assert.equal(server.asked.length, COUNT);
    assert.ok(server.most <= 2);
    assert.deepEqual([results.accuracy.value, results.accuracy.n], [4 / 6, 6]);
    assert.ok(results.accuracy.low < 4 / 6 && results.accuracy.bootstrap.high > 4 / 6);
    assert.deepEqual(results.usage, { promptTokens: 60, completionTokens: 30, dollars: 12e-5 });
    assert.deepEqual(steps.at(-1), { step: 6, accuracy: 4 / 6, tokens: 30 });
    assert.deepEqual(results.tables.level["-level1"].n, 3);
    assert.equal(results.rules["official/extract+is-equal"], 6);
    assert.match(results.files[0].sha256, /^[0-9a-f]{64}$/);
    const written = JSON.parse(readFileSync(file, "utf8")) as BenchResults;
    assert.deepEqual(written, JSON.parse(JSON.stringify(results)));
    assert.match(
      readFileSync(file.replace("json", "csv"), "utf8"),
      /^group,category,n,.*\r\noverall,/,
    );

    const again = await run();
    assert.equal(server.asked.length, COUNT);
    assert.deepEqual(again.results.hashes, results.hashes);
    assert.deepEqual(again.results.usage, results.usage);
    // Another family of rules is another result of the same answers.
    const other = await run({ rules: "vlmevalkit" });
    assert.equal(server.asked.length, COUNT);
    assert.notEqual(other.file, file);
    // Another prompt or temperature is not.
    await run({ ask: "srpo", temperature: 0.5 });
    assert.equal(server.asked.length, 2 * COUNT);
    const [system, user] = server.asked[COUNT].body.messages;
    assert.match(system.content, /two rounds/);
    assert.deepEqual(
      user.content.map(({ type }: { type: string }) => type),
      ["image_url", "text"],
    );
  });

  it("is shown as a table, a data frame and a page that holds no markup of the data's", async () => {
    const { results } = await run();
    const [row] = benchTable([results]);
    assert.equal(row["accuracy [95 %]"], "66.7 % [30.0, 90.3]");
    const frame = toFrame(categoryTable(results));
    assert.deepEqual(frame.columns, ["model", "group", "category", "n", "accuracy", "low", "high"]);
    const page = benchPage({ ...results, title: "<script>" });
    assert.ok(!page.includes("<script>") && page.includes("&#60;script"));
    assert.ok(page.includes("-level1_algebra") && page.includes(results.files[0].sha256));
  });

  it("goes on at its next sample after a kill", async () => {
    const config = [
      "bench",
      "run",
      "mathvision",
      "--from",
      from,
      "--model",
      "m",
      "--concurrency",
      "1",
    ];
    const cli = [...config, "--base-url", server.baseUrl, "--cache", join(folder, "cache")];
    const env = { SRPO_RUNS: join(folder, "runs") };
    const child = start(cli, env);
    server.behave = (asked, response, number) => {
      if (number < 4) sums(asked, response, number);
      else child.kill("SIGKILL");
    };
    await ended(child);
    assert.equal(server.asked.length, 4);
    const [name] = readdirSync(join(folder, "runs"));
    const answers = join(folder, "runs", name, "answers.jsonl");
    assert.equal(readFileSync(answers, "utf8").trim().split("\n").length, 3);
    // The kill may come in the middle of a line.
    appendFileSync(answers, '{"key":"cut');
    server.behave = sums;
    const { status, rows, err } = await srpo(cli, { env });
    assert.equal(status, 0, err);
    // The fourth was under way.
    assert.equal(server.asked.length, COUNT + 1);
    assert.equal(rows[0].accuracy, 4 / 6);
    assert.match(err, /66\.7 % of 6 \(95 % 30\.0 % to 90\.3 %/);
    assert.ok(existsSync(String(rows[0].results).replace("json", "html")));
  });

  it("stops at its signal and keeps what it has", async () => {
    const controller = new AbortController();
    server.behave = (asked, response, number) => {
      if (number === 4) controller.abort();
      sums(asked, response, number);
    };
    await assert.rejects(run({ signal: controller.signal }), /Stopped/);
    const before = server.asked.length;
    const { results } = await run();
    assert.ok(server.asked.length - before < COUNT);
    assert.equal(results.accuracy.value, 4 / 6);
  });

  it("counts what a server refuses as wrong, says so, and asks again the next time", async () => {
    server.behave = (asked, response, number) =>
      textIn(asked.body).includes("0 + 4")
        ? sendJson(response, 400, { error: { message: "no such picture" } })
        : sums(asked, response, number);
    const { results } = await run();
    assert.deepEqual(
      results.unanswered.map(({ problem }) => problem),
      ["0"],
    );
    assert.match(results.unanswered[0].reason, /no such picture/);
    assert.equal(results.accuracy.value, 3 / 6);
    assert.equal(results.counts.noAnswer, 1);
    server.behave = sums;
    assert.equal((await run()).results.accuracy.value, 4 / 6);
    assert.equal(server.asked.length, COUNT + 1);
  });

  it("draws several samples a problem, and more of them later without paying twice", async () => {
    // Every second sample is wrong.
    let calls = 0;
    server.behave = (asked, response, number) =>
      calls++ % 2 === 0
        ? sums(asked, response, number)
        : sendJson(response, 200, replyBody("\\boxed{99}"));
    const cache = join(folder, "cache");
    const who = contestant(cache);
    const one = { concurrency: 1, limit: 4, temperature: 1 };
    const two = await run({ ...one, samples: 2 }, who);
    assert.equal(server.asked.length, 8);
    const seeds = server.asked.map(({ body }) => body.seed as number);
    assert.equal(new Set(seeds).size, 8);
    const four = await run({ ...one, samples: 4 }, contestant(cache));
    assert.equal(server.asked.length, 16);
    assert.deepEqual(
      four.results.atK.map(({ k }) => k),
      [1, 2, 4],
    );
    assert.ok(four.results.atK[2].pass >= four.results.atK[0].pass);
    assert.equal(four.results.problems.length, 4);
    assert.ok(four.results.problems.every(({ samples }) => samples.length === 4));
    const compared = compareResults(two.results, four.results);
    assert.ok(compared.caveats.some((caveat) => caveat.startsWith("samples a problem")));
  });

  it("asks a judge where the procedure does; one that does not answer leaves the rules', labelled", async () => {
    const mathverse = benchmarkByName("mathverse");
    const metadata = { subject: "Plane Geometry", subfield: "Angle" };
    const record = {
      problem_version: "Text Lite",
      question_type: "free-form",
      image: "1.png",
      metadata,
    };
    const set = writeText(
      join(folder, "verse.jsonl"),
      jsonl([
        {
          ...record,
          sample_index: "1",
          question: "What is 1 + 4?",
          answer: "half a dozen less one",
        },
        { ...record, sample_index: "2", question: "What is 2 + 4?", answer: "7" },
      ]),
    );
    let judged = 0;
    server.behave = (asked, response, number) => {
      if (asked.body.model !== "judge") return sums(asked, response, number);
      judged++;
      const prompt = textIn(asked.body);
      const reply = prompt.includes("Judgement: ")
        ? prompt.includes("half a dozen")
          ? "1"
          : "0"
        : (/\\boxed\{(\d+)\}.'\nExtracted Answer: $/.exec(prompt)?.[1] ?? "");
      sendJson(response, 200, replyBody(reply));
    };
    const judge = (cache: string) =>
      createChatClient({
        ...{ model: "judge", baseUrl: server.baseUrl, attempts: 1, retryBaseMs: 1 },
        cache: join(folder, cache),
      });
    const options = { benchmark: mathverse, from: set };
    const { results } = await run({ ...options, judge: judge("judge") });
    assert.equal(results.accuracy.value, 0.5);
    assert.deepEqual(results.rules, { "official/llm-judge+llm-judge": 2 });
    assert.deepEqual([judged, results.judgeUsage?.calls], [4, 4]);
    await run({ ...options, judge: judge("judge") });
    assert.equal(judged, 4);

    server.behave = (_asked, response) => sendJson(response, 500, {});
    const down = await run({ ...options, judge: judge("other") });
    assert.equal(down.results.counts.withoutJudge, 2);
    assert.ok(Object.keys(down.results.rules)[0].includes("(judge-unreachable)"));
    const alone = await run(options);
    assert.ok(Object.keys(alone.results.rules)[0].includes("(no-judge)"));
    assert.notEqual(alone.file, down.file);
  });

  it("names the picture that is not there, and the field that is missing, before it asks anything", async () => {
    rmSync(join(folder, "1.png"));
    await assert.rejects(run(), /record 1 of test\.jsonl: .*a picture is missing \(1\.png\)/);
    const twice = writeText(
      join(folder, "twice.jsonl"),
      jsonl([
        { id: 1, question: "q", answer: "1" },
        { id: 1, question: "q", answer: "1" },
      ]),
    );
    await assert.rejects(run({ from: twice }), /two problems have the identifier 1/);
    await assert.rejects(
      run({ from: writeText(join(folder, "x.jsonl"), '{"id":1}\n') }),
      /no question/,
    );
    assert.equal(server.asked.length, 0);
  });

  it("finds the problems that stand in training data, and gives the accuracy without them", async () => {
    const long =
      "A train leaves at noon and travels for three hours at sixty kilometres an hour, then rests. ";
    const records = [1, 2].map((i) => ({
      ...{ id: `${i}`, question: `${long} What is ${i} + 4?`, options: [], image: "1.png" },
      ...{ answer: `${i + 4}`, level: 1, subject: "algebra" },
    }));
    const set = writeText(join(folder, "set.jsonl"), jsonl(records));
    const training = writeText(
      join(folder, "training.jsonl"),
      jsonl([{ id: "t7", question: `${long.toUpperCase()} What is 1 + 4?`, answer: "5" }]),
    );
    const { results } = await run({ from: set, trainedOn: [training] });
    assert.deepEqual(results.seen?.problems, [{ problem: "1", item: "training.jsonl t7" }]);
    assert.equal(results.unseen?.n, 1);
    assert.match(benchPage(results), /1 problems stand in training\.jsonl \(1 records\)/);
  });
});

describe("stages/benchmark: saved responses and policies", function () {
  this.timeout(120_000);
  const lab = testLab(6);
  const root = temporaryFolder();

  it("scores saved responses, two-solution ones on the second answer, and compares two systems", async () => {
    const records = Array.from({ length: 4 }, (_, i) => ({
      ...{
        id: `${i}`,
        question: "How many?",
        options: [],
        answer: `${i}`,
        level: 1,
        subject: "algebra",
      },
    }));
    const from = writeText(join(root, "test.jsonl"), jsonl(records));
    const twice = (first: number, second: number): string =>
      `<think>a</think><answer>\\boxed{${first}}</answer><reflection>b</reflection><think>c</think><answer>\\boxed{${second}}</answer>`;
    const reflecting = writeText(
      join(root, "reflecting.jsonl"),
      jsonl([
        { id: "3", response: twice(9, 3) },
        { id: "0", response: twice(0, 0) },
        { id: "1", response: twice(1, 9) },
      ]),
    );
    const plain = writeText(
      join(root, "plain.tsv"),
      "index\tprediction\n" +
        records.map(({ id }) => `${id}\tIt is \\boxed{${id === "3" ? 9 : id}}.\n`).join(""),
    );
    const of = async (file: string, answer: "first" | "second" = "second") =>
      (await runBenchmark({ kind: "responses", file }, { benchmark: mathvision, from, answer }))
        .results;
    const [second, first, other] = [
      await of(reflecting),
      await of(reflecting, "first"),
      await of(plain),
    ];
    assert.equal(second.accuracy.value, 2 / 4);
    assert.equal(first.accuracy.value, 2 / 4);
    assert.deepEqual(
      second.problems.map(({ correct }) => correct),
      [1, 0, 0, 1],
    );
    assert.deepEqual(
      first.problems.map(({ correct }) => correct),
      [1, 1, 0, 0],
    );
    assert.deepEqual(second.answers.transitions, { RR: 1, RW: 1, WR: 1, WW: 0, none: 1 });
    assert.deepEqual([second.answers.fixRate.value, second.answers.harmRate.value], [1, 0.5]);
    assert.deepEqual(second.unanswered, [{ problem: "2", reason: "no saved response" }]);
    assert.equal(other.accuracy.value, 3 / 4);
    const compared = compareResults(second, other);
    assert.deepEqual([compared.onlyA, compared.onlyB, compared.p], [1, 2, 1]);
    assert.ok(Math.abs(compared.difference - 0.25) < 1e-12);
    // Three of four are discordant: (1.95996 √0.75 + 0.84162 √(0.75 − 0.0625))² / 0.0625 = 91.8.
    assert.deepEqual(compared.needed.at(-1), { points: 25, problems: 92 });
    assert.match(comparisonLines(compared).join("\n"), /25\.0 points, 95 %.*McNemar/);
    assert.throws(
      () => compareResults(second, { ...other, spec: { ...other.spec, benchmark: "emma" } }),
      /different benchmarks/,
    );

    const files = await Promise.all(
      [reflecting, plain].map(async (responses) => {
        const cli = ["bench", "run", "mathvision", "--from", from, "--responses", responses];
        return String(
          (await srpo(cli, { env: { SRPO_RUNS: join(root, "runs") } })).rows[0].results,
        );
      }),
    );
    const { rows, err, status } = await srpo(["bench", "compare", ...files, "--points", "10"]);
    assert.equal(status, 0, err);
    assert.equal(rows[0].difference, 0.25);
    assert.match(err, /difference of 10\.0 points/);
    assert.equal((await srpo(["bench", "compare", from, from])).status, 2);
    assert.equal((await srpo(["bench", "run", "mathvision", "--from", from])).status, 2);
  });

  it("runs a policy of the lab, and ends the same when it was stopped in between", async () => {
    const from = writeText(
      join(root, "lab.jsonl"),
      jsonl(
        lab.problems.map(({ id, question, images: [image], answer }) => ({
          ...{ id, question, options: [], image, answer, level: 1, subject: "algebra" },
        })),
      ),
    );
    const run = (signal?: AbortSignal, watch?: BenchmarkOptions["watch"]) =>
      runBenchmark(
        { kind: "policy", policy: lab.base },
        // Two problems at a time.
        {
          benchmark: mathvision,
          from,
          images: "/",
          samples: 32,
          temperature: 1,
          maxNewTokens: 12,
          signal,
          watch,
        },
      );
    const whole = await run();
    assert.ok(whole.results.accuracy.value > 0 && whole.results.accuracy.value < 1);
    assert.equal(whole.results.spec.sampling?.ask, "lab");
    process.env.SRPO_RUNS = join(root, "stopped");
    const controller = new AbortController();
    await assert.rejects(
      run(controller.signal, { step: (done) => done === 2 && controller.abort() }),
      /Stopped/,
    );
    const resumed = await run();
    assert.deepEqual(resumed.results.hashes, whole.results.hashes);
    assert.deepEqual(resumed.results.problems, whole.results.problems);
  });
});
