/** A policy and problems small enough to train within a test. */
import { loadSpec } from "../../lib/config";
import { ready } from "../../lib/engine/backend";
import { openPolicy, type PolicyBundle } from "../../lib/policy/bundle";
import { savePolicy } from "../../lib/policy/checkpoint";
import { loadProblems } from "../../lib/stages/problems";
import type { GrpoConfig } from "../../lib/train/grpo";
import { openRun } from "../../lib/train/run";
import { trainSft, type SftConfig, type SftExample } from "../../lib/train/sft";
import type { Problem } from "../../lib/types";
import { writeTinyPolicy } from "../policy/fixture";

const smoke = loadSpec({}, "smoke");

export const tinySft: SftConfig = {
  ...smoke.sft,
  ...{ epochs: 6, batch: 16, microBatch: 16, learningRate: 1e-2, warmup: 0, evalShare: 0 },
};

export const tinyGrpo: GrpoConfig = {
  ...smoke.grpo,
  ...{ steps: 6, prompts: 4, group: 8, maxNewTokens: 12, learningRate: 3e-3, warmupSteps: 1 },
};

/** Problems with their pictures. */
export function tinyProblems(count: number): Promise<Problem[]> {
  return loadProblems({ problems: { ...smoke.problems, sft: count } }, "sft");
}

/** What a careful solver writes: the reading, the steps and the answer. */
export function carefulExamples(problems: readonly Problem[]): SftExample[] {
  return problems.map((problem) => {
    const think = [problem.reading, ...(problem.steps ?? [])].join(" ");
    const text = `<think>${think}</think><answer>${problem.answer}</answer>`;
    return { problem, style: "direct", text };
  });
}

/** The problems with the answer 7 to all of them. */
export function allSevens(problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => ({
    ...problem,
    answer: "7",
    answerType: "number",
    choices: undefined,
  }));
}

/**
 * Settings and examples that make a policy of random weights guess: a form that it can learn by heart in 40 steps, and an
 * answer that is right every other time.
 */
export function guessing(problems: readonly Problem[]): {
  config: SftConfig;
  examples: SftExample[];
} {
  return {
    config: { ...tinySft, epochs: 40, learningRate: 3e-2, warmup: 0.2, saveEvery: 100 },
    examples: problems.map((problem, i) => ({
      problem,
      style: "direct",
      text: `<think>so</think><answer>${i % 2 === 0 ? 7 : 9}</answer>`,
    })),
  };
}

/** Trains such a policy into `folder`; the start is random and always the same. */
export async function writeGuessingPolicy(folder: string): Promise<void> {
  await ready();
  const untrained = `${folder}-untrained`;
  writeTinyPolicy(untrained);
  const bundle = openPolicy(untrained);
  const run = openRun({ root: `${folder}-runs`, stage: "sft", preset: "test", inputs: {} });
  await trainSft({ bundle, ...guessing(await tinyProblems(16)), seed: 1, run });
  savePolicy(bundle, folder, untrained);
  bundle.weights.dispose();
}

/** Copies of the parameters whose names begin so. */
export function snapshot({ weights }: PolicyBundle, prefix = ""): Map<string, Float32Array> {
  const names = weights.names.filter((name) => name.startsWith(prefix));
  return new Map(names.map((name) => [name, weights.get(name).dataSync<"float32">().slice()]));
}
