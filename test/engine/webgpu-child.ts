/**
 * The same small pieces of work on the device that `SRPO_DEVICE` names, in a process of its own:
 *
 *   node webgpu-child.js POLICY ROOT
 *
 * prints a line of JSON ({@link Worked}); the trained policies are left in ROOT.
 */
import { join } from "node:path";
import { ready, tf, type Engine } from "../../lib/engine/backend";
import { openPolicy } from "../../lib/policy/bundle";
import { savePolicy } from "../../lib/policy/checkpoint";
import { checkParity, type ParityResult } from "../../lib/policy/parity";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { createTfjsEngine } from "../../lib/rollout/tfjs";
import { trainGrpo } from "../../lib/train/grpo";
import { openRun } from "../../lib/train/run";
import { trainSft } from "../../lib/train/sft";
import { fixtureCases, loadFixture } from "../policy/fixture";
import { carefulExamples, tinyGrpo, tinyProblems, tinySft } from "../train/tiny";

export interface Worked {
  engine: Engine;
  parity: ParityResult;
  sft: Record<string, number>;
  grpo: Record<string, number>;
  /** Tokens of the rollouts. */
  completions: number[][];
  /** Tensors that a step left behind. */
  leaked: number;
  /** Bytes that the GPU holds, as `tf.memory()` says. */
  gpuBytes: number | undefined;
}

async function main([folder, root]: string[]): Promise<void> {
  const engine = await ready();
  const fixture = loadFixture();
  const [example] = fixtureCases();
  const parity = await checkParity(fixture, { ...example, greedy: example.greedy.slice(0, 3) });
  fixture.weights.dispose();

  const problems = (await tinyProblems(16)).slice(0, 2);
  const bundle = openPolicy(folder);
  const open = (stage: string) => openRun({ root, stage, preset: "test", inputs: {} });
  const before = tf.memory().numTensors;

  let sft: Record<string, number> = {};
  await trainSft({
    bundle,
    examples: carefulExamples(problems),
    config: { ...tinySft, epochs: 1, batch: 2, microBatch: 2 },
    seed: 1,
    run: open("sft"),
    onStep: (_step, metrics) => (sft = metrics),
  });
  savePolicy(bundle, join(root, "sft"), folder);

  let grpo: Record<string, number> = {};
  const completions: number[][] = [];
  await trainGrpo({
    bundle,
    problems,
    style: "direct",
    reward: rewardConfig("task-only"),
    rewardWeight: 0,
    // Of random text this differs within a group, so that there is a gradient.
    rewards: [
      {
        name: "even",
        reward: ({ completion: { ids } }) => {
          completions.push([...ids]);
          return ids.filter((id) => id % 2 === 0).length;
        },
      },
    ],
    config: { ...tinyGrpo, steps: 1, prompts: 2, group: 2, maxNewTokens: 5, microBatch: 2 },
    seed: 1,
    run: open("grpo"),
    engine: createTfjsEngine(bundle),
    onStep: (_step, metrics) => (grpo = metrics),
  });
  savePolicy(bundle, join(root, "grpo"), folder);

  const { numTensors, ...memory } = tf.memory();
  const { numBytesInGPU: gpuBytes } = memory as { numBytesInGPU?: number };
  const leaked = numTensors - before;
  const worked: Worked = { engine, parity, sft, grpo, completions, leaked, gpuBytes };
  process.stdout.write(JSON.stringify(worked));
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.exitCode = 1;
    console.error(error);
  });
}
