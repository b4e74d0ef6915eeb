import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSpec } from "../../lib/config";
import { compareRuns, listRuns, readMetrics, readRun } from "../../lib/lab/runs";
import { runRows } from "../../lib/lab/run-list";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { exportTarget } from "../../lib/scale/exports/index";
import { cleanLine, type LoggedStep } from "../../lib/scale/logs/lines";
import { labMetrics } from "../../lib/scale/logs/names";
import { followJob, readLog } from "../../lib/scale/logs/remote-run";
import { createRayClient, type JobStatus, type RayClient } from "../../lib/scale/ray/client";
import type { Watcher } from "../../lib/stages/context";
import { srpo } from "../cli/srpo";
import { FIXTURES, temporaryFolder } from "../policy/fixture";

const LOGS = join(FIXTURES, "scale/logs");
const saved = (name: string): string => readFileSync(join(LOGS, name), "utf8");

/** What {@link LOGS} say of step 1, as `make_logs.py` logged it. */
const REWARD_SHARES = {
  ...{ "accuracy/final": 0.5, "reflection/rr": 0.25, "reflection/wr": 0.25 },
};

describe("logs of trainers", () => {
  const spec = loadSpec({}, "srpo-7b");
  /** All steps of a text under the lab's names; parts of a step are put together. */
  const read = (target: string, text: string): Map<number, Record<string, number>> => {
    const { log } = exportTarget(target);
    const reader = log.reader(spec);
    const steps = new Map<number, LoggedStep["values"]>();
    for (const line of text.split("\n")) {
      const logged = reader(cleanLine(line));
      if (logged === undefined) continue;
      steps.set(logged.step, { ...steps.get(logged.step), ...logged.values });
    }
    return new Map([...steps].map(([step, values]) => [step, labMetrics(values, log)]));
  };

  for (const file of ["verl.log", "verl.jsonl"]) {
    it(`verl's: ${file}`, () => {
      const steps = read("verl", saved(file));
      assert.deepEqual([...steps.keys()], [0, 1, 2]);
      assert.deepEqual(steps.get(0), {
        "val-core/srpo/acc/mean@1": 0.25,
        "val-aux/srpo/rr/mean@1": 0.125,
      });
      assert.deepEqual(steps.get(1), {
        ...{ reward: 1.25, "critic/score/max": 1.6, loss: -0.03125, entropy: 0.5 },
        ...{ grad_norm: 0.75, learning_rate: 1e-6, "clip_ratio/region_mean": 0.002 },
        ...{ "completions/mean_length": 512.5, "completions/clipped_ratio": 0 },
        ...{ step_time: 61.5, "training/global_step": 1 },
      });
      assert.deepEqual(steps.get(2), { reward: 1.3, step_time: 60 });
    });
  }

  it("OpenRLHF's, with what the lab derives from the transitions", () => {
    const steps = read("openrlhf", saved("openrlhf.log"));
    assert.deepEqual([...steps.keys()], [1, 2]);
    assert.deepEqual(steps.get(1), {
      ...{ loss: -0.03125, "clip_ratio/region_mean": 0.002, learning_rate: 1e-6 },
      ...{ grad_norm: 0.75, step_time: 61.5, reward: 1.25, "completions/mean_length": 512.5 },
      ...{ ...REWARD_SHARES, "accuracy/first": 0.375, "reflection/rw": 0.125 },
      ...{ "reflection/ww": 0.25, "reflection/present": 0.875 },
      "accuracy/second": 0.5 / 0.875,
      "reflection/fix_rate": 0.5,
      "reflection/harm_rate": 0.125 / 0.375,
    });
    assert.equal(steps.get(2)?.reward, 1.3);
  });

  it("EasyR1's, and its configuration is no step", () => {
    const steps = read("easyr1", saved("easyr1.log"));
    assert.deepEqual([...steps.keys()], [1, 2]);
    assert.deepEqual(steps.get(1), {
      ...{ entropy: 0.5, grad_norm: 0.75, learning_rate: 1e-6, "clip_ratio/region_mean": 0.002 },
      ...{ reward: 1.25, "critic/score/max": 1.6, "reward/overall": 1.25, step_time: 61.5 },
      ...{ "completions/mean_length": 512.5, "rewards/format/mean": 0.45, ...REWARD_SHARES },
      ...{ "reflection/rw": 0, "reflection/ww": 0.5, "reflection/present": 1 },
      ...{ "accuracy/second": 0.5, "reflection/fix_rate": 0.25 / 0.75, "reflection/harm_rate": 0 },
    });
  });

  it("TRL's, drawn over a progress bar", () => {
    const steps = read("trl", saved("trl.log"));
    assert.deepEqual([...steps.keys()], [1, 2, 3]);
    const first = steps.get(1) ?? {};
    assert.deepEqual(
      ["reward", "reward_std", "accuracy/first", "reflection/rr", "completions/mean_length"].map(
        (name) => first[name],
      ),
      [0.9229, 0.6005, 0.625, 0.375, 47.38],
    );
    assert.equal(first["reflection/present"], 0.625);
  });

  it("transformers', beside a bar and other dictionaries; what comes after a step is its own", () => {
    const lines = [
      "{'learning_rate': 5}",
      "100%|##| 1/1 [00:01<00:00]{'loss': '0.5', 'grad_norm': 'nan', 'epoch': 1}",
      "{'eval_loss': '0.4'}",
      "{'train_runtime': '9', 'train_loss': '0.5'}",
    ];
    assert.deepEqual(
      [...read("llamafactory", lines.join("\n"))],
      [[10, { loss: 0.5, epoch: 1, eval_loss: 0.4, train_runtime: 9, train_loss: 0.5 }]],
    );
  });

  it("LLaMA-Factory's trainer_log.jsonl", () => {
    const steps = read("llamafactory", saved("llamafactory.jsonl"));
    assert.deepEqual(
      [...steps].map(([step, { loss, learning_rate: rate, epoch }]) => [step, loss, rate, epoch]),
      [
        [1, 12.633004188537598, 0.0003, 0.5],
        [2, 10.666460037231445, 0.00015, 1],
      ],
    );
  });

  it("of a log history, whose steps are the optimiser's", () => {
    const history = [
      { loss: 0.1, reward: 1, step: 8 },
      { loss: 0.2, reward: 1.2, step: 16 },
      { train_runtime: 9, step: 16 },
    ];
    const steps = read("trl", history.map((row) => JSON.stringify(row)).join("\n"));
    assert.deepEqual(
      [...steps].map(([step, { reward }]) => [step, reward]),
      [
        [1, 1],
        [2, 1.2],
      ],
    );
  });

  it("takes colours, bars and Ray's prefix off a line", () => {
    const ray = "\u001b[36m(TaskRunner pid=812, ip=10.0.0.2)\u001b[0m step:3 - critic/score/mean:1";
    assert.equal(cleanLine(ray), "step:3 - critic/score/mean:1");
    assert.equal(cleanLine(" 50%|##  | 1/2\r      \r{'loss': '1'}\r"), "{'loss': '1'}");
    assert.equal(cleanLine("(2 + 3) steps"), "(2 + 3) steps");
  });

  describe("as runs", () => {
    const folder = temporaryFolder();
    const root = join(folder, "runs");
    const exported = (target: string, rows = 100): string => {
      const out = join(folder, target);
      mkdirSync(out, { recursive: true });
      const version = exportTarget(target).version;
      const manifest = { target, version, spec, rows: { train: rows, test: 0 } };
      writeFileSync(join(out, "export.json"), JSON.stringify(manifest));
      const reward = { preset: "paper", config: rewardConfig("paper") };
      writeFileSync(join(out, "reward.json"), JSON.stringify(reward));
      return out;
    };
    /** A job that prints `text` in pieces of some characters. */
    const job = (text: string, status: JobStatus, piece = 7): RayClient => ({
      ...createRayClient(),
      logs: () => Promise.resolve(text),
      follow: async function* () {
        for (let at = 0; at < text.length; at += piece) yield text.slice(at, at + piece);
      },
      job: () =>
        Promise.resolve({
          ...{ submission_id: "a", entrypoint: "", message: null, metadata: null, status },
          ...{ start_time: 1000, end_time: 91_000 },
        }),
    });
    const recorded = () => {
      const told: string[] = [];
      const watch: Watcher = {
        begin: (total, earlier) => told.push(`begin ${total} ${earlier.length}`),
        step: (step, { reward }) => told.push(`${step} ${reward}`),
        end: (reason) => void told.push(`end ${reason ?? ""}`.trim()),
      };
      return { told, watch };
    };

    it("which the list, the curves and the watcher take for local ones", async () => {
      const verl = exported("verl");
      const { told, watch } = recorded();
      const client = job(saved("verl.log"), "SUCCEEDED");
      const run = await followJob(client, "raysubmit_a", { folder: verl, root, watch });
      assert.deepEqual([run.steps, run.status], [3, "SUCCEEDED"]);
      const found = readRun(run.folder);
      assert.equal(`${found.stage} ${found.preset} ${found.seconds}`, "grpo srpo-7b 90");
      assert.equal(found.policy, "Qwen2.5-VL-7B-Instruct (verl)");
      assert.deepEqual(
        readMetrics(found).map(({ step, reward }) => [step, reward]),
        [
          [0, undefined],
          [1, 1.25],
          [2, 1.3],
        ],
      );
      assert.deepEqual(compareRuns([found], "reward").lines?.[0].y, [1.25, 1.3]);
      assert.deepEqual(
        runRows(listRuns(root)).map(({ state, steps, reward }) => [state, steps, reward]),
        [["finished", 2, 1.3]],
      );
      assert.deepEqual(told, ["begin 500 0", "0 undefined", "1 1.25", "2 1.3", "end"]);
    });

    it("the same, however the log comes in, and however often it is read", async () => {
      const easyr1 = exported("easyr1");
      const rows: unknown[] = [];
      for (const piece of [1, 64, 1e6]) {
        const client = job(saved("easyr1.log"), "RUNNING", piece);
        const run = await followJob(client, "b", { folder: easyr1, root: join(folder, "again") });
        rows.push(readMetrics(run.folder).map(({ elapsed: _, ...row }) => row));
      }
      assert.equal(listRuns(join(folder, "again")).length, 1);
      assert.deepEqual([rows[1], rows[2]], [rows[0], rows[0]]);
    });

    it("not finished where the job failed, which the watcher hears", async () => {
      const { told, watch } = recorded();
      const client = job(saved("openrlhf.log"), "FAILED", 1e6);
      const options = { folder: exported("openrlhf"), root, watch };
      const run = await followJob(client, "c", options);
      assert.deepEqual(told, ["begin 500 1", "2 1.3", "end failed"]);
      assert.equal(readRun(run.folder).seconds, null);
    });

    it("from a saved log or metrics file, by the command", async () => {
      const verl = exported("verl");
      const env = { SRPO_RUNS: join(folder, "mine") };
      const words = ["logs", "--file", join(LOGS, "verl.jsonl"), "--metrics-of", verl];
      const { rows, status, err } = await srpo(words, { env });
      assert.deepEqual([status, rows[0]?.steps], [0, 3], err);
      assert.equal(readMetrics(String(rows[0].folder)).at(-1)?.reward, 1.3);
      const other = ["logs", "--file", join(LOGS, "trl.log"), "--metrics-of", verl];
      const refused = await srpo(other, { env });
      assert.match(refused.err, /tells of no step.*verl/s);
      assert.equal(refused.status, 1);
      assert.equal((await srpo(["logs", "--file", join(LOGS, "trl.log")])).status, 2);
    });

    it("of an SFT, with transformers' history", async () => {
      const sft = exported("llamafactory", 160);
      const state = join(folder, "trainer_state.json");
      const history = [
        { loss: 0.9, learning_rate: 1e-5, step: 10 },
        { eval_loss: 0.8, step: 10 },
      ];
      writeFileSync(state, JSON.stringify({ global_step: 10, log_history: history }, null, 2));
      const run = await readLog(state, { folder: sft, root });
      const [{ elapsed: _, ...row }] = readMetrics(run.folder);
      assert.deepEqual(row, { step: 10, loss: 0.9, learning_rate: 1e-5, eval_loss: 0.8 });
      assert.equal(readRun(run.folder).stage, "sft");
    });
  });
});
