/**
 * Requests of all kinds against a reward server: right ones, whose every number is compared with the reward in process, among
 * clients that die, lie about lengths, send garbage, dawdle or show no token.
 *
 *     node dist/test/scale/soak.js [--requests 100000]
 *
 * runs it at its full size against a server process and says how the server's memory went.
 */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { createRandom, type Random } from "../../lib/engine/random";
import { basePolicyFolder } from "../../lib/paths";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { parseResponse } from "../../lib/reflection/template";
import { packGold } from "../../lib/scale/gold-label";
import { rewardNumbers } from "../../lib/scale/reward-server/contracts";
import { sampleRows, type SampleRow } from "./rows";
import { openRlhfBody, postJson, serve, type Reply } from "./server-process";

const { countTokens } = loadTokenizer(basePolicyFolder);

/** The numbers of a row, scored in this process. */
export function numbersOf(
  { response, gold }: SampleRow,
  truncated = false,
): Record<string, number> {
  return rewardNumbers(
    scoreResponse({
      response: parseResponse(response, { truncated }),
      problem: gold,
      config: rewardConfig("paper"),
      tokenCount: countTokens,
    }),
  );
}

export interface SoakReport {
  right: number;
  rewards: number;
  refused: Record<string, number>;
  hostile: number;
  /** Right requests that were sent again, because the machine was too slow for the server's patience. */
  again: number;
}

interface Target {
  port: number;
  token: string;
}

/** @throws AssertionError at the first wrong number or unexpected status */
export async function soak(
  target: Target,
  { requests, clients = 16, seed = 1 }: { requests: number; clients?: number; seed?: number },
): Promise<SoakReport> {
  const rows = sampleRows(500, { seed, words: 40 });
  const expected = rows.map((row) => numbersOf(row));
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const report: SoakReport = { right: 0, rewards: 0, refused: {}, hostile: 0, again: 0 };
  let sent = 0;

  /** Asks as the shims do: what says that it may succeed later is asked again. */
  const ask = async (path: string, body: string): Promise<Reply> => {
    for (let tries = 1; ; tries++) {
      const reply = await postJson({ ...target, path, agent }, body);
      if (tries === 6 || ![408, 503].includes(reply.status)) return reply;
      report.again++;
    }
  };

  const good = async (random: Random): Promise<void> => {
    const count = random.chance(0.1) ? random.int(0, 200) : random.int(1, 3);
    const chosen = Array.from({ length: count }, () => random.int(0, rows.length - 1));
    if (random.chance(0.3)) {
      const at = random.int(0, rows.length - 1);
      const reply = await ask("/get_reward", openRlhfBody(rows[at]));
      assert.equal(reply.status, 200, reply.body);
      const { rewards, scores } = JSON.parse(reply.body);
      assert.deepEqual([rewards, scores], [[expected[at].total], [expected[at].correct]]);
      report.rewards++;
    } else {
      const body = JSON.stringify({
        rows: chosen.map((i) => ({ response: rows[i].response, label: packGold(rows[i].gold) })),
      });
      const reply = await ask("/score", body);
      assert.equal(reply.status, 200, reply.body);
      assert.deepEqual(
        JSON.parse(reply.body).rewards,
        chosen.map((i) => expected[i]),
      );
      report.rewards += count;
    }
    report.right++;
  };

  const refused = async (random: Random): Promise<void> => {
    const [status, body, token] = random.pick(REFUSED);
    const reply = await postJson(
      { ...target, path: "/score", agent, token: token ?? target.token },
      body,
    );
    assert.equal(reply.status, status, reply.body);
    assert.ok(typeof JSON.parse(reply.body).error === "string");
    report.refused[status] = (report.refused[status] ?? 0) + 1;
  };

  const client = async (number: number): Promise<void> => {
    const random = createRandom(`soak/${seed}/${number}`);
    while (sent++ < requests) {
      const kind = random.next();
      if (kind < 0.8) await good(random);
      else if (kind < 0.9) await refused(random);
      else {
        await hostile(target, random);
        report.hostile++;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, (_unused, number) => client(number)));
  } finally {
    agent.destroy();
  }
  return report;
}

/** Requests that are refused: status, body and, where it is another one, token. */
const REFUSED: readonly (readonly [number, string, string?])[] = [
  [400, "garbage"],
  [400, '{"rows":[{"response":"x","label":'],
  [400, ""],
  [422, "[]"],
  [422, '{"rows":{}}'],
  [422, '{"rows":[7]}'],
  [422, '{"rows":[{"response":"x"}]}'],
  [422, '{"rows":[{"response":["x"],"label":"7"}]}'],
  [422, '{"rows":[{"response":"x","label":"{\\"gold\\":"}]}'],
  [422, '{"rows":[{"response":"x","label":"7"},{"response":null,"label":"7"}]}'],
  [401, '{"rows":[]}', "wrong"],
];

/** What a client that means no good, or has died, writes to the socket; what comes back does not matter. */
function hostile({ port, token }: Target, random: Random): Promise<void> {
  const body = '{"rows":[{"response":"<think>a</think><answer>7</answer>","label":"7"}]}';
  const head = (length: number | string): string =>
    `POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${length}\r\n\r\n`;
  const noise = Array.from({ length: 200 }, () => String.fromCharCode(random.int(0, 255))).join("");
  const chunked = head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
  const [text, encoding] = random.pick<readonly [string, BufferEncoding]>([
    [head(body.length) + body, "utf8"],
    [head(body.length + 500) + body, "utf8"],
    [head(5) + body, "utf8"],
    [head(-1) + body, "utf8"],
    [head("many") + body, "utf8"],
    [head(1e15) + body, "utf8"],
    [head(body.length) + body.slice(0, 20), "utf8"],
    [`${chunked}5\r\n{"row`, "utf8"],
    [`${chunked}zz\r\n${body}`, "utf8"],
    [head(200) + noise, "latin1"],
    [noise, "latin1"],
    ["GET /" + "a".repeat(20_000) + " HTTP/1.1\r\n\r\n", "utf8"],
    ["", "utf8"],
  ]);
  const linger = random.pick([0, 0, 1, 20]);
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(text, encoding, () => {
        setTimeout(() => (random.chance(0.5) ? socket.destroy() : socket.end()), linger);
      });
    });
    // Some of these the server leaves open until its time-out: the client goes first.
    socket.setTimeout(100, () => socket.destroy());
    socket.resume();
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
}

/** A number of the metrics page. */
export async function metricOf(target: Target, name: string): Promise<number> {
  const page = await fetch(`http://127.0.0.1:${target.port}/metrics`, {
    headers: { authorization: `Bearer ${target.token}` },
  });
  const found = new RegExp(`^${name} (\\S+)$`, "m").exec(await page.text());
  assert.ok(found, `${name} is on the page`);
  return Number(found[1]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { requests: { type: "string", default: "100000" } } });
  const requests = Number(values.requests);
  const server = await serve("soak");
  const target = { port: server.port, token: "soak" };
  const memory: number[] = [];
  const waiting: number[] = [];
  const began = performance.now();
  let status: number | null = null;
  try {
    for (let part = 0; part < 10; part++) {
      const report = await soak(target, { requests: requests / 10, seed: part });
      memory.push(await metricOf(target, "srpo_resident_bytes"));
      console.log(JSON.stringify({ part, ...report, megabytes: Math.round(memory[part] / 1e6) }));
    }
    for (const name of ["srpo_pending_rows", "srpo_pending_bytes"]) {
      waiting.push(await metricOf(target, name));
    }
  } finally {
    status = await server.stop();
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(JSON.stringify({ requests, seconds, waiting, status }));
  assert.deepEqual([waiting, status], [[0, 0], 0]);
  // The first part warms up; what grows from then on would grow for ever.
  assert.ok(memory[9] < memory[1] * 1.25 + 30e6, `memory grew: ${memory.join(" ")}`);
}

if (require.main === module) void main();
