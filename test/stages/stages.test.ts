import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { readJsonl } from "../../lib/engine/files";
import { readMetrics, type MetricRow } from "../../lib/lab/runs";
import { PART_NAMES } from "../../lib/reflection/reward-parts";
import { createRuleTeacher } from "../../lib/reflection/teacher";
import { createTfjsEngine } from "../../lib/rollout/tfjs";
import { constructData } from "../../lib/stages/construct";
import { basePolicy, withPolicy, type StageOptions } from "../../lib/stages/context";
import { evaluate } from "../../lib/stages/evaluate";
import { finetune } from "../../lib/stages/finetune";
import { reinforce } from "../../lib/stages/reinforce";
import type { CustomReward } from "../../lib/train/custom-reward";
import { gone, listener, spec, testLab } from "./lab";

const teacher = createRuleTeacher();

/** Every file below a folder with its time of change. */
function filesOf(folder: string): [string, number][] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => [name, statSync(join(folder, name)).mtimeMs]);
}

/** What the reward configuration paid on average. */
function paidBy(row: MetricRow): number {
  return PART_NAMES.reduce((sum, part) => sum + row[`rewards/${part}/mean`], 0);
}

describe("stages", function () {
  this.timeout(120_000);
  const lab = testLab(40);

  /** Each stage from what it needs, with a policy that may be gone when the stage is done. */
  const stages = {
    construct: (options: StageOptions = {}, base = lab.base, changed = spec) =>
      constructData(changed, base, lab.problems, teacher, options),
    finetune: async (options: StageOptions = {}, base = lab.base, changed = spec) =>
      finetune(changed, base, await stages.construct(), "reflection", options),
    reinforce: (options: StageOptions = {}, base = lab.base, changed = spec) =>
      reinforce(changed, {
        ...{ name: "GRPO", from: base, reward: "task-only", problems: lab.problems },
        ...options,
      }),
    evaluate: (options: StageOptions = {}, base = lab.base, changed = spec) =>
      evaluate(changed, base, lab.problems, "test", options),
  };

  describe("with adapters", () => {
    const lora = { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "up_proj"] };
    const adapted = { ...spec, lora };

    it("leave PEFT's files, are trained on by the next, and merge into a policy of their own", async () => {
      const tensors = tf.memory().numTensors;
      const sft = await stages.finetune({}, lab.base, adapted);
      const left = readdirSync(sft.policy.folder);
      assert.ok(left.includes("adapter_model.safetensors") && left.includes("tokenizer.json"));
      assert.ok(!left.includes("model.safetensors"));
      const grpo = await stages.reinforce({}, sft.policy, adapted);
      const config = JSON.parse(
        readFileSync(join(grpo.policy.folder, "adapter_config.json"), "utf8"),
      ) as { base_model_name_or_path: string; r: number };
      assert.deepEqual([config.base_model_name_or_path, config.r], [lab.base.folder, 4]);
      const { cached, summary } = await evaluate(adapted, grpo.policy, lab.problems, "test");
      assert.equal(cached, false);
      assert.ok(summary);
      assert.equal(tf.memory().numTensors, tensors);
      assert.notEqual((await stages.finetune()).run.hash, sft.run.hash);
    });

    it("are told from another policy by their content", async () => {
      const { policy } = await stages.finetune({}, lab.base, adapted);
      const [ours, base] = [basePolicy(policy.folder).hash, lab.base.hash];
      assert.notEqual(ours, base);
      assert.equal(basePolicy(policy.folder).hash, ours);
    });
  });

  it("refuse to train in less memory than they need, before they load anything, unless told to", async () => {
    const available = process.availableMemory;
    const tensors = tf.memory().numTensors;
    process.availableMemory = () => 1e5;
    try {
      const work = stages.reinforce();
      await assert.rejects(work, (error: Error) => {
        assert.ok(error instanceof LabError);
        assert.match(error.message, /does not fit.*weights.*GB free.*lora\.rank.*--any-memory/s);
        return true;
      });
      assert.equal(tf.memory().numTensors, tensors);
      assert.equal((await stages.reinforce({ anyMemory: true })).cached, false);
    } finally {
      process.availableMemory = available;
    }
  });

  for (const [name, stage] of Object.entries(stages)) {
    describe(name, () => {
      it("is done once: the second time it asks no policy and touches no file", async () => {
        const tensors = tf.memory().numTensors;
        const first = await stage();
        assert.equal(first.cached, false);
        assert.equal(tf.memory().numTensors, tensors);
        const files = filesOf(first.run.folder);

        const { heard, options } = listener();
        const second = await stage(options, gone(lab.base));
        assert.equal(second.cached, true);
        assert.deepEqual(second.summary, first.summary);
        assert.deepEqual(filesOf(first.run.folder), files);
        // The watcher hears of no steps, but of the end.
        assert.deepEqual(heard, { total: 0, earlier: [], steps: [], ends: [undefined] });
        // What it gives is what it gave, whether from memory or from disk.
        const { run: _a, cached: _b, ...given } = first;
        const { run: _c, cached: _d, ...found } = second;
        assert.deepEqual(
          { ...JSON.parse(JSON.stringify(found)), policy: undefined },
          { ...JSON.parse(JSON.stringify(given)), policy: undefined },
        );
      });

      it("runs anew for another input, beside the old run, and when it is forced to", async () => {
        const first = await stage();
        const other = await stage({}, lab.base, { ...spec, seed: 2 });
        assert.deepEqual([other.cached, first.run.folder === other.run.folder], [false, false]);
        const another = await stage({}, { ...lab.base, hash: "another" });
        assert.deepEqual([another.cached, another.run.folder === first.run.folder], [false, false]);

        const forced = await stage({ force: true });
        assert.equal(forced.cached, false);
        assert.equal(forced.run.folder, first.run.folder);
        assert.equal((await stage()).cached, true);
      });
    });
  }

  for (const [name, stage] of Object.entries({
    finetune: stages.finetune,
    reinforce: stages.reinforce,
  })) {
    it(`${name} goes on from the step at which it was stopped, and leaves a policy`, async () => {
      const stopped = listener(2);
      await assert.rejects(stage(stopped.options), /Stopped \w+ at step 2 of \d\. Run it again/);
      assert.match(stopped.heard.ends[0] ?? "", /Stopped/);
      const going = listener();
      const { run, policy } = await stage(going.options);
      assert.deepEqual(
        going.heard.earlier.map(({ step }) => step),
        [1, 2],
      );
      const { total, steps } = going.heard;
      const rest = Array.from({ length: total - 2 }, (_unused, i) => i + 3);
      assert.ok(total >= 4);
      assert.deepEqual(steps, rest);
      assert.deepEqual(
        readJsonl<{ step: number }>(join(run.folder, "metrics.jsonl")).map(({ step }) => step),
        [1, 2, ...rest],
      );
      // It opens, and what comes after it knows it by the run.
      await withPolicy(policy, async ({ weights }) => assert.ok(weights.size > 0));
      assert.deepEqual(
        [policy.hash, policy.style],
        [run.hash, name === "finetune" ? "reflect" : "direct"],
      );
    });
  }

  it("reinforce takes a reward of the user's own, and another one makes another run", async () => {
    const train = (rewards: readonly CustomReward[], rewardWeight?: number) =>
      reinforce(spec, {
        ...{ name: "own", from: lab.base, reward: "task-only", problems: lab.problems },
        ...{ rewards, rewardWeight },
      });
    const plain = await train([]);
    const seven: CustomReward = {
      name: "seven",
      weight: 0.5,
      reward: async ({ response }) => (response.first.answer === "7" ? 1 : 0),
    };
    const own = await train([seven]);
    const [row] = readMetrics(own.run.folder);
    assert.ok(row["rewards/seven/mean"] >= 0 && row["rewards/seven/mean"] <= 1);
    assert.ok(Math.abs(row.reward - paidBy(row) - row["rewards/seven/mean"] / 2) < 1e-9);
    assert.equal((await train([seven])).cached, true);
    const others = [
      await train([{ ...seven, reward: ({ response }) => Number(response.first.answer === "9") }]),
      await train([seven], 0),
    ];
    assert.equal(new Set([plain, own, ...others].map(({ run }) => run.folder)).size, 4);
  });

  describe("data construction", () => {
    /** More than are asked at once. */
    const many = (): typeof lab.problems =>
      Array.from({ length: 150 }, (_unused, i) => ({ ...lab.problems[i % 40], id: `sum-${i}` }));
    const construct = (options: StageOptions = {}) =>
      constructData(spec, lab.base, many(), teacher, options);

    it("keeps 30 % right ones among its samples, and accounts for all attempts", async () => {
      const { attempts, samples, dropped } = await construct();
      assert.deepEqual(
        attempts.map(({ problem }) => problem.id),
        many().map(({ id }) => id),
      );
      assert.equal(samples.length, 16);
      const right = samples.filter(({ mode }) => mode === "condense").length;
      assert.equal(right, Math.round(0.3 * 16));
      const lost = dropped.reduce((sum, row) => sum + row.right + row.wrong, 0);
      assert.equal(samples.length + lost, 150);
    });

    it("keeps its attempts when it is stopped, and ends with the same samples", async () => {
      const undisturbed = await construct();
      const lines = (folder: string): string[] =>
        readFileSync(join(folder, "attempts.jsonl"), "utf8").trimEnd().split("\n");
      const expected = lines(undisturbed.run.folder);

      process.env.SRPO_RUNS += "-stopped";
      const { options } = listener(1);
      await assert.rejects(construct(options), /Stopped attempts at problem 128 of 150/);
      const [name] = readdirSync(process.env.SRPO_RUNS as string);
      const folder = join(process.env.SRPO_RUNS as string, name);
      assert.deepEqual(lines(folder), expected.slice(0, 128));
      // The machine goes down in the middle of a line.
      appendFileSync(join(folder, "attempts.jsonl"), expected[128].slice(0, 50));

      const { heard, options: again } = listener();
      const resumed = await construct(again);
      assert.deepEqual([heard.earlier, heard.steps], [[{ step: 128 }], [150]]);
      assert.equal(resumed.run.folder, folder);
      assert.deepEqual(lines(folder), expected);
      assert.deepEqual(resumed.samples, undisturbed.samples);
      assert.deepEqual(resumed.dropped, undisturbed.dropped);
    });
  });

  describe("evaluation", () => {
    it("has one greedy row a problem in their order, and the samples' rows after each other", async () => {
      const { greedy, sampled, report } = await stages.evaluate();
      const ids = lab.problems.map(({ id }) => id);
      assert.deepEqual(
        greedy.map(({ problem }) => problem),
        ids,
      );
      assert.deepEqual(
        sampled.map(({ problem }) => problem),
        ids.flatMap((id) => [id, id]),
      );
      for (const [rows, { overall }] of [
        [greedy, report.greedy],
        [sampled, report.sampled],
      ] as const) {
        const right = rows.filter(({ problem, text }) => {
          const { answer } = lab.problems.find(({ id }) => id === problem) as { answer: string };
          return text.includes(`<answer>${answer}</answer>`);
        });
        assert.equal(overall.n, rows.length);
        assert.equal(overall.accuracy, right.length / rows.length);
        assert.ok(overall.low < overall.accuracy && overall.accuracy < overall.high);
      }
    });

    it("says the same greedily whoever else is in the batch", async () => {
      const { greedy } = await stages.evaluate();
      await withPolicy(lab.base, async (bundle) => {
        const engine = createTfjsEngine(bundle);
        for (const i of [0, 7, 39]) {
          const [[{ text }]] = await engine.rollout([lab.problems[i]], {
            ...{ style: "direct", group: 1, maxNewTokens: 12, temperature: 0, seed: "any" },
          });
          assert.equal(greedy[i].text, text);
        }
      });
    });

    it("samples the same from the same seed, and others from another", async () => {
      const texts = async (seed: number): Promise<string[]> => {
        const { sampled } = await stages.evaluate({ force: true }, lab.base, { ...spec, seed });
        return sampled.map(({ text }) => text);
      };
      const first = await texts(1);
      assert.deepEqual(await texts(1), first);
      assert.notDeepEqual(await texts(2), first);
    });
  });

  describe("a base policy", () => {
    it("is named by the content of its files", () => {
      assert.equal(basePolicy(lab.base.folder).hash, lab.base.hash);
      const untrained = basePolicy(join(lab.base.folder, "../untrained"));
      assert.notEqual(untrained.hash, lab.base.hash);
    });

    it("has another name when a file changes, and is not read again while none does", () => {
      const folder = `${lab.base.folder}-copy`;
      cpSync(lab.base.folder, folder, { recursive: true });
      const file = join(folder, "generation_config.json");
      // Whole seconds, which every file system keeps.
      const at = (seconds: number, text: string): string => {
        writeFileSync(file, text);
        utimesSync(file, seconds, seconds);
        return basePolicy(folder).hash;
      };
      const first = at(1e9, '{"a": 1}');
      assert.notEqual(at(1e9 + 1, '{"a": 2}'), first);
      assert.equal(at(1e9 + 2, '{"a": 1}'), first);
      // Same time and size: taken for the same.
      assert.equal(at(1e9 + 2, '{"a": 3}'), first);
    });

    it("that is none is named with its folder", () => {
      const empty = join(lab.base.folder, "..");
      assert.throws(
        () => basePolicy(empty),
        (error: Error) => error instanceof LabError && error.message.includes(empty),
      );
    });
  });
});
