/** What stops a training: whatever it is, earlier work stays, and what it stopped on is written down. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { readJsonl } from "../../lib/engine/files";
import { openPolicy } from "../../lib/policy/bundle";
import { rewardConfig } from "../../lib/reflection/reward-config";
import type { RolloutEngine } from "../../lib/rollout/engine";
import { createTfjsEngine } from "../../lib/rollout/tfjs";
import type { CustomReward } from "../../lib/train/custom-reward";
import { trainGrpo, type GrpoConfig } from "../../lib/train/grpo";
import type { RolloutRow } from "../../lib/train/rollouts";
import { openRun, type Run } from "../../lib/train/run";
import { trainSft } from "../../lib/train/sft";
import type { Completion, Problem } from "../../lib/types";
import { temporaryFolder } from "../policy/fixture";
import {
  allSevens,
  carefulExamples,
  tinyGrpo,
  tinyProblems,
  tinySft,
  writeGuessingPolicy,
} from "./tiny";

describe("a training that must stop", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const folder = join(root, "guesses");
  let problems: Problem[];
  let trial = 0;

  before(async () => {
    await writeGuessingPolicy(folder);
    problems = allSevens(await tinyProblems(16));
  });

  interface Trial {
    config?: Partial<GrpoConfig>;
    rewards?: readonly CustomReward[];
    /** Changes what the engine samples at a step, from 1. */
    sampled?: (step: number, completions: Completion[][]) => Completion[][];
  }
  const openTrial = (number: number): Run =>
    openRun({ root, stage: "grpo", preset: "test", inputs: { number } });

  /** Trains until it stops. @returns the error, the run, and how many tensors are left over */
  async function stops({ config, rewards, sampled = (_step, same) => same }: Trial) {
    const number = trial++;
    const tensors = tf.memory().numTensors;
    const bundle = openPolicy(folder);
    const inner = createTfjsEngine(bundle);
    const engine: RolloutEngine = {
      ...inner,
      rollout: async (asked, request) => {
        const step = Number(String(request.seed).split("/")[1]) + 1;
        return sampled(step, await inner.rollout(asked, request));
      },
    };
    const run = openTrial(number);
    const error = await trainGrpo({
      ...{ bundle, problems, style: "direct", reward: rewardConfig("task-only"), seed: 1 },
      ...{ config: { ...tinyGrpo, saveEvery: 2, ...config }, run, engine, rewards },
    }).then(
      () => assert.fail("it did not stop"),
      (reason: Error) => reason,
    );
    bundle.weights.dispose();
    const files = (name: string): string[] =>
      existsSync(join(run.folder, name)) ? readdirSync(join(run.folder, name)) : [];
    return { error, run, number, files, leaked: tf.memory().numTensors - tensors };
  }

  /** The message's file is the one in the run. */
  function names(error: Error, run: Run, step: number): string {
    assert.ok(error instanceof LabError, error.stack);
    const path = join(run.folder, `failures/step-${step}.jsonl`);
    assert.ok(error.message.includes(`failures/step-${step}.jsonl`), error.message);
    return path;
  }

  it("because of NaN says where, saves the batch, and leaves the last checkpoint alone", async () => {
    // The sampler's word for one token of step 4's third group: infinitely unlikely.
    const { error, run, files, leaked } = await stops({
      sampled: (step, completions) => {
        if (step === 4) completions[2][5].logprobs[1] = -Infinity;
        return completions;
      },
    });
    // Two optimiser steps a batch; the third group is in the second.
    assert.match(
      error.message,
      /^AdamW\.update: the \w+ of optimiser step 8 is not finite, got "NaN"/,
    );
    assert.match(error.message, /Try: a smaller learning rate/);
    assert.match(error.message, /Step 4 is not done; its batch of 16 is in/);
    const rows = readJsonl<RolloutRow>(names(error, run, 4));
    assert.equal(rows.length, 16);
    // JSON knows no infinity.
    const broken = rows.filter(({ tokens }) => tokens.old.includes(null as never));
    assert.deepEqual([broken.length, broken[0].tokens.old.indexOf(null as never)], [1, 1]);
    assert.deepEqual(files("checkpoints"), ["step-2"]);
    assert.equal(leaked, 0);
    // Steps 1 to 3 were logged; the run goes on from the checkpoint.
    assert.deepEqual(
      run.history().map(({ step }) => step),
      [1, 2, 3],
    );
  });

  it("because the gradient explodes says how large it is", async () => {
    const { error, run, leaked } = await stops({ config: { stopGradNorm: 1e-3 } });
    assert.match(
      error.message,
      /the gradient of optimiser step 1 explodes, got [\d.]+, expected a norm of at most stopGradNorm = 0\.001/,
    );
    assert.equal(readJsonl(names(error, run, 1)).length, 16);
    assert.equal(leaked, 0);
  });

  it("because a reward of the user's own fails keeps the last whole step and the sample", async () => {
    let calls = 0;
    const brittle: CustomReward = {
      name: "brittle",
      reward: () => {
        if (++calls > 2 * 32 + 3) throw new RangeError("too many");
        return 0;
      },
    };
    const { error, run, number, files, leaked } = await stops({
      rewards: [brittle],
      config: { saveEvery: 100 },
    });
    assert.match(
      error.message,
      /^reward "brittle": failed \(RangeError: too many\) on completion 4 /,
    );
    assert.match(error.message, /of problem \S+ at step 3\./);
    const [sample] = readJsonl<{ problem: Problem; text: string }>(names(error, run, 3));
    assert.ok(error.message.includes(`problem ${sample.problem.id} at`));
    assert.ok(sample.text.length > 0);
    assert.deepEqual(files("checkpoints"), ["step-2"]);
    assert.equal(openTrial(number).resumedAt, 2);
    assert.equal(leaked, 0);
  });

  it("SFT: saves its batch too", async () => {
    const bundle = openPolicy(folder);
    const run = openRun({ root, stage: "sft", preset: "test", inputs: { stops: true } });
    const examples = carefulExamples(problems);
    await assert.rejects(
      trainSft({ bundle, examples, config: { ...tinySft, stopGradNorm: 1e-6 }, seed: 1, run }),
      /explodes.*Step 1 is not done; its batch of 16 is in/s,
    );
    const saved = readFileSync(join(run.folder, "failures/step-1.jsonl"), "utf8");
    assert.ok(saved.includes(examples[0].problem.id));
    bundle.weights.dispose();
  });
});
