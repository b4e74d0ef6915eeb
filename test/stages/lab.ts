/** What the tests of the stages share: a policy that guesses, problems that it sometimes solves, a place for runs. */
import { join } from "node:path";
import { loadSpec, type Spec } from "../../lib/config";
import { ready } from "../../lib/engine/backend";
import { openPolicy } from "../../lib/policy/bundle";
import { savePolicy } from "../../lib/policy/checkpoint";
import { basePolicy, type PolicyRef, type Watcher } from "../../lib/stages/context";
import { openRun } from "../../lib/train/run";
import { trainSft } from "../../lib/train/sft";
import type { Problem } from "../../lib/types";
import { temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { guessing, tinyProblems } from "../train/tiny";

export const spec: Spec = loadSpec(
  {
    construction: { target: 16, maxNewTokens: 12 },
    sft: { batch: 4, microBatch: 4, saveEvery: 2 },
    grpo: { steps: 4, prompts: 2, maxNewTokens: 12, saveEvery: 2 },
    evaluation: { maxNewTokens: 12, samples: 2 },
  },
  "smoke",
);

export interface TestLab {
  /** Answers 7 or 9, whatever the question. */
  base: PolicyRef;
  /** Sums in the pictures of others: half of them 7, half of them 9. */
  problems: Problem[];
}

/** Makes the policy once for the suite; each of its tests has an empty folder of runs. */
export function testLab(count: number): TestLab {
  const root = temporaryFolder();
  const lab = { problems: [] as Problem[] } as TestLab;
  const before_ = process.env.SRPO_RUNS;
  let trial = 0;
  before(async () => {
    await ready();
    const [untrained, folder] = [join(root, "untrained"), join(root, "guesses")];
    writeTinyPolicy(untrained);
    const drawn = await tinyProblems(16);
    const bundle = openPolicy(untrained);
    const run = openRun({ root, stage: "sft", preset: "test", inputs: {} });
    await trainSft({ bundle, ...guessing(drawn), seed: 1, run });
    savePolicy(bundle, folder, untrained);
    bundle.weights.dispose();
    lab.base = basePolicy(folder);
    lab.problems = Array.from({ length: count }, (_unused, i): Problem => {
      const [a, b, sum] = i % 2 === 0 ? [3, 4, 7] : [5, 4, 9];
      return {
        ...drawn[i % drawn.length],
        ...{ id: `sum-${i}`, question: "How much is it?", answer: String(sum) },
        ...{ answerType: "number", choices: undefined },
        ...{ reading: `The numbers are ${a} and ${b}.`, steps: [`${a}+${b}=${sum}`] },
      };
    });
  });
  beforeEach(() => {
    process.env.SRPO_RUNS = join(root, `runs-${trial++}`);
  });
  after(() => {
    if (before_ === undefined) delete process.env.SRPO_RUNS;
    else process.env.SRPO_RUNS = before_;
  });
  return lab;
}

/** A policy that cannot be opened: a stage that asks it anything fails. */
export const gone = (policy: PolicyRef): PolicyRef => ({ ...policy, folder: "/nowhere" });

/** Writes down what a stage tells, and aborts at a step. */
export function listener(stopAt = Infinity) {
  const heard = {
    total: 0,
    earlier: [] as readonly Record<string, number>[],
    steps: [] as number[],
    ends: [] as (string | undefined)[],
  };
  const controller = new AbortController();
  const watch: Watcher = {
    begin: (total, earlier) => Object.assign(heard, { total, earlier }),
    step: (step) => {
      heard.steps.push(step);
      if (step >= stopAt) controller.abort();
    },
    end: (reason) => void heard.ends.push(reason),
  };
  return { heard, options: { watch, signal: controller.signal } };
}
