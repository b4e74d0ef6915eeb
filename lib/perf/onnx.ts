/** ONNX Runtime against tfjs on the same policy and problems: whether they write the same tokens, and how fast. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeEngine } from "../engine/backend";
import { fault } from "../engine/errors";
import { fusedOps } from "../engine/fused";
import { basePolicyFolder } from "../paths";
import { openPolicy, type PolicyBundle } from "../policy/bundle";
import type { RolloutEngine, RolloutRequest } from "../rollout/engine";
import { exportOnnx } from "../rollout/onnx/export";
import { openOnnxEngine, type OnnxEngine, type OpenOnnxOptions } from "../rollout/onnx/open";
import { createTfjsEngine } from "../rollout/tfjs";
import { loadProblems } from "../stages/problems";
import type { Problem } from "../types";

export interface OnnxTrial {
  bundle: PolicyBundle;
  problems: readonly Problem[];
  onnx: OnnxEngine;
}

/** Exports the policy to a folder of its own, opens it, and hands both to `work`. The folder goes afterwards. */
export async function withOnnxTrial<T>(
  bundle: PolicyBundle,
  { prompts, ...options }: OpenOnnxOptions & { prompts: number },
  work: (trial: OnnxTrial) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "srpo-onnx-"));
  try {
    exportOnnx(bundle, folder);
    const onnx = await openOnnxEngine(folder, options);
    try {
      const counts = { seed: 1, sft: 0, rl: 0, ood: 0, test: prompts };
      return await work({
        bundle,
        onnx,
        problems: await loadProblems({ problems: counts }, "test"),
      });
    } finally {
      await onnx.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const greedy = (maxNewTokens: number, batch: number): RolloutRequest => ({
  ...{ style: "direct", group: 1, temperature: 0, seed: 0 },
  ...{ maxNewTokens, batch },
});

export interface GreedyCheck {
  prompts: number;
  /** Prompts whose greedy tokens are the same, all of them. */
  equal: number;
  tokens: number;
  /** Of equal tokens, the largest difference of log-probabilities. */
  maxAbsLogprob: number;
  /** Problems whose tokens differ. */
  different: string[];
}

/** Compares the greedy tokens of every problem. */
export async function checkGreedy(
  { bundle, onnx, problems }: OnnxTrial,
  { newTokens = 64, batch = 32 }: { newTokens?: number; batch?: number } = {},
): Promise<GreedyCheck> {
  const request = greedy(newTokens, batch);
  const found = await onnx.rollout(problems, request);
  const expected = await createTfjsEngine(bundle).rollout(problems, request);
  const different: string[] = [];
  let [tokens, maxAbsLogprob] = [0, 0];
  found.forEach(([ours], i) => {
    const [theirs] = expected[i];
    tokens += theirs.ids.length;
    if (ours.ids.join() !== theirs.ids.join()) return void different.push(problems[i].id);
    ours.logprobs.forEach((value, t) => {
      maxAbsLogprob = Math.max(maxAbsLogprob, Math.abs(value - theirs.logprobs[t]));
    });
  });
  const equal = problems.length - different.length;
  return { prompts: problems.length, equal, tokens, maxAbsLogprob, different };
}

/** {@link measureDecode} of the embedded policy, both engines on as many threads. */
export async function onnxDecode(options: {
  batches: readonly number[];
  newTokens: number;
  repeats: number;
}): Promise<DecodeSpeed[]> {
  const bundle = openPolicy(basePolicyFolder);
  try {
    const trial = { prompts: Math.max(...options.batches), threads: describeEngine().threads };
    return await withOnnxTrial(bundle, trial, (opened) => measureDecode(opened, options));
  } finally {
    bundle.weights.dispose();
  }
}

export interface DecodeSpeed {
  engine: string;
  /** Prompts at once. */
  batch: number;
  tokens: number;
  /** Seconds of every repetition. */
  seconds: number[];
  /** Seconds of the fastest repetition. */
  s: number;
  tok_per_s: number;
  /** How many times as fast as tfjs in its own operations at this batch. */
  times_tfjs: number;
}

/** tfjs as it is, and with the lab's fused operations where they are there: two engines as to speed. */
function tfjsEngines(bundle: PolicyBundle): RolloutEngine[] {
  const engine = createTfjsEngine(bundle);
  if (fusedOps() === undefined) return [engine];
  const plain: RolloutEngine["rollout"] = async (problems, request) => {
    const before = process.env.SRPO_FUSED;
    process.env.SRPO_FUSED = "0";
    try {
      return await engine.rollout(problems, request);
    } finally {
      if (before === undefined) delete process.env.SRPO_FUSED;
      else process.env.SRPO_FUSED = before;
    }
  };
  return [
    { ...engine, rollout: plain },
    { ...engine, name: "tfjs, fused" },
  ];
}

/**
 * Times greedy completions, prefill included; pictures have been through the tower before. The engines take turns, and the
 * fastest of the repetitions counts: whatever else the machine does only ever adds time.
 */
export async function measureDecode(
  { bundle, onnx, problems }: OnnxTrial,
  {
    batches,
    newTokens,
    repeats,
  }: { batches: readonly number[]; newTokens: number; repeats: number },
): Promise<DecodeSpeed[]> {
  const engines: RolloutEngine[] = [...tfjsEngines(bundle), onnx];
  const rows: DecodeSpeed[] = [];
  for (const batch of batches) {
    if (batch > problems.length) {
      throw fault("measureDecode", "more prompts at once than there are", {
        got: batch,
        expected: `${problems.length} at most`,
      });
    }
    const seconds = engines.map((): number[] => []);
    const tokens = engines.map(() => 0);
    // The first round warms up and is not counted.
    for (let round = 0; round <= repeats; round++) {
      for (const [e, engine] of engines.entries()) {
        const begun = performance.now();
        const rollouts = await engine.rollout(problems.slice(0, batch), greedy(newTokens, batch));
        const taken = (performance.now() - begun) / 1000;
        tokens[e] = rollouts.reduce((sum, [{ ids }]) => sum + ids.length, 0);
        if (round > 0) seconds[e].push(taken);
      }
    }
    const fastest = seconds.map((taken) => Math.min(...taken));
    engines.forEach(({ name: engine }, e) =>
      rows.push({
        ...{ engine, batch, tokens: tokens[e], seconds: seconds[e], s: fastest[e] },
        ...{ tok_per_s: tokens[e] / fastest[e], times_tfjs: fastest[0] / fastest[e] },
      }),
    );
  }
  return rows;
}
