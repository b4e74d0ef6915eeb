/**
 * One training in a process of its own, so that it can be killed, on one thread:
 *
 *   node training.js sft|grpo|grpo-20|grpo-lora POLICY ROOT [HOW STEP]
 *
 * HOW `stop` aborts after the step as Ctrl-C does (exit status 130), `stop-sampling` while its rollouts are sampled, `die` ends
 * the process after the step by SIGKILL, `die-saving` when its checkpoint is written but not yet in its place.
 */
import { join } from "node:path";
import { ready } from "../../lib/engine/backend";
import { Interrupted } from "../../lib/engine/interrupt";
import { openPolicy, policyToTrain } from "../../lib/policy/bundle";
import { savePolicy } from "../../lib/policy/checkpoint";
import { rewardConfig } from "../../lib/reflection/reward-config";
import type { RolloutEngine } from "../../lib/rollout/engine";
import { createLocalEngine } from "../../lib/rollout/local";
import { trainGrpo } from "../../lib/train/grpo";
import { openRun, type Run } from "../../lib/train/run";
import { trainSft } from "../../lib/train/sft";
import { allSevens, carefulExamples, tinyGrpo, tinyProblems, tinySft } from "./tiny";

async function main([kind, folder, root, how = "", at = ""]: string[]): Promise<void> {
  await ready();
  const lora = { rank: kind === "grpo-lora" ? 4 : 0, alpha: 8, targets: ["q_proj", "down_proj"] };
  const bundle = policyToTrain(openPolicy(folder), lora, 1);
  const problems = await tinyProblems(16);
  const controller = new AbortController();
  const { signal } = controller;
  const die = (): void => void process.kill(process.pid, "SIGKILL");
  const onStep = (step: number): void => {
    if (step !== Number(at)) return;
    if (how === "die") die();
    if (how === "stop") controller.abort();
  };
  const opened = openRun({ root, stage: kind, preset: "test", inputs: {} });
  const run: Run = {
    ...opened,
    checkpoint: (step, write) =>
      opened.checkpoint(step, (aside) => {
        write(aside);
        if (how === "die-saving" && step === Number(at)) die();
      }),
  };
  // Six steps, or 20, with checkpoints at every second; an epoch ends at step 3 or 4.
  if (kind === "sft") {
    const config = {
      ...tinySft,
      epochs: 2,
      batch: 4,
      microBatch: 3,
      evalShare: 0.25,
      evalEvery: 3,
    };
    const examples = carefulExamples(problems);
    await trainSft({ bundle, examples, config, seed: 1, run, onStep, signal });
  } else {
    const reward = rewardConfig("task-only");
    // Slow enough to have something left to learn at the end.
    const steps = kind === "grpo-20" ? 20 : 6;
    // Adapters begin with nothing, and their reference is the policy without them.
    const [learningRate, beta] = kind === "grpo-lora" ? [3e-3, 0.02] : [3e-4, 0];
    const config = { ...tinyGrpo, steps, learningRate, beta, logRolloutsEvery: 1 };
    const inner = createLocalEngine(bundle);
    const engine: RolloutEngine = {
      ...inner,
      rollout: (asked, request) => {
        const sampling = request.seed === `1/${Number(at) - 1}`;
        if (how === "stop-sampling" && sampling) setImmediate(() => controller.abort());
        return inner.rollout(asked, request);
      },
    };
    const common = { bundle, config, seed: 1, run, onStep, signal, reward, engine };
    await trainGrpo({ ...common, problems: allSevens(problems), style: "direct" });
    await engine.close();
  }
  savePolicy(bundle, join(run.folder, "policy"), folder);
  run.finish({ steps: 6 });
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.exitCode = error instanceof Interrupted ? 130 : 1;
    console.error(error);
  });
}
