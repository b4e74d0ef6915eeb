/** `srpo data attempt`, `judge` and `build` that die in the middle: no answered call is made twice, and the key stays where it was. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJsonl, writeJsonl } from "../../../lib/engine/files";
import { ended, srpo, start } from "../../cli/srpo";
import { drawPicture } from "../../datasets/sources/files";
import { temporaryFolder } from "../../policy/fixture";
import { chatServer, replyBody, sendJson, type Asked, type Behaviour } from "./server";

const COUNT = 12;
const SECRET = "sk-never-to-be-seen-0123456789";

const numberOf = ({ body }: Asked): number =>
  Number(/Picture (\d+):/.exec(JSON.stringify(body.messages))?.[1]);

/** The policy, the judge or the teacher, whoever is asked. Pictures 0, 3, 6 … are solved. */
function replyTo(asked: Asked): string {
  const fields: string[] = asked.body.response_format?.json_schema.schema.required ?? [];
  const n = numberOf(asked);
  if (fields.includes("score")) return JSON.stringify({ comment: "clear", score: 4 });
  if (!fields.includes("reflection")) {
    const working = n % 3 === 0 ? "4+7=11, so 34+27=61" : "34+27=51";
    const answer = n % 3 === 0 ? 61 : 51;
    return `<think>The bars are 34 and 27, and ${working}.</think><answer>${answer}</answer>`;
  }
  const own = `picture ${n} of ${n + 300} with ${n + 500}`;
  return JSON.stringify({
    ...{ quote: "34+27=51", flaw: "The carry is missing." },
    reflection: fields.includes("quote")
      ? `In ${own} I forgot what the ones 4+7=11 carry over to the tens.`
      : `Of ${own} the carry from 4+7=11 is all that is needed here.`,
    ...{ think: "With the carry the tens are 3+2+1=6.", answer: "61" },
  });
}

describe("a command that is killed", function () {
  this.timeout(180_000);
  const server = chatServer();
  const root = temporaryFolder();
  const file = (name: string): string => join(root, name);
  const env = { OPENAI_API_KEY: SECRET, SRPO_RUNS: file("runs") };
  const said: string[] = [];
  let answered = 0;
  const slowly: Behaviour = async (asked, response) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    response.on("finish", () => answered++);
    sendJson(response, 200, replyBody(replyTo(asked)));
  };
  before(async () => {
    for (let i = 0; i < COUNT; i++) await drawPicture(file(`${i}.png`), i);
    const problem = (i: number) => ({
      ...{
        image: `${i}.png`,
        answer: "61",
        query: `Picture ${i}: what do the bars give together?`,
      },
    });
    writeJsonl(
      file("input.jsonl"),
      Array.from({ length: COUNT }, (_unused, i) => ({ id: `r${i}`, ...problem(i) })),
    );
  });
  beforeEach(() => {
    server.behave = slowly;
    answered = 0;
  });

  const run = async (args: readonly string[]) => {
    const result = await srpo(["data", ...args], { env });
    said.push(result.out, result.err);
    return result;
  };
  const replies = (cache: string): number =>
    readdirSync(file(cache), { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".json"),
    ).length;
  const asking = (cache: string) => [
    ...["--base-url", server.baseUrl, "--concurrency", "2", "--cache", file(cache)],
  ];

  /** Kills the command after some answers, runs it again, and counts. @param calls what it takes in all */
  async function killAndRepeat(args: readonly string[], cache: string, calls: number, after = 5) {
    const child = start(["data", ...args], env);
    const end = ended(child);
    while (answered < after && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGKILL");
    said.push((await end).err);
    // Two are under way, and each writes its reply before it is counted as paid.
    const kept = replies(cache);
    const counted = readJsonl(file(join(cache, "paid.jsonl"))).length;
    assert.ok(kept >= counted && kept <= counted + 2, `${counted} counted, ${kept} kept`);
    assert.ok(kept >= after - 2 && kept < calls, `${kept} kept of ${calls}`);
    const before = server.asked.length;
    const { status, rows, err } = await run(args);
    assert.equal(status, 0, err);
    assert.equal(server.asked.length - before, calls - kept);
    await run(args);
    assert.equal(server.asked.length - before, calls - kept);
    return rows[0];
  }

  it("attempt: goes on with the very answer that is missing", async () => {
    const { out } = await run([
      ...["read", "--source", "srpo-input", "--path", file("input.jsonl")],
    ]);
    const problems = out.trim().split("\n");
    assert.equal(problems.length, COUNT);
    writeJsonl(
      file("problems.jsonl"),
      problems.map((line) => JSON.parse(line) as unknown),
    );
    const row = await killAndRepeat(
      [
        ...["attempt", "--in", file("problems.jsonl"), "--out", file("attempts.jsonl")],
        ...["--model", "policy", "--samples", "2", "--temperature", "0.6", ...asking("policy")],
      ],
      "policy",
      2 * COUNT,
    );
    assert.deepEqual([row.problems, row.passRate], [COUNT, 1 / 3]);
    for (const { body, headers } of server.asked) {
      assert.deepEqual([body.temperature, body.max_tokens], [0.6, 1024]);
      assert.equal(headers.authorization, `Bearer ${SECRET}`);
      assert.match(body.messages[1].content[0].image_url.url, /^data:image\/png;base64,/);
    }
    // Samples of one problem differ by their seeds, where the server follows them.
    assert.equal(new Set(server.asked.map(({ body }) => body.seed)).size, 2 * COUNT);
  });

  it("judge: the same", async () => {
    const judged = await killAndRepeat(
      [
        ...["judge", "--in", file("attempts.jsonl"), "--out", file("judged.jsonl")],
        ...["--model", "judge", ...asking("judge")],
      ],
      "judge",
      // Equal answers to a problem are one question to the judge.
      COUNT,
    );
    assert.deepEqual([judged.judged, judged.unjudged], [2 * COUNT, 0]);
    assert.ok(!existsSync(file("judged.jsonl.part")));
  });

  it("build: says what all of it may cost, and goes on in whichever part it died", async () => {
    const args = [
      ...["build", "--source", "srpo-input", "--path", file("input.jsonl"), "--out", file("set")],
      ...["--model", "policy", "--judge", "judge", "--teacher", "teacher", ...asking("build")],
      ...["--price-in", "1", "--price-out", "2", "--set", "construction.target=6"],
    ];
    const [cost] = (await run([...args, "--estimate"])).rows as Record<string, any>[];
    assert.equal(server.asked.length, 0);
    assert.deepEqual(
      [cost.problems, cost.policy.calls, cost.judge.calls, cost.teacher.calls],
      [COUNT, COUNT, COUNT, 6],
    );
    const parts = [cost.policy.dollars, cost.judge.dollars, cost.teacher.dollars];
    assert.ok(Math.abs(parts.reduce((a, b) => a + b) - cost.dollars) < 1e-9 && cost.dollars > 0);
    const [free] = (await run([...args, "--estimate", "--free", "policy"])).rows;
    assert.ok(Math.abs((free.dollars as number) - parts[1] - parts[2]) < 1e-9);

    // In the middle of the judge's part; the teacher's is in teacher.test.ts.
    const row = await killAndRepeat(args, "build", COUNT + COUNT + 6, COUNT + 4);
    assert.deepEqual([row.samples, row.right, row.wrong], [6, 2, 4]);
    const used = readJsonl<Record<string, number>>(file("build/paid.jsonl"));
    const tokens = used.reduce((sum, one) => sum + one.promptTokens + one.completionTokens, 0);
    assert.ok(tokens < cost.policy.promptTokens + cost.policy.completionTokens);
    const card = readFileSync(file("set/README.md"), "utf8");
    assert.match(card, /SRPO input records: .*; 6 samples/);
    // One budget for all three: what the policy has used is not left for the teacher.
    const poor = await run([...args, "--token-budget", "4000", "--cache", file("poor"), "--force"]);
    assert.equal(poor.status, 1);
    assert.match(poor.err, /budget would not hold another call/);
  });

  it("and the key stands in nothing that was written or said", () => {
    assert.ok(said.length > 8);
    for (const text of said) assert.ok(!text.includes(SECRET));
    const grep = spawnSync("grep", ["-rl", SECRET, root], { encoding: "utf8" });
    assert.deepEqual([grep.status, grep.stdout], [1, ""]);
  });
});
