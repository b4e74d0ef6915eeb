import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unzipSync } from "fflate";
import { loadSpec } from "../../lib/config";
import { readMetrics } from "../../lib/lab/runs";
import { basePolicyFolder, projectRoot } from "../../lib/paths";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { parseResponse } from "../../lib/reflection/template";
import { writeExport } from "../../lib/scale/exports/export";
import { followJob } from "../../lib/scale/logs/remote-run";
import { preflight } from "../../lib/scale/preflight/preflight";
import { createRayClient, isOver, type RayClient } from "../../lib/scale/ray/client";
import { packFolder } from "../../lib/scale/ray/package";
import { clusterVersions } from "../../lib/scale/ray/versions";
import { rewardNumbers } from "../../lib/scale/reward-server/contracts";
import { startRewardServer } from "../../lib/scale/reward-server/server";
import { loadProblems } from "../../lib/stages/problems";
import { srpo } from "../cli/srpo";
import { needPeer, peerProgram } from "../peers";
import { temporaryFolder } from "../policy/fixture";
import { sampleRows } from "./rows";
import { freePort } from "./server-process";

const TOKEN = "0123456789abcdef0123456789abcdef";

describe("Ray", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const work = join(folder, "work");
  before(() => {
    mkdirSync(join(work, "data"), { recursive: true });
    mkdirSync(join(work, "output"));
    writeFileSync(
      join(work, "launch.sh"),
      "echo here: $(cat data/text); sleep ${1:-0}; exit ${2:-0}\n",
    );
    writeFileSync(join(work, "data/text"), "some text");
    writeFileSync(join(work, "output/big"), "what an earlier run wrote");
    const manifest = { target: "verl", reward: "abc", spec: { preset: "srpo-7b" } };
    writeFileSync(join(work, "export.json"), JSON.stringify(manifest));
  });

  describe("packages", () => {
    it("hold the folder without what runs wrote, and are named by their content", () => {
      const { name, bytes } = packFolder(work);
      const files = unzipSync(bytes);
      assert.deepEqual(Object.keys(files), ["data/text", "export.json", "launch.sh"]);
      assert.equal(Buffer.from(files["data/text"]).toString(), "some text");
      assert.match(name, /^_ray_pkg_[0-9a-f]{32}\.zip$/);
      assert.equal(packFolder(work).name, name);
    });
  });

  it("refuses an address that is none, and says who does not answer", async () => {
    assert.throws(() => createRayClient({ address: "ray://head:10001" }), /none of HTTP.*8265/);
    await assert.rejects(
      createRayClient({ address: "http://127.0.0.1:9" }).jobs(),
      /does not answer/,
    );
  });

  describe("a real head, with token authentication", () => {
    let head: ChildProcess | undefined;
    let client: RayClient;
    let address: string;
    const before_ = process.env.RAY_AUTH_TOKEN;

    before(async function () {
      // verl's environment has a Ray too, whose jobs then find verl.
      const ray = peerProgram("verl", "ray") ?? needPeer(this, "ray", "ray");
      const [port, dashboard] = [await freePort(), await freePort()];
      address = `http://127.0.0.1:${dashboard}`;
      process.env.RAY_AUTH_TOKEN = TOKEN;
      mkdirSync(join(folder, "r"));
      const flags = [
        ...["--head", "--block", `--port=${port}`, "--node-ip-address=127.0.0.1"],
        ...["--dashboard-host=127.0.0.1", `--dashboard-port=${dashboard}`, "--num-cpus=1"],
        ...["--object-store-memory=100000000", "--disable-usage-stats"],
        `--temp-dir=${join(folder, "r")}`,
      ];
      // A group of its own, so that nothing of it stays behind.
      head = spawn(ray, ["start", ...flags], {
        cwd: join(folder, "r"),
        detached: true,
        stdio: "ignore",
        env: {
          ...process.env,
          RAY_AUTH_MODE: "token",
          PATH: `${dirname(ray)}:${process.env.PATH}`,
        },
      });
      client = createRayClient({ address });
      for (let tries = 0; ; tries++) {
        const jobs = await client.jobs().catch(() => undefined);
        if (jobs !== undefined) break;
        assert.ok(tries < 200, "the head did not come up");
        await sleep(300);
      }
    });
    after(async () => {
      if (before_ === undefined) delete process.env.RAY_AUTH_TOKEN;
      else process.env.RAY_AUTH_TOKEN = before_;
      if (head?.pid === undefined) return;
      const ended = new Promise((resolve) => head?.once("close", resolve));
      process.kill(-head.pid, "SIGTERM");
      await Promise.race([ended, sleep(10_000)]);
    });

    it("takes a folder and runs a command in it, and its log is followed to the end", async () => {
      const submitted = await srpo(["submit", work, "--ray", address, "--id", "one"]);
      assert.equal(submitted.status, 0, submitted.err);
      assert.deepEqual(submitted.rows, [{ id: "one", ray: address, target: "verl" }]);
      const logs = await srpo(["logs", "one", "--follow", "--ray", address]);
      assert.match(logs.out, /here: some text/);
      assert.deepEqual([logs.status, /SUCCEEDED/.test(logs.err)], [0, true]);
      const { rows } = await srpo(["jobs", "--ray", address]);
      assert.deepEqual(
        rows.map(({ id, status, metadata }) => [id, status, metadata]),
        [["one", "SUCCEEDED", { target: "verl", preset: "srpo-7b", reward: "abc" }]],
      );
    });

    it("stops a job, and says when there is nothing to stop", async () => {
      const id = await client.submit({ entrypoint: "sleep 300" });
      while ((await client.job(id)).status === "PENDING") await sleep(200);
      assert.equal(await client.stop(id), true);
      while (!isOver(await client.job(id))) await sleep(200);
      assert.equal((await client.job(id)).status, "STOPPED");
      assert.equal((await srpo(["stop", id, "--ray", address])).status, 1);
    });

    it("says that a job failed", async () => {
      const id = await client.submit({ entrypoint: "bash launch.sh 0 3", folder: work });
      const { status, err } = await srpo(["logs", id, "--follow", "--ray", address]);
      assert.deepEqual([status, /FAILED/.test(err)], [1, true]);
    });

    it("says which versions are there", async () => {
      assert.equal((await clusterVersions(client)).ray, "2.60.0");
    });

    it("runs an export with verl's own data set class, processor and reward manager, and its steps become a run", async function () {
      const verl = needPeer(this, "verl");
      this.timeout(600_000);
      const tokenizer = loadTokenizer(basePolicyFolder);
      const config = rewardConfig("paper");
      const server = await startRewardServer({ config, tokenizer, token: TOKEN });
      try {
        const out = join(folder, "verl");
        const cluster = { model: basePolicyFolder, gpusPerNode: 1 };
        const spec = loadSpec({ problems: { rl: 6 }, cluster }, "small");
        const problems = await loadProblems(spec, "rl");
        await writeExport("verl", { spec, folder: out, train: problems, style: "reflect" });
        const responses = sampleRows(12, { seed: 3, words: 20 })
          .map(({ response }) => response)
          .filter((response) => response !== "");
        writeFileSync(join(out, "responses.json"), JSON.stringify(responses));
        copyFileSync(join(projectRoot, "test/scale/verl_job.py"), join(out, "verl_job.py"));
        // The launch script runs as it is; where it starts verl's trainer, which wants GPUs, the job's program stands in.
        mkdirSync(join(out, "bin"));
        const shim = `#!/bin/sh\nif [ "$1" = -m ]; then shift 2; set -- verl_job.py "$@"; fi\nexec ${verl} "$@"\n`;
        writeFileSync(join(out, "bin/python3"), shim);
        const cache = "+data.cache_dir=$PWD/cache data.filter_overlong_prompts_workers=1";
        const id = await client.submit({
          folder: out,
          entrypoint: `chmod +x bin/python3; export HF_HOME=$PWD/hf PATH=$PWD/bin:$PATH; bash launch.sh ${cache}`,
          environment: {
            ...{ SRPO_REWARD_URL: server.url, SRPO_REWARD_TOKEN: TOKEN, HF_HUB_OFFLINE: "1" },
          },
        });
        let printed = "";
        const onText = (text: string): void => void (printed += text);
        const run = await followJob(client, id, {
          folder: out,
          root: join(folder, "runs"),
          onText,
        });
        assert.equal(run.status, "SUCCEEDED", printed.slice(-3000));

        const found = JSON.parse(/^FOUND (.*)$/m.exec(printed)?.[1] ?? "{}");
        assert.deepEqual([found.dataset, found.rows], ["RLHFDataset", 6]);
        const seen = await preflight({ folder: out, checkpoint: basePolicyFolder });
        const lengths = seen.find(({ name }) => name === "lengths")?.numbers;
        const sorted = [...found.lengths].sort((a: number, b: number) => a - b);
        assert.deepEqual([lengths?.rows, lengths?.max], [6, sorted.at(-1)]);
        assert.equal(lengths?.median, sorted[3]);
        const expected = responses.map((response, i) =>
          rewardNumbers(
            scoreResponse({
              ...{ response: parseResponse(tokenizer.decode(tokenizer.encode(response))), config },
              ...{ problem: problems[i % 6], tokenCount: tokenizer.countTokens },
            }),
          ),
        );
        assert.deepEqual(
          found.rewards,
          expected.map((numbers) => ({ score: numbers.total, acc: numbers.correct, ...numbers })),
        );
        const mean = expected.reduce((sum, { total }) => sum + total, 0) / expected.length;
        const [row] = readMetrics(run.folder);
        assert.deepEqual([row.step, row["completions/mean_length"]], [1, 12.5]);
        assert.ok(Math.abs(row.reward - mean) < 1e-12);
      } finally {
        await server.close(0);
      }
    });

    it("refuses a job that there is not, a second of the same name, and a wrong token", async () => {
      await assert.rejects(client.job("none"), /404.*does not exist/);
      await assert.rejects(
        client.submit({ entrypoint: "true", submissionId: "one" }),
        /already exists/,
      );
      process.env.RAY_AUTH_TOKEN = "wrong-token-wrong-token-wrong-to";
      const wrong = createRayClient({ address });
      process.env.RAY_AUTH_TOKEN = TOKEN;
      await assert.rejects(wrong.jobs(), /40[13].*RAY_AUTH_TOKEN/);
    });
  });
});
