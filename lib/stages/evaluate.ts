/** Evaluation on a problem set: one greedy answer a problem, and samples at temperature 1. */
import { join } from "node:path";
import { accuracyReport, type AccuracyReport, type JudgedRow } from "../bench/report";
import type { Spec } from "../config";
import { readJsonl, writeJsonl } from "../engine/files";
import { interruptedAt } from "../engine/interrupt";
import { chunk } from "../engine/lists";
import { judge } from "../reflection/equality";
import { parseResponse } from "../reflection/template";
import { transitionOf } from "../reflection/transitions";
import type { Completion, Problem } from "../types";
import {
  openStage,
  supervise,
  withEngine,
  type PolicyRef,
  type StageOptions,
  type StageResult,
} from "./context";
import { setIdentity, type SetName } from "./problems";

/** One judged answer. */
export interface EvaluationRow extends JudgedRow {
  problem: string;
  text: string;
  truncated: boolean;
}

export interface EvaluationResult extends StageResult {
  policy: PolicyRef;
  set: SetName;
  /** In the problems' order. */
  greedy: EvaluationRow[];
  /** `evaluation.samples` rows a problem, in the problems' order. */
  sampled: EvaluationRow[];
  /** Accuracies of the final answers with 95 % intervals. */
  report: { greedy: AccuracyReport; sampled: AccuracyReport };
}

/** Problems that are answered at once. */
const CHUNK = 128;

/** @param set names the problems; they must be those of the spec's set */
export function evaluate(
  spec: Spec,
  policy: PolicyRef,
  problems: readonly Problem[],
  set: SetName,
  options: StageOptions = {},
): Promise<EvaluationResult> {
  const { evaluation, seed } = spec;
  const inputs = {
    policy: policy.hash,
    style: policy.style,
    evaluation,
    ...setIdentity(spec, set),
  };
  const run = openStage(spec, "eval", inputs, options);
  const file = (name: string): string => join(run.folder, `${name}.jsonl`);
  const result = (summary: StageResult["summary"], cached: boolean): EvaluationResult => {
    const greedy = readJsonl<EvaluationRow>(file("greedy"));
    const sampled = readJsonl<EvaluationRow>(file("sampled"));
    const report = { greedy: accuracyReport(greedy), sampled: accuracyReport(sampled) };
    return { run, policy, set, summary, cached, greedy, sampled, report };
  };
  return supervise(options, async (signal) => {
    if (run.summary !== undefined) return result(run.summary, true);
    options.watch?.begin?.(2 * problems.length, []);
    await withEngine(policy, async (engine) => {
      let done = 0;
      for (const mode of ["greedy", "sampled"] as const) {
        const rows: EvaluationRow[] = [];
        for (const part of chunk(problems, CHUNK)) {
          const where = `evaluation at problem ${done} of ${problems.length}`;
          const completions = await interruptedAt(where, signal, () =>
            engine.rollout(part, {
              style: policy.style,
              group: mode === "greedy" ? 1 : evaluation.samples,
              maxNewTokens: evaluation.maxNewTokens,
              temperature: mode === "greedy" ? 0 : 1,
              seed: `evaluate/${seed}`,
              batch: CHUNK,
              signal,
            }),
          );
          part.forEach((problem, i) =>
            rows.push(...completions[i].map((c) => judgeRow(problem, c))),
          );
          done += part.length;
          options.watch?.step?.(done, {
            accuracy: rows.filter(({ correct }) => correct).length / rows.length,
          });
        }
        writeJsonl(file(mode), rows);
      }
    });
    const { accuracy } = accuracyReport(readJsonl<EvaluationRow>(file("greedy"))).overall;
    const summary = run.finish({ policy: policy.name, steps: problems.length, accuracy });
    return result(summary, false);
  });
}

function judgeRow(
  problem: Problem,
  { text, truncated, ids, tokenCount }: Completion,
): EvaluationRow {
  const response = parseResponse(text, { truncated });
  const first = judge(response.first.answer, problem).correct;
  const second =
    response.second.answer === null ? null : judge(response.second.answer, problem).correct;
  return {
    problem: problem.id,
    family: problem.family,
    text,
    truncated,
    tokens: tokenCount ?? ids.length,
    correct: second ?? first,
    firstCorrect: first,
    ...(second === null ? {} : { secondCorrect: second }),
    transition: transitionOf(first, second),
  };
}
