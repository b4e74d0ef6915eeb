/**
 * Stage I, first half (paper, section 3.1): the policy answers, its answers are judged, 30 % right and 70 % wrong ones
 * are kept, and a teacher writes a reflection and a second solution for each.
 */
import { join } from "node:path";
import type { Spec } from "../config";
import { jsonlRows, readJsonl, writeJsonl, writingJsonl } from "../engine/files";
import { interruptedAt } from "../engine/interrupt";
import { mapRows, type List } from "../engine/lists";
import { constructInto, type ConstructionOptions } from "../reflection/construction";
import type { ReasoningJudge } from "../reflection/reasoning-judge";
import { toPlainCot, toSharegpt } from "../reflection/records";
import type { Attempt, DropRow } from "../reflection/selection";
import type { Teacher } from "../reflection/teacher";
import { openAttempts } from "../rollout/attempt-file";
import { answerProblems, attemptsOf, type AttemptedProblem } from "../rollout/attempts";
import type { RolloutRequest } from "../rollout/engine";
import { judgeInto } from "../rollout/judging";
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
  /** Read from disk when they are first looked at, as the samples are. */
  readonly attempts: Attempt[];
  readonly samples: ReflectionSample[];
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
 * @param problems what the policy is asked: the embedded SFT set, or what `readSources` has read. They are gone through several
 * times and not held, so that a list that reads them from disk may be of any length
 * @throws TeacherStopped when a budget is used up before the end: the same call goes on with a larger one
 */
export function constructData(
  spec: Spec,
  policy: PolicyRef | ServedPolicy,
  problems: List<Problem>,
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
  const result = (summary: StageResult["summary"], cached: boolean): ConstructionResult => {
    let attempts: Attempt[] | undefined;
    let samples: ReflectionSample[] | undefined;
    return {
      ...{ run, summary, cached },
      get attempts() {
        return (attempts ??= attemptsOf(readJsonl<AttemptedProblem>(file("attempts.jsonl"))));
      },
      get samples() {
        return (samples ??= readJsonl<ReflectionSample>(file("samples.jsonl")));
      },
      dropped: readJsonl<DropRow>(file("dropped.jsonl")),
      rejected: readJsonl<DropRow>(file("rejected.jsonl")),
    };
  };
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return result(run.summary, true);

    // ---- attempts; those that an interrupted run has left are kept
    const answers = file("attempts.jsonl");
    const { unasked } = await withEngine(policy, (engine) =>
      answerProblems(engine, problems, {
        ...attemptRequest(spec, policy, options.attempts),
        batch: CHUNK,
        file: answers,
        signal,
        onBegin: (earlier, total) =>
          options.watch?.begin?.(total, earlier === 0 ? [] : [{ step: earlier }]),
        onProgress: (done, _total, accuracy) => options.watch?.step?.(done, { accuracy }),
      }),
    );

    // ---- the judge's scores, selection, reflections, filters; what a model has said is in its client's cache
    const { dropped, rejected, count } = await interruptedAt(
      "data construction after the attempts",
      signal,
      async () => {
        if (judge !== undefined) {
          await writingJsonl(answers, (keep) =>
            judgeInto(keep, judge.model, jsonlRows<AttemptedProblem>(answers), {
              ...{ concurrency: options.concurrency, signal },
            }),
          );
        }
        let count = 0;
        const report = await writingJsonl(file("samples.jsonl"), async (keep) => {
          const taught = await constructInto(
            (sample) => {
              keep(sample);
              count++;
            },
            openAttempts<AttemptedProblem>(answers, (row) => attemptsOf([row])),
            {
              size: construction.target,
              rightShare: construction.correctShare,
              minQuality: judge?.least,
              teacher,
              policy: `${policy.name} ${policy.hash}`,
              ...{ seed, tries, bounds, mostAlike, concurrency: options.concurrency, signal },
              onSelected: options.onSelected,
              onProgress: options.onLesson,
            },
          );
          if (taught.stopped !== undefined) throw taught.stopped;
          return taught;
        });
        return { ...report, count };
      },
    );
    writeJsonl(file("dropped.jsonl"), dropped);
    writeJsonl(file("rejected.jsonl"), rejected);
    const samples = jsonlRows<ReflectionSample>(file("samples.jsonl"));
    writeJsonl(file("reflection-sft.jsonl"), mapRows(samples, toSharegpt));
    writeJsonl(file("plain-cot-sft.jsonl"), mapRows(samples, toPlainCot));
    const summary = run.finish({
      policy: policy.name,
      ...{ steps: problems.length, samples: count },
      ...(unasked.length === 0 ? {} : { unasked }),
    });
    return result(summary, false);
  });
}
