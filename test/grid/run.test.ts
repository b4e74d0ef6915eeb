/** The experiment end to end at the smallest size, killed on the way. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { readResults } from "../../lib/grid/results";
import { rateOf } from "../../lib/grid/analysis";
import { ended, srpo, start } from "../cli/srpo";
import { temporaryFolder } from "../policy/fixture";

describe("srpo paper-mini", function () {
  this.timeout(600_000);
  const folder = temporaryFolder();
  const env = { SRPO_RUNS: join(folder, "runs") };
  const settings = [
    ...["problems.sft=48", "problems.rl=8", "problems.test=6", "problems.ood=4"],
    ...["construction.target=16", "sft.batch=4", "sft.microBatch=4", "grpo.saveEvery=1"],
    ...["grpo.steps=4", "grpo.prompts=2", "grpo.group=2", "grpo.maxNewTokens=48"],
    ...["evaluation.maxNewTokens=48"],
  ];
  const grid = [
    ...["--preset", "smoke", "--seeds", "1", "--variants", "srpo"],
    ...settings.flatMap((setting) => ["--set", setting]),
  ];

  it("goes on after kill -9, does nothing twice, and reports what it found", async () => {
    const first = start(["paper-mini", "run", ...grid], env);
    const gone = ended(first);
    while (stepsOf(env.SRPO_RUNS) === 0 && first.exitCode === null) await wait(20);
    first.kill("SIGKILL");
    await gone;
    const before = await srpo(["paper-mini", "status", ...grid], { env });
    assert.equal(before.rows.filter(({ state }) => state === "done").length, 2, before.err);
    assert.match(before.err, /2 of 3 done/);

    const again = await srpo(["paper-mini", "run", ...grid], { env });
    assert.equal(again.status, 0, again.err);
    assert.deepEqual(
      again.rows.map(({ variant }) => variant),
      ["base", "sft", "srpo"],
    );
    assert.match(again.err, /begins srpo\/1 · 2 of 3 done/);
    assert.doesNotMatch(again.err, /begins (base|sft)/);
    const steps = metricsOf(env.SRPO_RUNS).map(({ step }) => step);
    assert.deepEqual(steps, [1, 2, 3, 4]);
    const { folder: trained } = (again.rows[2].runs as Record<string, { folder: string }>).grpo;

    const changed = statSync(join(trained, "summary.json")).mtimeMs;
    const third = await srpo(["paper-mini", "run", ...grid], { env });
    assert.deepEqual(third.rows, again.rows);
    assert.equal(statSync(join(trained, "summary.json")).mtimeMs, changed);

    const out = join(folder, "results.jsonl");
    const report = await srpo(["paper-mini", "report", ...grid, "--out", out], { env });
    assert.equal(report.status, 0, report.err);
    const results = readResults(out);
    assert.deepEqual(
      results.runs.map(({ variant, seed }) => `${variant}/${seed}`),
      ["base/1", "sft/1", "srpo/1"],
    );
    assert.equal(rateOf(results, "srpo", "final").of, 6);
    assert.equal(rateOf(results, "srpo", "final", { set: "ood", mode: "sampled" }).of, 4);
    const [, , { grpo, samples }] = results.runs;
    assert.deepEqual(grpo?.step, [1, 2, 3, 4]);
    assert.ok((samples?.length ?? 0) > 0);
    assert.ok(!readFileSync(out, "utf8").includes(folder), "a path of the machine");
  });

  it("refuses seeds and variants that cannot be", async () => {
    const no = await srpo(["paper-mini", "run", "--variants", "srqo"], { env });
    assert.deepEqual([no.status, no.out], [2, ""]);
    assert.match(no.err, /srqo.*no-effectiveness/s);
    const seeds = await srpo(["paper-mini", "run", "--seeds", "1,b"], { env });
    assert.equal(seeds.status, 2);
  });
});

interface Row {
  step: number;
}

function metricsOf(runs: string): Row[] {
  const name = existsSync(runs) && readdirSync(runs).find((one) => one.startsWith("grpo-"));
  const file = join(runs, name || "", "metrics.jsonl");
  if (!name || !existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as Row);
}

const stepsOf = (runs: string): number => metricsOf(runs).length;
