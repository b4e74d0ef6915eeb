/** Supervised fine-tuning of the embedded policy on its own problems and their worked solutions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSpec } from "../config";
import { basePolicyFolder } from "../paths";
import { openPolicy } from "../policy/bundle";
import { renderSolution } from "../reflection/template";
import { createPromptCache } from "../rollout/prepare";
import { loadProblems } from "../stages/problems";
import { openRun } from "../train/run";
import { trainSft, type SftExample } from "../train/sft";

export interface SftWork {
  /** Examples an update. */
  batch: number;
  /** Updates that are timed, after two that are not. */
  steps: number;
}

const WARM_UP = 2;

/** Each update's seconds and tokens, prompts' included. Pictures have been through the tower before. */
export async function sftSteps({
  batch,
  steps,
}: SftWork): Promise<{ s: number; tokens: number }[]> {
  const { problems, sft } = loadSpec({}, "small");
  const count = batch * (WARM_UP + steps);
  const chosen = await loadProblems({ problems: { ...problems, sft: count } }, "sft");
  const examples = chosen.map((problem): SftExample => {
    const think = [problem.reading, ...(problem.steps ?? [])].join(" ");
    return { problem, style: "direct", text: renderSolution({ think, answer: problem.answer }) };
  });
  const bundle = openPolicy(basePolicyFolder);
  const prompts = createPromptCache(bundle);
  const root = mkdtempSync(join(tmpdir(), "srpo-perf-"));
  const taken: { s: number; tokens: number }[] = [];
  let seen = 0;
  try {
    await prompts.prepare(chosen, "direct");
    await trainSft({
      bundle,
      examples,
      config: { ...sft, epochs: 1, batch, microBatch: batch, evalShare: 0, saveEvery: count },
      seed: 1,
      run: openRun({ root, stage: "perf", preset: "sft", inputs: {} }),
      prompts,
      onStep: (_step, { step_time, num_tokens }) => {
        taken.push({ s: step_time, tokens: num_tokens - seen });
        seen = num_tokens;
      },
    });
  } finally {
    bundle.weights.dispose();
    rmSync(root, { recursive: true, force: true });
  }
  return taken.slice(WARM_UP);
}
