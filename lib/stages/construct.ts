/**
 * Stage I, first half (paper, section 3.1): the policy answers, its answers are judged, 30 % right and 70 % wrong ones
 * are kept, and a teacher writes a reflection and a second solution for each.
 */
import { join } from "node:path";
import type { Spec } from "../config";
import { readJsonl, writeJsonl } from "../engine/files";
import { interruptedAt } from "../engine/interrupt";
import { constructSamples, type ConstructionOptions } from "../reflection/construction";
import type { ReasoningJudge } from "../reflection/reasoning-judge";
import { toPlainCot, toSharegpt } from "../reflection/records";
import type { Attempt, DropRow } from "../reflection/selection";
import type { Teacher } from "../reflection/teacher";
import { attemptsOf, collectAttempts, type AttemptedProblem } from "../rollout/attempts";
import type { RolloutRequest } from "../rollout/engine";
import { judgeAttempts } from "../rollout/judging";
import type { Problem, ReflectionSample } from "../types";
import {
  openStage,
  supervise,
  withEngine,
  type PolicyRef,
  type ServedPolicy,
  type StageOptions,
  type StageResult,
} from "./context";
import { problemsIdentity } from "./problems";

export interface ConstructOptions
  extends
    StageOptions,
    Pick<ConstructionOptions, "tries" | "bounds" | "mostAlike" | "concurrency" | "onSelected"> {
  /** Answers a problem; 1 unless told otherwise. */
  attempts?: number;
  /** Scores the reasoning of every attempt before the selection, which leaves out what is below the least score. */
  judge?: { model: ReasoningJudge; least: number };
  /** Hears of lessons that are done. */
  onLesson?: (done: number, total: number) => void;
}

export interface ConstructionResult extends StageResult {
  attempts: Attempt[];
  samples: ReflectionSample[];
  dropped: DropRow[];
  /** Teachings that a filter sent back, also those that were repeated with success. */
  rejected: DropRow[];
}

/** Problems that are answered at once; their answers are on disk afterwards. */
const CHUNK = 128;

/** How the policy is asked. @param attempts answers a problem */
export function attemptRequest(
  { construction, seed }: Spec,
  policy: PolicyRef | ServedPolicy,
  attempts = 1,
): RolloutRequest {
  return {
    style: "engine" in policy ? policy.style : "direct",
    group: attempts,
    maxNewTokens: construction.maxNewTokens,
    temperature: construction.temperature,
    seed: `construct/${seed}`,
  };
}

/**
 * Writes `attempts.jsonl`, `samples.jsonl`, and as LLaMA-Factory reads them `reflection-sft.jsonl` and
 * `plain-cot-sft.jsonl`, into the run's folder.
 * @param policy of this lab, or one behind a server
 * @param problems what the policy is asked: the embedded SFT set, or what `readSources` has read
 * @throws TeacherStopped when a budget is used up before the end: the same call goes on with a larger one
 */
export function constructData(
  spec: Spec,
  policy: PolicyRef | ServedPolicy,
  problems: readonly Problem[],
  teacher: Teacher,
  options: ConstructOptions = {},
): Promise<ConstructionResult> {
  const { construction, seed } = spec;
  const { tries, bounds, mostAlike, judge } = options;
  const inputs = {
    ...{ policy: policy.hash, teacher: teacher.name, construction, ...problemsIdentity(problems) },
    // Left out where they are not used, so that they do not rename the runs without them.
    ...{ teacherSettings: teacher.settings, tries, bounds, mostAlike, attempts: options.attempts },
    judge: judge && { name: judge.model.name, settings: judge.model.settings, least: judge.least },
  };
  const run = openStage(spec, "construct", inputs, options);
  const file = (name: string): string => join(run.folder, name);
  const result = (summary: StageResult["summary"], cached: boolean): ConstructionResult => ({
    run,
    summary,
    cached,
    attempts: attemptsOf(readJsonl<AttemptedProblem>(file("attempts.jsonl"))),
    samples: readJsonl<ReflectionSample>(file("samples.jsonl")),
    dropped: readJsonl<DropRow>(file("dropped.jsonl")),
    rejected: readJsonl<DropRow>(file("rejected.jsonl")),
  });
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return result(run.summary, true);

    // ---- attempts; those that an interrupted run has left are kept
    const { attempted, unasked } = await withEngine(policy, (engine) =>
      collectAttempts(engine, problems, {
        ...attemptRequest(spec, policy, options.attempts),
        batch: CHUNK,
        file: file("attempts.jsonl"),
        signal,
        onBegin: (earlier, total) =>
          options.watch?.begin?.(total, earlier === 0 ? [] : [{ step: earlier }]),
        onProgress: (done, _total, accuracy) => options.watch?.step?.(done, { accuracy }),
      }),
    );

    // ---- the judge's scores, selection, reflections, filters; what a model has said is in its client's cache
    const { samples, dropped, rejected, stopped } = await interruptedAt(
      "data construction after the attempts",
      signal,
      async () => {
        const scored = judge && (await judgeAttempts(judge.model, attempted, { signal }));
        if (scored !== undefined) writeJsonl(file("attempts.jsonl"), scored.rows);
        return constructSamples({
          attempts: attemptsOf(scored?.rows ?? attempted),
          size: construction.target,
          rightShare: construction.correctShare,
          minQuality: judge?.least,
          teacher,
          policy: `${policy.name} ${policy.hash}`,
          ...{ seed, tries, bounds, mostAlike, concurrency: options.concurrency, signal },
          onSelected: options.onSelected,
          onProgress: options.onLesson,
        });
      },
    );
    if (stopped !== undefined) throw stopped;
    writeJsonl(file("dropped.jsonl"), dropped);
    writeJsonl(file("rejected.jsonl"), rejected);
    writeJsonl(
      file("reflection-sft.jsonl"),
      samples.map((sample) => toSharegpt(sample)),
    );
    writeJsonl(
      file("plain-cot-sft.jsonl"),
      samples.map((sample) => toPlainCot(sample)),
    );
    writeJsonl(file("samples.jsonl"), samples);
    const summary = run.finish({
      policy: policy.name,
      ...{ steps: problems.length, samples: samples.length },
      ...(unasked.length === 0 ? {} : { unasked }),
    });
    return result(summary, false);
  });
}
