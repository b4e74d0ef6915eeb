/** Stage I, second half: supervised fine-tuning on reflections, or on the plain-CoT control of the same problems. */
import { join } from "node:path";
import type { Spec } from "../config";
import { readJsonl } from "../engine/files";
import { savePolicy } from "../policy/checkpoint";
import { checkpointOf } from "../policy/peft";
import { loadTokenizer } from "../policy/tokenizer";
import { toPlainCot, toSharegpt } from "../reflection/records";
import { sftSteps, trainSft, type SftExample } from "../train/sft";
import type { ConstructionResult } from "./construct";
import {
  loraInputs,
  openStage,
  supervise,
  trainedPolicy,
  withPolicyToTrain,
  type PolicyRef,
  type StageOptions,
  type StageResult,
} from "./context";
import { checkMemory, type TrainingWork } from "./memory";

export interface TrainingResult extends StageResult {
  policy: PolicyRef;
}

/**
 * @param kind `reflection`: first solution, reflection, second solution; `plain-cot`: the teacher's careful steps alone,
 * with as many examples and epochs
 */
export function finetune(
  spec: Spec,
  from: PolicyRef,
  data: ConstructionResult,
  kind: "reflection" | "plain-cot",
  options: StageOptions = {},
): Promise<TrainingResult> {
  const examples: SftExample[] = data.samples.map((sample) => {
    const { messages } = kind === "reflection" ? toSharegpt(sample) : toPlainCot(sample);
    return {
      problem: sample.problem,
      style: kind === "reflection" ? "reflect" : "direct",
      text: messages[messages.length - 1].content,
      // The filters let no second answer pass that is not the gold answer.
      ...(kind === "reflection" ? { transition: sample.verdict.correct ? "RR" : "WR" } : {}),
    };
  });
  const { firstSolutionMask, gradientCheckpointing, ...sft } = spec.sft;
  const inputs = {
    ...{ policy: from.hash, data: data.run.hash, kind },
    // A setting that is off does not rename the runs without it.
    sft: {
      ...sft,
      ...(firstSolutionMask === "never" ? {} : { firstSolutionMask }),
      ...(gradientCheckpointing ? { gradientCheckpointing } : {}),
    },
    ...loraInputs(spec),
  };
  const run = openStage(spec, "sft", inputs, options);
  const name = kind === "reflection" ? "reflection SFT" : "plain-CoT SFT";
  const policy = trainedPolicy(run, name, kind === "reflection" ? "reflect" : "direct");
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return { run, policy, summary: run.summary, cached: true };
    await checkMemory(spec, from, sftWork(examples, from), options);
    const steps = sftSteps(examples.length, spec.sft);
    options.watch?.begin?.(steps, earlierMetrics(run.folder, run.resumedAt));
    return withPolicyToTrain(from, spec, async (bundle) => {
      await trainSft({
        bundle,
        examples,
        config: spec.sft,
        seed: spec.seed,
        run,
        onStep: options.watch?.step,
        signal,
      });
      savePolicy(bundle, policy.folder, from.folder);
      return {
        run,
        policy,
        summary: run.finish({ policy: name, steps, examples: examples.length }),
        cached: false,
      };
    });
  });
}

function sftWork(examples: readonly SftExample[], { folder }: PolicyRef): TrainingWork {
  const { countTokens } = loadTokenizer(checkpointOf(folder));
  const lengths = examples.map(({ text }) => countTokens(text) + 1);
  return {
    stage: "sft",
    problems: examples.map(({ problem }) => problem),
    style: examples[0]?.style ?? "direct",
    completionTokens: lengths.reduce((most, length) => Math.max(most, length), 0),
  };
}

/** What an interrupted attempt had logged, for the curves that go on. */
export function earlierMetrics(folder: string, resumedAt: number): Record<string, number>[] {
  return resumedAt === 0 ? [] : readJsonl<Record<string, number>>(join(folder, "metrics.jsonl"));
}
