import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawPicture, jsonl } from "../datasets/sources/files";
import { temporaryFolder } from "../policy/fixture";
import { chatServer, echo, sendJson } from "../rollout/openai/server";
import { srpo } from "./srpo";

/** What somebody does who tries `srpo data` for the first time, with everything that can be wrong. */
describe("srpo data, with wrong input", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const server = chatServer();
  const at = (name: string): string => join(root, name);
  const KEY = "sk-never-to-be-seen-0123456789";
  const record = (id: number, image: string): Record<string, unknown> => ({
    ...{ id, image },
    conversations: [
      { from: "human", value: `How many of ${id}?` },
      { from: "gpt", value: `<CONCLUSION> ${id} </CONCLUSION>` },
    ],
  });
  const read = (path: string, ...more: string[]) =>
    srpo(["data", "read", "--source", "llava-cot", "--path", at(path), ...more]);
  const attempt = (path: string, ...more: string[]) =>
    srpo(
      [
        ...["data", "attempt", "--in", at(path), "--out", at("attempts.jsonl"), "--model", "m"],
        ...["--base-url", server.baseUrl, "--cache", at("cache"), "--concurrency", "24", ...more],
      ],
      { env: { OPENAI_API_KEY: KEY } },
    );

  before(async () => {
    mkdirSync(at("pictures"));
    for (let i = 0; i < 24; i++) await drawPicture(at(`pictures/${i}.png`), i);
    writeFileSync(at("x.csv"), "id,question,answer\n1,How many?,3\n");
    writeFileSync(at("empty.jsonl"), "");
    const [one, two] = [record(1, "1.png"), record(2, "2.png")].map((row) => JSON.stringify(row));
    writeFileSync(at("broken.jsonl"), `${one}\n{"id":7,"image":\n${two}\n`);
    const records = Array.from({ length: 24 }, (_unused, i) => record(i, `${i}.png`));
    writeFileSync(at("train.jsonl"), jsonl(records));
    const { out } = await read("train.jsonl", "--images", at("pictures"));
    writeFileSync(at("problems.jsonl"), out);
  });

  it("a broken line costs that record and no other", async () => {
    const { status, rows, err } = await read("broken.jsonl", "--images", at("pictures"));
    assert.deepEqual([status, rows.length], [0, 2]);
    assert.match(err, /2 of 3 records taken; 1 unreadable\n[^]*record 2, unreadable: not JSON/);
  });

  it("pictures that are all missing are no success, and the root is asked about", async () => {
    mkdirSync(at("elsewhere"));
    const { status, out, err } = await read("train.jsonl", "--images", at("elsewhere"));
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /0 of 24 records taken; 24 missing[^]*Is --images the folder/);
  });

  it("CSV and empty files are named, in every part", async () => {
    assert.match((await read("x.csv")).err, /x\.csv is neither JSON nor JSON Lines.*expected/);
    assert.match((await read("empty.jsonl")).err, /empty\.jsonl is empty/);
    const parts: Record<string, [string, ...string[]]> = {
      attempt: ["problem", "--model", "m", "--base-url", server.baseUrl],
      judge: ["problem with attempts", "--model", "m", "--base-url", server.baseUrl],
      select: ["attempt"],
      reflect: ["attempt"],
      export: ["sample"],
    };
    for (const [part, [what, ...more]] of Object.entries(parts)) {
      const run = (input: string) =>
        srpo(["data", part, "--in", at(input), "--out", at("none"), ...more]);
      const [csv, empty] = [await run("x.csv"), await run("empty.jsonl")];
      assert.match(csv.err, /line 1 of .*x\.csv is not JSON.*JSON Lines/, part);
      assert.match(empty.err, new RegExp(`empty\\.jsonl holds no ${what}: it is empty`), part);
      assert.ok(csv.status !== 0 && empty.status !== 0 && !existsSync(at("none")), part);
    }
    assert.equal(server.asked.length, 0);
  });

  it("a server that refuses the key, or every problem, is no success, and the key is in nothing said or written", async () => {
    server.behave = ({ headers }, response) =>
      sendJson(response, 401, { error: { message: `bad: ${headers.authorization}` } });
    const refused = await attempt("problems.jsonl");
    assert.equal(refused.status, 1);
    assert.match(refused.err, /refuses every request \(status 401: bad: Bearer \[key\]\)/);
    assert.doesNotMatch(refused.err, /MaxListeners/);

    server.behave = (_asked, response) => sendJson(response, 400, { error: "no pictures" });
    const none = await attempt("problems.jsonl");
    assert.equal(none.status, 1);
    assert.equal(none.err.match(/^not asked: .*no pictures/gm)?.length, 10);
    assert.match(none.err, /and 14 more were not asked[^]*No problem could be asked/);

    server.behave = echo;
    const { status, rows, err } = await attempt("problems.jsonl");
    assert.deepEqual([status, rows[0].problems], [0, 24]);
    const files = readdirSync(root, { recursive: true, encoding: "utf8" })
      .map(at)
      .filter((path) => statSync(path).isFile());
    const said = [refused, none].map((ended) => ended.out + ended.err).join();
    assert.ok(!(said + err).includes(KEY));
    for (const path of files) assert.ok(!readFileSync(path).includes(KEY), path);
  });

  it("says where the server's address goes", async () => {
    const { status, err } = await srpo(
      ["data", "attempt", "--in", at("problems.jsonl"), "--out", at("none"), "--model", "m"],
      { env: { OPENAI_BASE_URL: "" } },
    );
    assert.equal(status, 1);
    assert.match(err, /no server is named.*--base-url.*OPENAI_BASE_URL/);
  });
});
