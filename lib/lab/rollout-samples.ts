/** Rollouts that a run has written down, as samples that the viewer shows. */
import { join } from "node:path";
import { readJsonl } from "../engine/files";
import { parseResponse } from "../reflection/template";
import type { RolloutRow } from "../train/rollouts";
import type { Problem } from "../types";
import type { Sample } from "./viewer";

/**
 * The group that was written down last, best reward first.
 * @param folder of the run
 * @param problems those that the run trained on; a rollout of another problem is left out
 */
export function lastRollouts(folder: string, problems: readonly Problem[]): Sample[] {
  const rows = readJsonl<RolloutRow>(join(folder, "rollouts.jsonl"));
  const last = rows.at(-1)?.step;
  const byId = new Map(problems.map((problem) => [problem.id, problem]));
  return rows
    .filter(({ step }) => step === last)
    .sort((a, b) => b.total - a.total)
    .flatMap(({ step, problem: id, text, truncated, reward, paid, total, advantage }): Sample[] => {
      const problem = byId.get(id);
      if (problem === undefined) return [];
      return [
        {
          problem,
          response: parseResponse(text, { truncated }),
          firstCorrect: reward.first.correct,
          secondCorrect: reward.second?.correct ?? null,
          transition: reward.transition,
          rewards: paid,
          total,
          label: `step ${step}, advantage ${advantage.toFixed(2)}`,
        },
      ];
    });
}
