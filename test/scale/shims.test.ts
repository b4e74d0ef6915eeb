import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { basePolicyFolder, projectRoot } from "../../lib/paths";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { packGold } from "../../lib/scale/gold-label";
import { rewardIdentity, startRewardServer } from "../../lib/scale/reward-server/server";
import type { RewardServer } from "../../lib/scale/reward-server/server";
import { pythonShim, type ShimTarget } from "../../lib/scale/shims";
import { needPeer } from "../peers";
import { temporaryFolder } from "../policy/fixture";
import { sampleRows } from "./rows";
import { PROMPT } from "./server-process";
import { numbersOf } from "./soak";

const TOKEN = "shims";
const python = join(projectRoot, ".venv/bin/python");
const config = rewardConfig("paper");

/** What a trainer does with a shim: calls it as the trainer's own code does, and prints what it got. */
const CALLERS: Readonly<Record<ShimTarget, string>> = {
  verl: `
async def one(row):
    return await shim.compute_score(data_source="srpo", solution_str=row["response"], ground_truth=row["label"],
                                    extra_info={"num_turns": 2}, reward_router_address=None)
async def every():
    return await asyncio.gather(*(one(row) for row in rows))
out = asyncio.run(every())`,
  easyr1: `
out = shim.compute_score([{"response": row["response"], "response_length": 1, "ground_truth": row["label"]} for row in rows])`,
  trl: `
logged = {}
out = shim.srpo_reward(prompts=[[]] * len(rows), completions=[[{"role": "assistant", "content": row["response"]}] for row in rows],
                       completion_ids=[[1]] * len(rows), label=[row["label"] for row in rows], trainer_state=None,
                       log_metric=lambda name, value: logged.update({name: value}))`,
};

describe("golden agreement of the reward", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const rows = sampleRows(1000, { seed: 7, words: 60 });
  const labelled = rows.map(({ response, gold }) => ({ response, label: packGold(gold) }));
  const expected = rows.map((row) => numbersOf(row));
  const input = join(folder, "rows.json");
  let server: RewardServer;
  before(async () => {
    const tokenizer = loadTokenizer(basePolicyFolder);
    server = await startRewardServer({ config, tokenizer, token: TOKEN });
    writeFileSync(input, JSON.stringify(labelled));
  });
  after(() => server.close(0));

  const post = async (path: string, body: object) => {
    const reply = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body),
    });
    return JSON.parse(await reply.text());
  };

  /** Runs a shim in Python. @returns its output, or what it raised */
  const run = async (
    target: ShimTarget,
    {
      reward = rewardIdentity(config),
      token = TOKEN,
      url = server.url,
      caller = CALLERS[target],
    } = {},
  ): Promise<unknown> => {
    const file = join(folder, `${target}.py`);
    writeFileSync(file, pythonShim(target, { reward, url }));
    const main = `
import asyncio, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("shim", sys.argv[1])
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)
shim.ATTEMPTS = 2
rows = json.load(open(sys.argv[2]))
try:${caller.replace(/\n/g, "\n    ")}
except shim.RewardError as error:
    out = str(error)
json.dump(out, sys.stdout)`;
    const { stdout } = await promisify(execFile)(python, ["-c", main, file, input], {
      maxBuffer: 1e8,
      env: { SRPO_REWARD_TOKEN: token },
    });
    return JSON.parse(stdout);
  };

  it("has all kinds of rollouts among the thousand", () => {
    for (const key of ["rr", "wr", "rw", "ww", "correct", "format", "length"]) {
      assert.ok(expected.filter((numbers) => numbers[key] > 0).length > 20, key);
    }
    assert.ok(new Set(expected.map(({ total }) => total)).size > 300);
  });

  it("over HTTP, in the lab's contract", async () => {
    const { rewards } = await post("/score", { rows: labelled });
    assert.deepEqual(rewards, expected);
  });

  it("over HTTP, in OpenRLHF's contract, one a request", async () => {
    const replies = await Promise.all(
      labelled.map(({ response, label }) =>
        post("/get_reward", {
          query: [`${PROMPT}${response}<|im_end|>`],
          prompts: [PROMPT],
          labels: [label],
        }),
      ),
    );
    assert.deepEqual(
      replies.map(({ rewards, scores, extra_logs }) => [
        rewards[0],
        scores[0],
        Object.fromEntries(
          Object.entries(extra_logs as object).map(([key, [value]]) => [key, value]),
        ),
      ]),
      expected.map(({ total, ...logged }) => [total, logged.correct, logged]),
    );
  });

  it("through OpenRLHF's own client, its token in the address", async function () {
    const openrlhf = needPeer(this, "export");
    // The client without the package around it, which would load what OpenRLHF trains with.
    const main = `
import asyncio, importlib.util, json, logging, sys, types
from importlib.metadata import distribution
for name in ("openrlhf", "openrlhf.utils", "openrlhf.utils.logging_utils"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["openrlhf.utils.logging_utils"].init_logger = logging.getLogger
path = distribution("openrlhf").locate_file("openrlhf/utils/agent.py")
spec = importlib.util.spec_from_file_location("agent", path)
agent = importlib.util.module_from_spec(spec)
spec.loader.exec_module(agent)
prompt, rows = ${JSON.stringify(PROMPT)}, json.load(open(sys.argv[1]))[:200]
client = agent.SingleTurnAgentExecutor([sys.argv[2]])
async def one(row):
    (reply,) = await client._fetch_rewards_via_http([prompt + row["response"] + "<|im_end|>"], [prompt], [row["label"]])
    return reply
async def every():
    return await asyncio.gather(*(one(row) for row in rows))
json.dump(asyncio.run(every()), sys.stdout)`;
    const address = `${server.url.replace("://", `://srpo:${TOKEN}@`)}/get_reward`;
    const { stdout } = await promisify(execFile)(openrlhf, ["-c", main, input, address], {
      maxBuffer: 1e8,
    });
    const replies = JSON.parse(stdout) as { rewards: number[]; scores: number[] }[];
    assert.deepEqual(
      replies.map(({ rewards, scores }) => [rewards, scores]),
      expected.slice(0, 200).map(({ total, correct }) => [[total], [correct]]),
    );
  });

  const returned: Readonly<Record<ShimTarget, (numbers: Record<string, number>) => unknown>> = {
    verl: (numbers) => ({ score: numbers.total, acc: numbers.correct, ...numbers }),
    easyr1: (numbers) => ({ overall: numbers.total, ...numbers }),
    trl: ({ total }) => total,
  };
  for (const target of ["verl", "easyr1", "trl"] as const) {
    it(`through the shim of ${target}`, async function () {
      if (!existsSync(python)) this.skip();
      assert.deepEqual(await run(target), expected.map(returned[target]));
    });

    it(`raises through the shim of ${target} when there is no reward`, async function () {
      if (!existsSync(python)) this.skip();
      assert.match(String(await run(target, { token: "wrong" })), /status 401/);
      assert.match(
        String(await run(target, { reward: "another" })),
        /status 409.*wants reward another/,
      );
      assert.match(
        String(await run(target, { url: "http://127.0.0.1:9" })),
        /ConnectionRefusedError/,
      );
    });
  }

  it("raises through the shims at replies that are no rewards", async function () {
    if (!existsSync(python)) this.skip();
    const replies = [
      "[]",
      '{"rewards":[]}',
      '{"rewards":[{"total":null}]}',
      '{"rewards":[{"total":NaN}]}',
      "x",
    ];
    const caller = `
out = []
for reply in ${JSON.stringify(replies)}:
    try:
        shim._read(reply.encode(), 1)
        out.append("accepted")
    except shim.RewardError:
        out.append("raised")`;
    assert.deepEqual(
      await run("trl", { caller }),
      replies.map(() => "raised"),
    );
  });
});
