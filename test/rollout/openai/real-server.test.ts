/** All of Stage I over a real server process, llama-cpp-python's, with a model that `llama_server.py` makes. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { readJsonl, writeJsonl } from "../../../lib/engine/files";
import { projectRoot } from "../../../lib/paths";
import type { AttemptedProblem } from "../../../lib/rollout/attempts";
import type { ReflectionSample } from "../../../lib/types";
import { srpo } from "../../cli/srpo";
import { drawPicture } from "../../datasets/sources/files";
import { needPeer } from "../../peers";
import { temporaryFolder } from "../../policy/fixture";

const SCRIPT = "test/rollout/openai/llama_server.py";
const COUNT = 20;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("Stage I over llama-cpp-python's server", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const file = (name: string): string => join(root, name);
  let server: ChildProcess;
  let said = "";
  let url = "";

  before(async function () {
    const python = needPeer(this, "llama-cpp");
    const port = await freePort();
    const args = [join(projectRoot, SCRIPT), "serve", String(port), file("model.gguf")];
    server = spawn(python, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on("data", (text) => (said += String(text)));
    }
    url = `http://127.0.0.1:${port}/v1`;
    for (const end = Date.now() + 60_000; ;) {
      const ready = await fetch(`${url}/models`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (ready) break;
      assert.ok(Date.now() < end && server.exitCode === null, said);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // A fifth of the questions say "please?", and those are solved.
    const records = Array.from({ length: COUNT }, (_unused, i) => ({
      ...{ id: `r${i}`, image: `${i}.png`, answer: "61" },
      query: `Picture ${i}: what do the bars give together${i % 5 === 0 ? ", please" : ""}?`,
    }));
    writeJsonl(file("input.jsonl"), records);
    for (let i = 0; i < COUNT; i++) await drawPicture(file(`${i}.png`), i);
  });
  after(() => server?.kill("SIGKILL"));

  /** How many chat requests the server has answered. */
  const answered = (): number => said.match(/POST \/v1\/chat\/completions[^\n]* 200/g)?.length ?? 0;
  const source = () => ["--source", "srpo-input", "--path", file("input.jsonl")];
  const asking = (role: string) => [
    ...["--base-url", url, "--cache", file(`cache-${role}`), "--concurrency", "4"],
  ];
  const run = async (...args: string[]) => {
    const ended = await srpo(["data", ...args], { env: { SRPO_RUNS: file("runs") } });
    assert.equal(ended.status, 0, ended.err);
    return ended;
  };

  it("part by part: read, attempt, judge, select, reflect, export; nothing lost, nothing asked twice", async () => {
    const { out } = await run("read", ...source());
    writeJsonl(
      file("problems.jsonl"),
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    );
    const model = ["--model", "tiny"];
    const reply = [...model, "--format", "json-object"];
    const attempt = ["attempt", "--in", file("problems.jsonl"), "--out", file("attempts.jsonl")];
    const [attempted] = (await run(...attempt, ...model, ...asking("policy"))).rows;
    assert.deepEqual([attempted.problems, attempted.unasked, attempted.passRate], [COUNT, 0, 0.2]);
    const judge = ["judge", "--in", file("attempts.jsonl"), "--out", file("judged.jsonl")];
    const [judged] = (await run(...judge, ...reply, ...asking("judge"))).rows;
    assert.deepEqual([judged.judged, judged.unjudged, judged.calls], [COUNT, 0, COUNT]);
    for (const { attempts } of readJsonl<AttemptedProblem>(file("judged.jsonl"))) {
      assert.equal(attempts[0].quality?.score, 4);
    }
    const select = ["select", "--in", file("judged.jsonl"), "--out", file("selected.jsonl")];
    const [selected] = (await run(...select, "--size", "10", "--least", "3")).rows;
    assert.deepEqual([selected.right, selected.wrong], [3, 7]);
    const reflect = [
      ...["reflect", "--in", file("selected.jsonl"), "--out", file("samples.jsonl")],
      ...["--report", file("report.json"), ...reply, ...asking("teacher")],
    ];
    const before = answered();
    const [reflected] = (await run(...reflect)).rows;
    // The server says the same to everybody, so that the sixth of a kind is one too many.
    const dropped = reflected.dropped as { reason: string; wrong: number }[];
    assert.deepEqual(dropped, [
      { reason: "the reflection is nearly that of several others", right: 0, wrong: 2 },
    ]);
    assert.deepEqual([reflected.samples, reflected.right, reflected.calls], [8, 3, 10]);
    assert.equal(answered() - before, 10);
    await run(...reflect);
    assert.equal(answered() - before, 10);
    const samples = readJsonl<ReflectionSample>(file("samples.jsonl"));
    for (const { mode, attempt, flaw, second, problem } of samples) {
      assert.equal(second.answer, problem.answer);
      assert.equal(attempt.text.includes("34+27=51"), mode === "correct");
      assert.equal(flaw?.quote, mode === "correct" ? "34+27=51" : undefined);
    }
    const [exported] = (
      await run(
        ...["export", "--in", file("samples.jsonl"), "--out", file("dataset")],
        ...["--report", file("report.json")],
      )
    ).rows;
    assert.deepEqual([exported.samples, exported.images], [8, 8]);
    assert.match(readFileSync(file("dataset/README.md"), "utf8"), /tiny \(model tiny, prompts /);
  });

  it("in one command, which finds its run the second time", async () => {
    const before = answered();
    const build = [
      ...["build", ...source(), "--out", file("built"), "--model", "tiny", "--teacher", "tiny"],
      ...["--judge", "tiny", "--format", "json-object", ...asking("build")],
      ...["--set", "construction.target=8", "--set", "construction.maxNewTokens=200"],
    ];
    const [row] = (await run(...build)).rows;
    assert.deepEqual([row.samples, row.right, row.wrong, row.cached], [7, 2, 5, false]);
    assert.ok(answered() - before >= COUNT + COUNT + 8);
    const now = answered();
    const [again] = (await run(...build)).rows;
    assert.deepEqual({ ...again, cached: false }, row);
    assert.equal(answered(), now);
    const card = readFileSync(file("built/README.md"), "utf8");
    assert.match(card, /You teach a student[^]*You grade solutions/);
  });
});
