import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { Agent } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { basePolicyFolder } from "../../lib/paths";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { packGold, unpackGold } from "../../lib/scale/gold-label";
import { createScheduler } from "../../lib/scale/reward-server/scheduler";
import {
  rewardIdentity,
  startRewardServer,
  type RewardServer,
  type RewardServerOptions,
} from "../../lib/scale/reward-server/server";
import { isAuthorised, rewardToken } from "../../lib/scale/reward-server/token";
import { temporaryFolder } from "../policy/fixture";
import { sampleRows } from "./rows";
import { postJson, PROMPT, serve } from "./server-process";
import { metricOf, numbersOf, soak } from "./soak";

const TOKEN = "a-token";
const tokenizer = loadTokenizer(basePolicyFolder);
const config = rewardConfig("paper");

/** Waits for what must come soon. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    assert.ok(tries < 2000, "it never came");
    await sleep(2);
  }
}

describe("reward server", function () {
  this.timeout(60_000);
  const agent = new Agent({ keepAlive: true });
  const folder = temporaryFolder();
  const open: RewardServer[] = [];
  const start = async (options: Partial<RewardServerOptions> = {}): Promise<RewardServer> => {
    const server = await startRewardServer({ config, tokenizer, token: TOKEN, ...options });
    open.push(server);
    return server;
  };
  const post = (server: RewardServer, path: string, body: unknown, token = TOKEN) =>
    postJson(
      { port: server.port, token, path, agent },
      typeof body === "string" ? body : JSON.stringify(body),
    );
  after(async () => {
    agent.destroy();
    await Promise.all(open.map((server) => server.close(0)));
  });

  describe("OpenRLHF's contract", () => {
    let server: RewardServer;
    before(async () => (server = await start()));
    const ask = async (queries: string[], prompts: string[], labels: string[]) => {
      const reply = await post(server, "/get_reward", { query: queries, prompts, labels });
      return { status: reply.status, body: JSON.parse(reply.body) };
    };
    const RIGHT = "<think>3+4=7</think><answer>7</answer>";

    it("answers one and several, and nothing for nothing, in lists", async () => {
      const prompts = [PROMPT, PROMPT];
      const queries = [
        `${PROMPT}${RIGHT}<|im_end|>`,
        `${PROMPT}${RIGHT.replace(">7<", ">8<")}<|im_end|>`,
      ];
      const { body } = await ask(queries, prompts, [
        "7",
        packGold({ answer: "7", answerType: "number" }),
      ]);
      assert.deepEqual(
        [body.rewards, body.scores],
        [
          [0.5, 0],
          [1, 0],
        ],
      );
      for (const list of Object.values(body.extra_logs as object)) assert.equal(list.length, 2);
      assert.deepEqual((await ask([], [], [])).body, { rewards: [], scores: [], extra_logs: {} });
    });

    it("finds the response where the prompt's picture has become many tokens and its letters were composed", async () => {
      const prompt = PROMPT.replace("What", "Cafe\u0301 What");
      const query = prompt.normalize("NFC").replace("<|image_pad|>", "<|image_pad|>".repeat(300));
      const { status, body } = await ask([`${query}${RIGHT}<|im_end|>`], [prompt], ["7"]);
      assert.deepEqual([status, body.rewards], [200, [0.5]]);
    });

    it("takes a response without an end token for one that was cut off", async () => {
      const whole = `${RIGHT}<reflection>so</reflection>${RIGHT}`;
      const { body } = await ask(
        [`${PROMPT}${whole}<|im_end|>`, PROMPT + whole],
        [PROMPT, PROMPT],
        ["7", "7"],
      );
      assert.deepEqual(body.extra_logs.format, [0.5, 0]);
      const expected = numbersOf(
        { response: whole, gold: { answer: "7", answerType: "number" } },
        true,
      );
      assert.equal(body.rewards[1], expected.total);
    });

    it("refuses what it cannot score, and says which row", async () => {
      for (const [request, message] of [
        [[["a"], ["b"], ["7"]], /row 0: .*does not begin with its prompt/],
        [[["a"], [], ["7"]], /differ in length/],
        [[["a"], [""], [7]], /labels is no list of texts/],
        [
          [
            ["ab", "ab"],
            ["a", "a"],
            ["7", '{"gold":'],
          ],
          /row 1: .*was cut/,
        ],
      ] as const) {
        const [queries, prompts, labels] = request as unknown as string[][];
        const { status, body } = await ask(queries, prompts, labels);
        assert.equal(status, 422);
        assert.match(body.error, message);
      }
    });
  });

  it("explains rewards to those who ask", async () => {
    const server = await start();
    const rows = [{ response: "<think>a</think><answer>8</answer>", gold: "7" }];
    const { rewards, rows: whole } = JSON.parse(
      (await post(server, "/score", { rows, explain: true })).body,
    );
    assert.equal(rewards[0].correct, 0);
    assert.match(whole[0].reasons.accuracy, /wrong/);
  });

  it("never turns a failure into a number", async () => {
    const broken = {
      ...tokenizer,
      countTokens: () => {
        throw new Error("out of order");
      },
    };
    const server = await start({ tokenizer: broken });
    const [row] = sampleRows(1, { seed: 3 });
    const whole = "<think>a</think><answer>7</answer>";
    const reply = await post(server, "/score", {
      rows: [{ response: `${whole}<reflection>r</reflection>${whole}`, gold: row.gold.answer }],
    });
    assert.deepEqual([reply.status, JSON.parse(reply.body).rewards], [500, undefined]);
    assert.match(reply.body, /out of order/);
  });

  it("asks for a token, by either scheme, and only says how it is without one", async () => {
    const server = await start();
    const basic = `Basic ${Buffer.from(`srpo:${TOKEN}`).toString("base64")}`;
    for (const [authorization, status] of [
      [basic, 200],
      [`Bearer ${TOKEN}`, 200],
      ["Bearer ", 401],
      [`Bearer ${TOKEN}x`, 401],
      [TOKEN, 401],
    ] as const) {
      const reply = await fetch(`${server.url}/metrics`, { headers: { authorization } });
      assert.equal(reply.status, status);
    }
    const health = await fetch(`${server.url}/health`);
    assert.deepEqual(await health.json(), { status: "ok", reward: rewardIdentity(config) });
    await assert.rejects(start({ token: null, host: "0.0.0.0" }), /needs a token/);
    assert.equal(
      (await post(await start({ token: null }), "/score", { rows: [] }, "")).status,
      200,
    );
    assert.ok(!isAuthorised("Basic !!!", TOKEN) && !isAuthorised(undefined, TOKEN));
  });

  it("keeps a token in a file that only its owner reads", function () {
    if (process.env.SRPO_REWARD_TOKEN) this.skip();
    const file = join(folder, "new", "token");
    const { token, from } = rewardToken(file);
    assert.equal(from, file);
    assert.ok(token.length >= 32);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(rewardToken(file).token, token);
  });

  it("refuses a client that expects another reward", async () => {
    const server = await start();
    for (const [expected, status] of [
      [rewardIdentity(config), 200],
      [rewardIdentity(rewardConfig("no-length")), 409],
    ] as const) {
      const reply = await fetch(`${server.url}/score`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "x-srpo-reward": expected },
        body: '{"rows":[]}',
      });
      assert.equal(reply.status, status);
    }
  });

  it("has limits: on a body, on all that waits, on time", async () => {
    const server = await start({
      maxBodyBytes: 1000,
      maxPendingBytes: 1500,
      requestTimeoutMs: 300,
    });
    const reply = await post(server, "/score", { rows: [], padding: "x".repeat(2000) });
    assert.equal(reply.status, 413);
    // 900 bytes are announced and never sent: they are held until the client's time is over.
    const slow = connect(server.port, "127.0.0.1");
    const answer = new Promise<string>((resolve) =>
      slow.once("data", (data) => resolve(String(data))),
    );
    const authorization = `Authorization: Bearer ${TOKEN}`;
    slow.write(
      `POST /score HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Length: 900\r\n\r\n{`,
    );
    await until(
      async () => (await metricOf({ port: server.port, token: TOKEN }, "srpo_pending_bytes")) > 0,
    );
    const busy = await post(server, "/score", { rows: [], padding: "x".repeat(900) });
    assert.equal(busy.status, 503);
    assert.match(await answer, /^HTTP\/1\.1 408/);
    slow.destroy();
    assert.equal(
      (await post(server, "/score", { rows: [], padding: "x".repeat(900) })).status,
      200,
    );
    assert.equal(await metricOf({ port: server.port, token: TOKEN }, "srpo_pending_bytes"), 0);
  });

  it("refuses rows that would wait too long, but not a request that is large by itself", async () => {
    const server = await start({ maxPendingRows: 100 });
    const large = { rows: new Array(2000).fill({ response: "<answer>7</answer>", gold: "7" }) };
    const first = post(server, "/score", large);
    await until(
      async () => (await metricOf({ port: server.port, token: TOKEN }, "srpo_pending_rows")) > 0,
    );
    const second = await post(server, "/score", { rows: large.rows.slice(0, 50) });
    const { status, body } = await first;
    assert.equal(second.status, 503);
    assert.deepEqual([status, JSON.parse(body).rewards.length], [200, 2000]);
  });

  it("scores small requests while a large one is under way", async () => {
    const scheduler = createScheduler({ maxPending: 1e6 });
    const done: string[] = [];
    let small: Promise<unknown> | undefined;
    const large = scheduler.run(
      500,
      (at) => {
        if (at !== 10) return at;
        small = scheduler.run(1, () => 0, { gone: false }).then(() => done.push("small"));
        return at;
      },
      { gone: false },
    );
    await large.then(() => done.push("large"));
    await small;
    assert.deepEqual(done, ["small", "large"]);
    await assert.rejects(
      scheduler.run(3, (at) => at, { gone: true }),
      /has gone/,
    );
    assert.equal(scheduler.pending(), 0);
  });

  it("answers what it has been asked before it ends", async () => {
    const server = await serve(TOKEN);
    const row = { response: "<think>a</think><answer>7</answer>", label: "7" };
    const request = { port: server.port, token: TOKEN, path: "/score", agent };
    const asked = postJson(request, JSON.stringify({ rows: new Array(3000).fill(row) }));
    await until(async () => (await metricOf(request, "srpo_pending_rows")) > 0);
    const status = server.stop();
    const reply = await asked;
    assert.deepEqual([reply.status, JSON.parse(reply.body).rewards.length], [200, 3000]);
    assert.equal(await status, 0);
    await assert.rejects(postJson(request, "{}"));
  });

  it("answers requests that arrive as it ends, with a refusal in place of a reset", async () => {
    const server = await start();
    const kept = new Agent({ keepAlive: true });
    const request = { port: server.port, token: TOKEN, path: "/score", agent: kept };
    assert.equal((await postJson(request, '{"rows":[]}')).status, 200);
    const closed = server.close();
    const reply = await postJson(request, '{"rows":[]}');
    assert.equal(reply.status, 503);
    assert.match(reply.body, /shutting down/);
    await closed;
    kept.destroy();
  });

  it("survives clients that die, lie about lengths and send garbage, without a wrong number", async () => {
    const server = await start();
    const target = { port: server.port, token: TOKEN };
    const report = await soak(target, { requests: 2000 });
    assert.ok(report.right > 1500 && report.hostile > 100, JSON.stringify(report));
    for (const name of ["srpo_pending_rows", "srpo_pending_bytes"]) {
      assert.equal(await metricOf(target, name), 0);
    }
    const scored = await metricOf(target, "srpo_rewards_total");
    assert.ok(scored >= report.rewards);
  });

  it("reads labels that say nothing but the answer, and those that say more", () => {
    const gold = { answer: "B", answerType: "choice", choices: ["1", "2"] } as const;
    assert.deepEqual(unpackGold(packGold({ ...gold, choices: [...gold.choices] })), {
      gold: "B",
      question_type: "choice",
      choices: ["1", "2"],
    });
    for (const plain of ["7", "{1,2}", '{"a":1}', "[1]"])
      assert.deepEqual(unpackGold(plain), { gold: plain });
  });

  it("never shows its token", async () => {
    const server = await start();
    const page = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    assert.ok(!(await page.text()).includes(TOKEN));
    const { body } = await post(server, "/score", "garbage", "wrong");
    assert.ok(!body.includes(TOKEN));
  });
});
