/** Stage I, second half: supervised fine-tuning on reflections, or on a control made of the same samples. */
import { join } from "node:path";
import type { Spec } from "../config";
import { readJsonl } from "../engine/files";
import { savePolicy } from "../policy/checkpoint";
import { checkpointOf } from "../policy/peft";
import { loadTokenizer, type Tokenizer } from "../policy/tokenizer";
import {
  toCheckedCot,
  toPlainCot,
  toSharegpt,
  toStepsCot,
  toTwoStep,
  type SharegptRecord,
} from "../reflection/records";
import { sftSteps, trainSft, type SftExample } from "../train/sft";
import type { ReflectionSample } from "../types";
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

/** What is learned from the same samples. */
export interface FinetuneKindInfo {
  /** Of the resulting policy, in tables and figures. */
  name: string;
  style: PolicyRef["style"];
  record: (sample: ReflectionSample) => SharegptRecord;
  /** Whether examples are repeated until they have as many tokens as those of `reflection`. */
  equalTokens?: true;
}

export type FinetuneKind = "reflection" | "plain-cot" | "checked-cot" | "steps-cot" | "two-step";

/**
 * - `reflection`: first solution, reflection, second solution: SRPO's cold start.
 * - `plain-cot`: the problem's exact steps alone, with as many examples and epochs.
 * - `checked-cot`: those steps and the check of them in one solution, all of it right, with as many tokens.
 * - `steps-cot`: what the reflections compute, in one solution, with as many tokens.
 * - `two-step`: the first solution, then the same steps as a second one, without a reflection.
 */
export const FINETUNE_KINDS: Readonly<Record<FinetuneKind, FinetuneKindInfo>> = {
  reflection: { name: "reflection SFT", style: "reflect", record: toSharegpt },
  "plain-cot": { name: "plain-CoT SFT", style: "direct", record: toPlainCot },
  "checked-cot": {
    name: "SFT on careful, checked steps",
    style: "direct",
    record: toCheckedCot,
    equalTokens: true,
  },
  "steps-cot": {
    name: "SFT on the reflections' steps",
    style: "direct",
    record: toStepsCot,
    equalTokens: true,
  },
  "two-step": { name: "two-step SFT", style: "two-step", record: toTwoStep },
};

export interface FinetuneOptions extends StageOptions {
  /** Share of the samples to learn from, from the first on; they are in random order. All by default. */
  share?: number;
}

/** Fine-tunes `from` on the samples of a construction, written as `kind` says. */
export function finetune(
  spec: Spec,
  from: PolicyRef,
  data: ConstructionResult,
  kind: FinetuneKind,
  { share = 1, ...options }: FinetuneOptions = {},
): Promise<TrainingResult> {
  const { name, style, equalTokens } = FINETUNE_KINDS[kind];
  const samples = data.samples.slice(0, Math.round(share * data.samples.length));
  const written = samples.map((sample) => exampleOf(sample, kind));
  const examples =
    equalTokens === undefined
      ? written
      : asManyTokens(
          written,
          samples.map((sample) => exampleOf(sample, "reflection")),
          loadTokenizer(checkpointOf(from.folder)),
        );
  const { firstSolutionMask, gradientCheckpointing, ...sft } = spec.sft;
  const inputs = {
    ...{ policy: from.hash, data: data.run.hash, kind },
    // A setting that is off does not rename the runs without it.
    sft: {
      ...sft,
      ...(firstSolutionMask === "never" ? {} : { firstSolutionMask }),
      ...(gradientCheckpointing ? { gradientCheckpointing } : {}),
    },
    ...(share === 1 ? {} : { share }),
    ...loraInputs(spec),
  };
  const run = openStage(spec, "sft", inputs, options);
  const policy = trainedPolicy(run, name, style);
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

function exampleOf(sample: ReflectionSample, kind: FinetuneKind): SftExample {
  const { style, record } = FINETUNE_KINDS[kind];
  const { messages } = record(sample);
  return {
    problem: sample.problem,
    style,
    text: messages[messages.length - 1].content,
    // The filters let no second answer pass that is not the gold answer.
    ...(kind === "reflection" ? { transition: sample.verdict.correct ? "RR" : "WR" } : {}),
  };
}

/** The examples again and again until they have as many tokens as `model` has, to within an example. */
export function asManyTokens(
  examples: readonly SftExample[],
  model: readonly SftExample[],
  { countTokens }: Pick<Tokenizer, "countTokens">,
): SftExample[] {
  const wanted = model.reduce((sum, { text }) => sum + countTokens(text), 0);
  const repeated: SftExample[] = [];
  let tokens = 0;
  for (let i = 0; examples.length > 0; i++) {
    const next = examples[i % examples.length];
    const size = countTokens(next.text);
    // The last one is taken where that comes closer.
    if (size === 0 || tokens + size / 2 > wanted) break;
    repeated.push(next);
    tokens += size;
  }
  return repeated;
}

/** What an interrupted attempt had logged, for the curves that go on. */
export function earlierMetrics(folder: string, resumedAt: number): Record<string, number>[] {
  return resumedAt === 0 ? [] : readJsonl<Record<string, number>>(join(folder, "metrics.jsonl"));
}
