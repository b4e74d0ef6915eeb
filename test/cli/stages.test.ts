import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { ready } from "../../lib/engine/backend";
import { readJsonl, writeJsonl } from "../../lib/engine/files";
import type { AttemptedProblem } from "../../lib/rollout/attempts";
import { temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { srpo, start, ended } from "./srpo";

describe("srpo", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();

  describe("stages", () => {
    const policy = join(folder, "policy");
    const runs = join(folder, "runs");
    const env = { SRPO_RUNS: runs };
    before(async () => {
      await ready();
      writeTinyPolicy(policy);
    });
    const grpo = [
      ...["grpo", "--preset", "smoke", "--policy", policy, "--reward", "task-only"],
      ...["--set", "grpo.steps=6", "--set", "grpo.maxNewTokens=8", "--set", "problems.rl=8"],
    ];

    it("stop at Ctrl-C with status 130, go on where they stopped, and are done once", async () => {
      const child = start(grpo, env);
      const stopped = ended(child);
      while (metricsOf(runs, "grpo-") === undefined && child.exitCode === null) await wait(20);
      child.kill("SIGINT");
      const { status, out, err } = await stopped;
      assert.equal(status, 130, err);
      assert.equal(out, "");
      assert.match(err, /Stopped GRPO at step \d of 6\. Run it again to go on from there\.\n$/);

      const again = await srpo(grpo, { env });
      assert.equal(again.status, 0, again.err);
      assert.equal(again.rows.length, 1);
      const { stage, run, cached, steps } = again.rows[0];
      assert.deepEqual({ stage, cached, steps }, { stage: "grpo", cached: false, steps: 6 });
      assert.ok(existsSync(join(again.rows[0].policy as string, "model.safetensors")));
      assert.deepEqual(metricsOf(runs, "grpo-"), [1, 2, 3, 4, 5, 6]);

      const third = await srpo(grpo, { env });
      assert.deepEqual(third.rows, [{ ...again.rows[0], cached: true }]);
      assert.match(third.err, /^Finished before, nothing to do/);

      const listed = await srpo(["runs"], { env });
      assert.deepEqual(
        listed.rows.map(({ folder: path, finished }) => ({ path, finished })),
        [{ path: run, finished: true }],
      );
    });

    it("evaluate the policy of a run as it was trained", async () => {
      const [run] = (await srpo(["runs", "--stage", "grpo"], { env })).rows;
      const small = ["problems.test=4", "evaluation.maxNewTokens=4"];
      const { status, rows, err } = await srpo(
        [
          ...["eval", "--preset", "smoke", "--policy", run.folder as string],
          ...small.flatMap((setting) => ["--set", setting]),
        ],
        { env },
      );
      assert.equal(status, 0, err);
      assert.equal(rows[0].policy, join(run.folder as string, "policy"));
      const { overall } = rows[0].greedy as { overall: Record<string, number> };
      assert.equal(overall.n, 4);
      assert.ok(overall.low <= overall.accuracy && overall.accuracy <= overall.high);
      assert.match(err, /greedy: [\d.]+ % \[[\d.]+, [\d.]+\], n = 4/);
      const spec = JSON.parse(readFileSync(join(rows[0].run as string, "spec.json"), "utf8"));
      assert.deepEqual([spec.policy, spec.style], [run.hash, "direct"]);
    });

    describe("fine-tuning", () => {
      const settings = ["problems.sft=24", "construction.maxNewTokens=2", "sft.batch=4"];
      const options = [
        ...["--preset", "smoke", "--policy", policy],
        ...settings.flatMap((setting) => ["--set", setting]),
      ];

      it("constructs its data first, and says why it cannot go on", async () => {
        const { status, out, err } = await srpo(["sft", ...options], { env });
        // Random weights solve nothing, and there is nothing to reflect on.
        assert.match(err, /Data construction: finished.*✗ trainSft: fewer examples/s);
        assert.deepEqual([status, out], [1, ""]);
        const [run] = (await srpo(["runs", "--stage", "construct"], { env })).rows;
        assert.equal(run.finished, true);
      });

      it("goes on from attempts that are there, and trains on the reflections", async () => {
        const [{ folder: run }] = (await srpo(["runs", "--stage", "construct"], { env })).rows;
        rmSync(join(run as string, "summary.json"));
        giveAnswers(join(run as string, "attempts.jsonl"));
        const { status, rows, err } = await srpo(["sft", ...options], { env });
        assert.equal(status, 0, err);
        assert.match(err, /Reflection SFT: finished/);
        assert.ok((rows[0].examples as number) >= 8);
        assert.ok(existsSync(join(rows[0].policy as string, "model.safetensors")));

        const data = await srpo(["data", ...options], { env });
        const { stage, cached, attempts, accuracy, samples } = data.rows[0];
        assert.deepEqual([stage, cached, attempts], ["construct", true, 24]);
        assert.deepEqual([accuracy, samples], [8 / 24, rows[0].examples]);
      });
    });

    it("name a checkpoint that is none", async () => {
      const { status, err } = await srpo(["data", "--policy", folder], { env });
      assert.equal(status, 1);
      assert.ok(err.includes(folder) && !err.includes("    at "), err);
    });
  });
});

/** Steps in the metrics of the run whose folder begins so, once there are any. */
function metricsOf(runs: string, prefix: string): number[] | undefined {
  const name = existsSync(runs) ? readdirSync(runs).find((n) => n.startsWith(prefix)) : undefined;
  const file = join(runs, name ?? "", "metrics.jsonl");
  if (name === undefined || !existsSync(file)) return undefined;
  // It may be read while it is written.
  const steps = readJsonl<{ step: number }>(file).map(({ step }) => step);
  return steps.length === 0 ? undefined : steps;
}

/** Puts a careful solution into every attempt; every third keeps the right answer. */
function giveAnswers(path: string): void {
  const rows = readJsonl<AttemptedProblem>(path).map((row, i): AttemptedProblem => {
    const { reading, steps, answer } = row.problem;
    const correct = i % 3 === 0;
    const given = correct ? answer : `${answer}1`;
    const attempt = {
      text: `<think>${[reading, ...(steps ?? [])].join(" ")}</think><answer>${given}</answer>`,
      verdict: { extraction: given, prediction: given, correct, rule: "number" },
      truncated: false,
    };
    return { ...row, attempts: [attempt], passRate: Number(correct) };
  });
  writeJsonl(path, rows);
}
