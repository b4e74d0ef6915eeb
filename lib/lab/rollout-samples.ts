/** Rollouts that a run has written down: as rows, as a table, and as samples that the viewer shows. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fault } from "../engine/errors";
import { readJsonl } from "../engine/files";
import { parseResponse } from "../reflection/template";
import type { RolloutRow } from "../train/rollouts";
import type { Problem } from "../types";
import { readRun, type Run } from "./runs";
import type { Row } from "./tables";
import type { ClipRule } from "./token-cells";
import type { Sample } from "./viewer";

/** A rollout with the rule by which its run's loss clips. */
export type LoggedRollout = RolloutRow & { rule: ClipRule };

/**
 * The rollouts of one step, best paid first.
 * @param step the one that was written down last unless told otherwise; `grpo.logRolloutsEvery` says which are
 * @throws LabError naming the steps that there are
 */
export function readRollouts(run: Run | string, { step }: { step?: number } = {}): LoggedRollout[] {
  const { folder, spec } = typeof run === "string" ? readRun(run) : run;
  const file = join(folder, "rollouts.jsonl");
  const rows = existsSync(file) ? readJsonl<RolloutRow>(file) : [];
  const wanted = step ?? rows.at(-1)?.step;
  const found = rows.filter((row) => row.step === wanted);
  if (found.length === 0) {
    const steps = [...new Set(rows.map((row) => row.step))];
    throw fault("readRollouts", "the run has written down no such rollouts", {
      got: step,
      expected:
        steps.length === 0 ? "a GRPO run that has logged some" : `one of ${steps.join(", ")}`,
      try: "a smaller grpo.logRolloutsEvery",
    });
  }
  const rule = clipRule(spec.grpo as Partial<ClipRule> | undefined);
  return found.sort((a, b) => b.total - a.total).map((row) => ({ ...row, rule }));
}

function clipRule({ loss, clipLow, clipHigh }: Partial<ClipRule> = {}): ClipRule {
  return { loss: loss ?? "grpo", clipLow: clipLow ?? 0.2, clipHigh: clipHigh ?? 0.2 };
}

/** One line a rollout, for `showTable`: the parts that were paid, the advantage, and the text. */
export function rolloutTable(rows: readonly RolloutRow[]): Row[] {
  return rows.map(({ step, problem, reward, paid, total, advantage, tokens, truncated, text }) => ({
    step,
    problem,
    transition: reward.transition ?? "–",
    ...paid,
    total,
    advantage,
    tokens: tokens.ids.length,
    cut: truncated,
    text,
  }));
}

/** What a sample needs of a rollout; one that was just made has it, and one that was written down. */
export type ShownRollout = Pick<
  RolloutRow,
  "text" | "truncated" | "reward" | "paid" | "total" | "advantage"
>;

/** A rollout of a step as a sample that the viewer shows. */
export function rolloutSample(problem: Problem, step: number, rollout: ShownRollout): Sample {
  const { text, truncated, reward, paid, total, advantage } = rollout;
  return {
    problem,
    response: parseResponse(text, { truncated }),
    firstCorrect: reward.first.correct,
    secondCorrect: reward.second?.correct ?? null,
    transition: reward.transition,
    rewards: paid,
    total,
    label: `step ${step}, advantage ${advantage.toFixed(2)}`,
  };
}

/**
 * The rollouts that were written down last, best paid first.
 * @param folder of the run
 * @param problems those that the run trained on; a rollout of another problem is left out
 * @param options.step another step that was written down
 */
export function lastRollouts(
  folder: string,
  problems: readonly Problem[],
  options: { step?: number } = {},
): Sample[] {
  const byId = new Map(problems.map((problem) => [problem.id, problem]));
  return readRollouts(folder, options).flatMap((row): Sample[] => {
    const problem = byId.get(row.problem);
    return problem === undefined ? [] : [rolloutSample(problem, row.step, row)];
  });
}
