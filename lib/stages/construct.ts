/**
 * Stage I, first half (paper, section 3.1): the policy answers, its answers are judged, 30 % right and 70 % wrong ones
 * are kept, and a teacher writes a reflection and a second solution for each.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "../config";
import { appendJsonl, readJsonl, writeJsonl } from "../engine/files";
import { interrupted, interruptedAt } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { constructSamples } from "../reflection/construction";
import { judge } from "../reflection/equality";
import { toPlainCot, toSharegpt } from "../reflection/records";
import type { Attempt, DropRow } from "../reflection/selection";
import type { Teacher } from "../reflection/teacher";
import { parseResponse } from "../reflection/template";
import type { Problem, ReflectionSample } from "../types";
import {
  openStage,
  supervise,
  withEngine,
  type PolicyRef,
  type StageOptions,
  type StageResult,
} from "./context";
import { setIdentity } from "./problems";

export interface ConstructionResult extends StageResult {
  attempts: Attempt[];
  samples: ReflectionSample[];
  dropped: DropRow[];
}

/** Problems that are answered at once; their answers are on disk afterwards. */
const CHUNK = 128;

/**
 * Writes `attempts.jsonl`, `samples.jsonl`, and as LLaMA-Factory reads them `reflection-sft.jsonl` and
 * `plain-cot-sft.jsonl`, into the run's folder.
 * @param problems what the policy is asked; the SFT set
 */
export function constructData(
  spec: Spec,
  policy: PolicyRef,
  problems: readonly Problem[],
  teacher: Teacher,
  options: StageOptions = {},
): Promise<ConstructionResult> {
  const { construction, seed } = spec;
  const run = openStage(
    spec,
    "construct",
    { policy: policy.hash, teacher: teacher.name, construction, ...setIdentity(spec, "sft") },
    options,
  );
  const file = (name: string): string => join(run.folder, name);
  const result = (summary: StageResult["summary"], cached: boolean): ConstructionResult => ({
    run,
    summary,
    cached,
    attempts: readJsonl<Attempt>(file("attempts.jsonl")),
    samples: readJsonl<ReflectionSample>(file("samples.jsonl")),
    dropped: readJsonl<DropRow>(file("dropped.jsonl")),
  });
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return result(run.summary, true);

    // ---- attempts; those that an interrupted run has left are kept
    const earlier = existsSync(file("attempts.jsonl"))
      ? readJsonl<Attempt>(file("attempts.jsonl"))
      : [];
    // A line that a crash cut short would swallow the one appended to it.
    if (earlier.length > 0) writeJsonl(file("attempts.jsonl"), earlier);
    const answered = new Set(earlier.map(({ problem }) => problem.id));
    const open = problems.filter(({ id }) => !answered.has(id));
    options.watch?.begin?.(problems.length, earlier.length === 0 ? [] : [{ step: earlier.length }]);
    await withEngine(policy, async (engine) => {
      let done = earlier.length;
      let right = earlier.filter(({ verdict }) => verdict.correct).length;
      for (const part of chunk(open, CHUNK)) {
        const where = `data construction at problem ${done} of ${problems.length}`;
        const completions = await interruptedAt(where, signal, () =>
          engine.rollout(part, {
            style: "direct",
            group: 1,
            maxNewTokens: construction.maxNewTokens,
            temperature: construction.temperature,
            seed: `construct/${seed}`,
            batch: CHUNK,
            signal,
          }),
        );
        part.forEach((problem, i) => {
          const { text, truncated } = completions[i][0];
          const verdict = judge(parseResponse(text).first.answer, problem);
          appendJsonl(file("attempts.jsonl"), { problem, text, verdict, truncated });
          if (verdict.correct) right++;
        });
        done += part.length;
        options.watch?.step?.(done, { accuracy: right / done });
        if (signal.aborted && done < problems.length) {
          throw interrupted(`data construction at problem ${done} of ${problems.length}`);
        }
      }
    });

    // ---- selection, reflections, filters
    const { samples, dropped } = await constructSamples({
      attempts: readJsonl<Attempt>(file("attempts.jsonl")),
      size: construction.target,
      rightShare: construction.correctShare,
      teacher,
      policy: `${policy.name} ${policy.hash}`,
      seed,
      signal,
    });
    writeJsonl(file("dropped.jsonl"), dropped);
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
      steps: problems.length,
      samples: samples.length,
    });
    return result(summary, false);
  });
}
