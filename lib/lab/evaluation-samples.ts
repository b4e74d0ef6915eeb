/** Rows of an evaluation as samples that the viewer shows. */
import type { JudgedRow } from "../bench/report";
import { parseResponse } from "../reflection/template";
import type { EvaluationRow } from "../stages/evaluate";
import type { Problem, Transition } from "../types";
import type { Sample } from "./viewer";

/** Each row with its problem, in the rows' order; rows whose problem is not given are left out. */
export function evaluationSamples(
  rows: readonly EvaluationRow[],
  problems: readonly Problem[],
  label?: string,
): Sample[] {
  const byId = new Map(problems.map((problem) => [problem.id, problem]));
  return rows.flatMap((row): Sample[] => {
    const problem = byId.get(row.problem);
    if (problem === undefined) return [];
    return [
      {
        problem,
        response: parseResponse(row.text, { truncated: row.truncated }),
        firstCorrect: row.firstCorrect ?? row.correct,
        secondCorrect: row.secondCorrect ?? null,
        transition: row.transition,
        label,
      },
    ];
  });
}

/** The first row of each transition asked for, as far as there are such rows; else the first rows. */
export function pickTransitions<Row extends Pick<JudgedRow, "transition">>(
  rows: readonly Row[],
  transitions: readonly Transition[],
): Row[] {
  const picked = transitions.flatMap((wanted) => {
    const row = rows.find(({ transition }) => transition === wanted);
    return row === undefined ? [] : [row];
  });
  return picked.length > 0 ? picked : rows.slice(0, transitions.length);
}
