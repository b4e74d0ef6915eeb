/** Other trainers on exports of the embedded policy, on CPU: a few steps, and what their logs become here. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadSpec } from "../../lib/config";
import { readMetrics, readRun } from "../../lib/lab/runs";
import { basePolicyFolder, projectRoot } from "../../lib/paths";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { readLog } from "../../lib/scale/logs/remote-run";
import { writeExport } from "../../lib/scale/exports/export";
import { startRewardServer, type RewardServer } from "../../lib/scale/reward-server/server";
import { loadProblems } from "../../lib/stages/problems";
import type { Problem, ReflectionSample } from "../../lib/types";
import { needPeer } from "../peers";
import { temporaryFolder } from "../policy/fixture";

const TOKEN = "trainers";

/** Runs a program to its end. @returns all that it printed @throws with the end of that where it fails */
async function run(
  program: string,
  words: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<string> {
  const child = spawn(program, words, {
    cwd,
    env: { ...process.env, HF_HUB_OFFLINE: "1", ...env },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  }
  const status = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(status, 0, printed.slice(-2000));
  return printed;
}

describe("other trainers on exports of the embedded policy", function () {
  this.timeout(600_000);
  const folder = temporaryFolder();
  const root = join(folder, "runs");
  const cluster = { model: basePolicyFolder, gpusPerNode: 1 };
  let problems: Problem[];
  before(async () => {
    problems = await loadProblems(loadSpec({ problems: { rl: 8 } }, "small"), "rl");
  });

  describe("TRL", () => {
    let server: RewardServer;
    before(async () => {
      const tokenizer = loadTokenizer(basePolicyFolder);
      server = await startRewardServer({ config: rewardConfig("paper"), tokenizer, token: TOKEN });
    });
    after(() => server.close(0));

    it("makes three steps of GRPO with this reward over HTTP, which are read back as a run", async function () {
      const python = needPeer(this, "trl");
      const out = join(folder, "trl");
      const spec = loadSpec({ grpo: { steps: 3, prompts: 2, group: 4 }, cluster }, "small");
      await writeExport("trl", { spec, folder: out, train: problems, style: "reflect" });
      // The flags of a machine without a GPU; the rest is the exported configuration.
      const flags = ["--use_vllm", "false", "--bf16", "false", "--dtype", "float32"];
      const more = ["--use_cpu", "true", "--gradient_checkpointing", "false"];
      const printed = await run(join(out, "launch.sh"), [...flags, ...more], {
        cwd: out,
        env: {
          ...{ PATH: `${dirname(python)}:${process.env.PATH}`, HF_HOME: join(folder, "hf") },
          ...{ SRPO_REWARD_URL: server.url, SRPO_REWARD_TOKEN: TOKEN },
        },
      });
      writeFileSync(join(folder, "trl.log"), printed);

      const log = await readLog(join(folder, "trl.log"), { folder: out, root });
      const rows = readMetrics(log.folder);
      assert.deepEqual(
        rows.map(({ step }) => step),
        [1, 2, 3],
      );
      for (const row of rows) {
        // What TRL learned from is the server's total, to the four digits that it prints.
        assert.equal(row.reward, row["srpo/total"]);
        assert.ok(row.reward > 0 && row.reward <= 1.6 && row.grad_norm > 0);
        for (const share of ["accuracy/first", "accuracy/final", "reflection/present"]) {
          assert.ok(Number.isInteger(row[share] * 8), `${share} of 8 rollouts is ${row[share]}`);
        }
      }
      const checkpoint = readdirSync(join(out, "output")).find((name) => /^checkpoint/.test(name));
      const state = join(out, "output", checkpoint ?? "", "trainer_state.json");
      const history = readMetrics((await readLog(state, { folder: out, root })).folder);
      for (const [i, row] of rows.entries()) {
        assert.equal(history[i].step, row.step);
        assert.ok(Math.abs(history[i].reward - row.reward) < 1e-4);
      }
      const asked = await fetch(`${server.url}/metrics`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      assert.match(await asked.text(), /^srpo_rewards_total 24$/m);
      const { model_type: type } = JSON.parse(
        readFileSync(join(out, "output/config.json"), "utf8"),
      ) as { model_type: string };
      assert.equal(type, "qwen2_5_vl");
    });
  });

  it("LLaMA-Factory makes two steps of SFT, which are read back as a run", async function () {
    const python = needPeer(this, "llamafactory");
    const out = join(folder, "llamafactory");
    const sft = { batch: 4, microBatch: 2, epochs: 1, evalShare: 0 };
    const spec = loadSpec({ sft, cluster }, "small");
    await writeExport("llamafactory", {
      ...{ spec, folder: out, samples: problems.map(sampleOf), style: "reflect" },
    });
    const script = join(projectRoot, "test/scale/sft_with_llamafactory.py");
    const cpu = ["deepspeed=null", "bf16=false", "use_cpu=true", "preprocessing_num_workers=1"];
    await run(python, [script, "sft.yaml", ...cpu, "logging_steps=1"], {
      cwd: out,
      env: { HF_HOME: join(folder, "hf"), PYTHONPATH: "" },
    });
    const log = await readLog(join(out, "output/trainer_log.jsonl"), { folder: out, root });
    const rows = readMetrics(log.folder).filter(({ loss }) => loss !== undefined);
    assert.deepEqual(
      rows.map(({ step }) => step),
      [1, 2],
    );
    assert.ok(rows.every(({ loss, learning_rate }) => loss > 0 && learning_rate >= 0));
    assert.ok(existsSync(join(out, "output/model.safetensors")));
    assert.equal(readRun(log.folder).stage, "sft");
  });
});

/** A wrong first solution, and a right second one. */
function sampleOf(problem: Problem): ReflectionSample {
  return {
    problem,
    attempt: { text: "", think: "I guess.", answer: "0" },
    verdict: { extraction: "0", prediction: "0", correct: false, rule: "number" },
    mode: "correct",
    reflection: "That was a guess.",
    second: { think: "Now carefully.", answer: problem.answer },
    provenance: { policy: "p", teacher: "t", seed: 1 },
  };
}
