import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { inspect } from "node:util";
import { Interrupted } from "../../../lib/engine/interrupt";
import { LabError } from "../../../lib/engine/errors";
import {
  createChatClient,
  RequestFailed,
  type ClientOptions,
} from "../../../lib/rollout/openai/client";
import { BudgetReached } from "../../../lib/rollout/openai/cost";
import type { ChatRequest } from "../../../lib/rollout/openai/protocol";
import { backoff, retryAfter } from "../../../lib/rollout/openai/transport";
import { temporaryFolder } from "../../policy/fixture";
import { chatServer, echo, replyBody, sendJson, textIn, type Behaviour } from "./server";

const ask = (text: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: "user", content: text }],
  maxTokens: 50,
  ...more,
});

describe("the chat client", function () {
  this.timeout(60_000);
  const server = chatServer();
  const root = temporaryFolder();
  let folder = "";
  let count = 0;
  beforeEach(() => (folder = join(root, `cache-${count++}`)));
  const client = (options: Partial<ClientOptions> = {}) =>
    createChatClient({
      model: "m",
      baseUrl: server.baseUrl,
      retryBaseMs: 1,
      cache: folder,
      ...options,
    });
  const texts = (n: number): string[] => Array.from({ length: n }, (_unused, i) => `question ${i}`);

  it("sends what the protocol wants and reads what comes back", async () => {
    server.behave = ({ body }, response) => {
      const cut = replyBody(textIn(body));
      cut.choices[0].finish_reason = "length";
      sendJson(response, 200, cut);
    };
    const reply = await client({ maxTokensField: "max_completion_tokens" }).complete(
      ask("hi", { temperature: 0.7, topP: 0.9, seed: 3, extra: { top_k: 5 } }),
    );
    assert.deepEqual(reply, {
      ...{ text: "hi", finishReason: "length", model: "served", cached: false },
      usage: { promptTokens: 10, completionTokens: 5 },
    });
    assert.deepEqual(server.asked[0].body, {
      ...{
        model: "m",
        stream: false,
        max_completion_tokens: 50,
        temperature: 0.7,
        top_p: 0.9,
        seed: 3,
        top_k: 5,
      },
      messages: [{ role: "user", content: "hi" }],
    });
  });

  it("loses nothing, repeats nothing and mixes nothing up among faults of every kind", async () => {
    // Each text fails in its own way at first, some of them twice.
    const tries = new Map<string, number>();
    const faults: Behaviour[] = [
      (_asked, response) =>
        sendJson(response, 429, { error: { message: "slow down" } }, { "retry-after": "0" }),
      (_asked, response) => sendJson(response, 429, {}),
      (_asked, response) => sendJson(response, 500, { error: "oh" }),
      (_asked, response) => void response.writeHead(503).end("<html>down</html>"),
      (_asked, response) => void response.socket?.resetAndDestroy(),
      (_asked, response) =>
        void response
          .writeHead(200, { "content-length": "999" })
          .write('{"choices":[', () => response.socket?.destroy()),
      (_asked, response) => void response.writeHead(200).end('{"choices": [{"message"'),
      (_asked, response) => sendJson(response, 200, { choices: [] }),
      (_asked, response) => sendJson(response, 200, { choices: [{ message: {} }] }),
      (_asked, response) => sendJson(response, 200, null),
      () => undefined, // never answers
    ];
    server.behave = (asked, response, number) => {
      const text = textIn(asked.body);
      const made = (tries.get(text) ?? 0) + 1;
      tries.set(text, made);
      const which = Number(text.slice(9)) % (faults.length + 1);
      return which < faults.length && made <= 1 + (which % 2)
        ? faults[which](asked, response, number)
        : echo(asked, response, number);
    };
    const asking = client({ concurrency: 6, timeoutMs: 1500 });
    const all = texts(60);
    const replies = await Promise.all(all.map((text) => asking.complete(ask(text))));
    assert.deepEqual(
      replies.map(({ text }) => text),
      all,
    );
    assert.ok(server.most <= 6, `${server.most} at once`);
    const { calls, retries, lost, cached } = asking.totals();
    assert.deepEqual([calls, cached, retries], [60, 0, server.asked.length - 60]);
    assert.ok(lost > 0 && lost < retries);

    const before = server.asked.length;
    const again = client();
    for (const text of all) assert.equal((await again.complete(ask(text))).text, text);
    assert.deepEqual(
      [server.asked.length, again.totals().cached, again.totals().calls],
      [before, 60, 60],
    );
  });

  it("waits as long as the server says, all requests together", async () => {
    let limitedAt = 0;
    const late: number[] = [];
    server.behave = (asked, response, number) => {
      if (number === 1) {
        limitedAt = Date.now();
        return sendJson(response, 429, {}, { "retry-after": "1" });
      }
      late.push(Date.now() - limitedAt);
      return echo(asked, response, number);
    };
    const asking = client({ concurrency: 1 });
    await Promise.all(texts(3).map((text) => asking.complete(ask(text))));
    assert.equal(late.length, 3);
    for (const ms of late) assert.ok(ms >= 990, `asked again after ${ms} ms`);
  });

  it("pays once for requests that are the same, also while the first is under way; samples are not the same", async () => {
    const asking = client();
    const same = await Promise.all([1, 2, 3].map(() => asking.complete(ask("one"))));
    assert.deepEqual(same.map(({ cached }) => cached).sort(), [false, true, true]);
    assert.equal(server.asked.length, 1);
    for (const sample of [0, 1, 1]) await asking.complete(ask("one", { sample }));
    assert.equal(server.asked.length, 2);
    for (const other of [client({ model: "other" }), client({ baseUrl: `${server.baseUrl}/x` })])
      await other.complete(ask("one"));
    assert.equal(server.asked.length, 4);
  });

  it("gives up a request that is refused, or fails as often as it may, and answers the others", async () => {
    server.behave = (asked, response, number) => {
      const text = textIn(asked.body);
      if (text === "refused")
        return sendJson(response, 400, { error: { message: "no such picture" } });
      if (text === "failing") return sendJson(response, 500, {});
      return echo(asked, response, number);
    };
    const asking = client({ attempts: 3 });
    const [refused, failing, fine] = await Promise.allSettled(
      ["refused", "failing", "fine"].map((text) => asking.complete(ask(text))),
    );
    assert.ok(refused.status === "rejected" && refused.reason instanceof RequestFailed);
    assert.match(String(refused.reason), /status 400: no such picture/);
    assert.ok(failing.status === "rejected" && failing.reason instanceof RequestFailed);
    assert.match(String(failing.reason), /after 3 attempts \(status 500\)/);
    assert.equal(fine.status, "fulfilled");
    assert.equal(server.asked.length, 5);
  });

  it("asks no more once no request can succeed", async () => {
    for (const [status, body] of [
      [401, { error: { message: "bad key" } }],
      [404, {}],
      [429, { error: { code: "insufficient_quota" } }],
    ] as const) {
      server.asked.length = 0;
      server.behave = (_asked, response) => sendJson(response, status, body);
      const asking = client({ concurrency: 1 });
      const results = await Promise.allSettled(texts(5).map((text) => asking.complete(ask(text))));
      for (const result of results) {
        assert.ok(
          result.status === "rejected" &&
            result.reason instanceof LabError &&
            !(result.reason instanceof RequestFailed),
        );
      }
      assert.equal(server.asked.length, 1);
    }
  });

  it("takes a server that answers nobody for down, and tries again when everything has come to rest", async () => {
    for (const spoil of [
      (response: ServerResponse) => sendJson(response, 500, {}),
      (response: ServerResponse) => void response.writeHead(200).end("<html>"),
    ]) {
      server.asked.length = 0;
      server.behave = (_asked, response) => spoil(response);
      const heard: string[] = [];
      const asking = client({
        ...{ concurrency: 4, attempts: 2 },
        onRetry: (message) => heard.push(message),
      });
      const results = await Promise.allSettled(texts(40).map((text) => asking.complete(ask(text))));
      const reasons = results.map((result) =>
        result.status === "rejected" ? result.reason : null,
      );
      const alone = reasons.filter((reason) => reason instanceof RequestFailed).length;
      const stopped = reasons.filter(
        (reason) => reason instanceof LabError && !(reason instanceof RequestFailed),
      );
      assert.deepEqual([alone, stopped.length], [7, 33]);
      assert.match(stopped[0].message, /none of the last 8 requests/);
      assert.ok(server.asked.length <= 2 * (8 + 4), `${server.asked.length} requests`);
      assert.equal(heard.length, asking.totals().retries);
      assert.match(heard[0], /status 500|<html>/);
      server.behave = echo;
      assert.equal((await asking.complete(ask("back"))).text, "back");
    }
  });

  it("does not take single requests that fail for a server that is down", async () => {
    server.behave = (asked, response, number) =>
      textIn(asked.body).endsWith("0")
        ? echo(asked, response, number)
        : sendJson(response, 500, {});
    const asking = client({ concurrency: 1, attempts: 1 });
    const some = Array.from({ length: 36 }, (_unused, i) => `${i}/${i % 6}`);
    const results = await Promise.allSettled(some.map((text) => asking.complete(ask(text))));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 6);
    assert.equal(server.asked.length, 36);
  });

  it("stops before the budget is passed, also after a restart, and goes on with a larger one", async () => {
    const options = { concurrency: 4, prices: { input: 1e4, output: 2e4 } };
    const dollars = (10 * 1e4 + 5 * 2e4) / 1e6;
    // A call may cost 50 completion tokens before it, and costs 5 after it.
    const small = client({ ...options, budget: { dollars: 2 } });
    const results = await Promise.allSettled(texts(30).map((text) => small.complete(ask(text))));
    const paid = results.filter(({ status }) => status === "fulfilled").length;
    const errors = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : [],
    );
    assert.ok(
      errors.length > 0 && errors.every((error) => error instanceof BudgetReached),
      String(errors[0]),
    );
    assert.ok(paid > 0);
    const totals = small.totals();
    assert.ok(Math.abs((totals.dollars ?? 0) - paid * dollars) < 1e-9);
    assert.ok((totals.dollars ?? 9) <= 2);
    const before = server.asked.length;
    assert.equal(before, paid);

    const restarted = client({ ...options, budget: { dollars: (totals.dollars ?? 0) + 0.1 } });
    await assert.rejects(restarted.complete(ask("new")), BudgetReached);
    assert.equal(server.asked.length, before);
    const larger = client({ ...options, budget: { dollars: 100 } });
    await Promise.all(texts(30).map((text) => larger.complete(ask(text))));
    assert.equal(server.asked.length, 30);
  });

  it("estimates before it asks, and leaves out what is paid", async () => {
    const asking = client({ prices: { input: 1, output: 2 } });
    await asking.complete(ask("paid"));
    const png =
      "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const picture: ChatRequest = {
      ...ask(""),
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: png } },
            { type: "text", text: "x".repeat(35) },
          ],
        },
      ],
    };
    const estimate = await asking.estimate([ask("paid"), picture]);
    assert.deepEqual(estimate, {
      ...{ promptTokens: 4 + 4 + 10, completionTokens: 50, calls: 1, cached: 1 },
      dollars: (18 + 100) / 1e6,
    });
    assert.equal(server.asked.length, 1);
  });

  it("stops at once when it is told to: while it waits, and while it is answered", async () => {
    for (const behave of [
      ((_asked, response) => sendJson(response, 429, {}, { "retry-after": "500" })) as Behaviour,
      (() => undefined) as Behaviour,
    ]) {
      server.behave = behave;
      const controller = new AbortController();
      const asking = client({ concurrency: 2 });
      const all = Promise.allSettled(
        texts(4).map((text) => asking.complete(ask(text), { signal: controller.signal })),
      );
      setTimeout(() => controller.abort(), 100);
      for (const result of await all)
        assert.ok(result.status === "rejected" && result.reason instanceof Interrupted);
    }
  });

  it("goes on at the very sample after it was killed, whatever the crash cut short", async () => {
    const script = `
      const { createChatClient } = require(${JSON.stringify(require.resolve("../../../lib/rollout/openai/client"))});
      const client = createChatClient({ model: "m", baseUrl: ${JSON.stringify(server.baseUrl)}, cache: ${JSON.stringify(folder)}, concurrency: 1 });
      void (async () => {
        for (let i = 0; ; i++) {
          if (i === 7) process.kill(process.pid, "SIGKILL");
          await client.complete({ messages: [{ role: "user", content: "question " + i }], maxTokens: 50 });
        }
      })();`;
    // spawnSync would block the server, which lives here.
    const { spawn } = await import("node:child_process");
    const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
    const signal = await new Promise((resolve) =>
      child.on("close", (_code, name) => resolve(name)),
    );
    assert.equal(signal, "SIGKILL");
    assert.equal(server.asked.length, 7);
    appendFileSync(join(folder, "paid.jsonl"), '{"key":"cut sho');
    const asking = client();
    for (const text of texts(10)) assert.equal((await asking.complete(ask(text))).text, text);
    assert.equal(server.asked.length, 10);
    assert.equal(asking.totals().calls, 10);
    assert.equal(client().totals().calls, 10);
  });

  describe("and its key", () => {
    const secret = "sk-very-secret-0123456789";
    before(() => (process.env.SRPO_TEST_KEY = secret));
    after(() => void delete process.env.SRPO_TEST_KEY);

    it("is sent, and stands in no error, total, file or printed client", async () => {
      server.behave = (asked, response, number) =>
        number % 2 === 1
          ? sendJson(response, 400, {
              error: { message: `Incorrect API key provided: ${asked.headers.authorization}` },
            })
          : echo(asked, response, number);
      const asking = client({ keyVariable: "SRPO_TEST_KEY" });
      const error = await asking.complete(ask("first")).catch((e: Error) => e);
      assert.ok(error instanceof RequestFailed);
      assert.match(error.message, /Incorrect API key provided: Bearer \[key\]/);
      const reply = await asking.complete(ask("second"));
      assert.deepEqual(
        server.asked.map(({ headers }) => headers.authorization),
        [`Bearer ${secret}`, `Bearer ${secret}`],
      );
      const shown = [error, error.stack, reply, asking, asking.totals()].map((value) =>
        inspect(value, { depth: 9, showHidden: true }),
      );
      for (const text of shown) assert.ok(!text.includes(secret));
      const grep = spawnSync("grep", ["-r", secret, folder], { encoding: "utf8" });
      assert.equal(grep.stdout, "");
    });

    it("is not sent where there is none, nor to where a server redirects", async () => {
      await client({ keyVariable: "SRPO_NO_SUCH_KEY" }).complete(ask("hi"));
      assert.equal(server.asked[0].headers.authorization, undefined);
      server.behave = (_asked, response) =>
        void response.writeHead(307, { location: `${server.baseUrl}/elsewhere` }).end();
      await assert.rejects(
        client({ attempts: 1, keyVariable: "SRPO_TEST_KEY" }).complete(ask("ho")),
        RequestFailed,
      );
      assert.equal(server.asked.length, 2);
    });
  });

  it("says what it needs before it is used", () => {
    const given = process.env.OPENAI_BASE_URL;
    delete process.env.OPENAI_BASE_URL;
    try {
      assert.throws(() => createChatClient({ model: "m" }), /no server is named.*OPENAI_BASE_URL/s);
    } finally {
      if (given !== undefined) process.env.OPENAI_BASE_URL = given;
    }
    assert.throws(
      () => client({ baseUrl: "http://user:hunter2@localhost/v1" }),
      (error: Error) => !error.message.includes("hunter2"),
    );
    assert.throws(() => client({ baseUrl: "not an address" }), /cannot be used/);
    assert.throws(() => client({ budget: { dollars: 1 } }), /needs prices/);
    assert.throws(() => client({ timeoutMs: 600_000 }), /300000/);
    assert.throws(() => client({ concurrency: 0 }), /concurrency/);
  });

  it("keeps no file without a folder, and remembers all the same", async () => {
    const asking = client({ cache: undefined });
    await asking.complete(ask("x"));
    assert.equal((await asking.complete(ask("x"))).cached, true);
    assert.ok(!existsSync(folder));
  });

  it("reads a cache whose files somebody has removed as far as it goes", async () => {
    await client().complete(ask("x"));
    const inner = readdirSync(folder).find((name) => name.length === 2) as string;
    rmSync(join(folder, inner), { recursive: true });
    assert.equal((await client().complete(ask("x"))).cached, false);
    assert.equal(readFileSync(join(folder, "paid.jsonl"), "utf8").trim().split("\n").length, 2);
  });
});

describe("waits between attempts", () => {
  it("are what the server says, in any of its spellings", () => {
    const now = Date.parse("2025-01-01T00:00:00Z");
    const wait = (headers: Record<string, string>) => retryAfter(new Headers(headers), now);
    assert.equal(wait({ "retry-after": "2" }), 2000);
    assert.equal(wait({ "retry-after": "0.5" }), 500);
    assert.equal(wait({ "retry-after": "Wed, 01 Jan 2025 00:00:30 GMT" }), 30_000);
    assert.equal(wait({ "retry-after": "Tue, 31 Dec 2024 00:00:00 GMT" }), 0);
    assert.equal(wait({ "retry-after-ms": "70", "retry-after": "2" }), 70);
    assert.equal(wait({ "retry-after": "soon" }), undefined);
    assert.equal(wait({}), undefined);
  });

  it("else double from half a second to a minute, less up to a half by chance", () => {
    const waits = [1, 2, 3, 20].map((attempt) => backoff(attempt, { chance: 0 }));
    assert.deepEqual(waits, [500, 1000, 2000, 60_000]);
    assert.equal(backoff(2, { chance: 0.5 }), 750);
    assert.equal(backoff(2, { waitMs: 7, chance: 0.5 }), 7);
  });
});
