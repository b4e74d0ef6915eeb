/**
 * Benchmark questions for a policy that answers with numbers only: the embedded one knows neither option letters nor the
 * harnesses' picture tags. It is asked the bare question, and its number stands for the option that says so; harnesses do
 * the same with models that write an option's text instead of its letter.
 */
import type { Problem } from "../types";
import { letter } from "./fields";

/** A line that is an option inside a question: `A. 12`, `(B) 7`, `C:30`. */
const OPTION = /^\s*\(?([A-Z])[.:)]\s*(.+)$/;

export interface OpenQuestion {
  /** The problem without its options, for {@link RolloutEngine}s. */
  problem: Problem;
  /** The options, also those that the question itself listed; empty for an open question. */
  options: string[];
}

/** Takes options and picture tags out of a question. */
export function openQuestion({ choices, ...problem }: Problem): OpenQuestion {
  const lines = problem.question
    .replace(/<image[ _]?\d+>/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "Choices:");
  const listed = lines.map((line) => OPTION.exec(line)?.[2] ?? null);
  return {
    problem: { ...problem, question: lines.filter((_, i) => listed[i] === null).join("\n") },
    options: choices ?? listed.filter((option): option is string => option !== null),
  };
}

/** The response with the letter in the place of every `<answer>` that is the text of exactly one option. */
export function nameOptions(response: string, options: readonly string[]): string {
  return response.replace(
    /(<answer>)([^<]*)(<\/answer>)/g,
    (whole, open: string, answer: string, close: string) => {
      const same = options.flatMap((option, i) => (option === answer.trim() ? [letter(i)] : []));
      return same.length === 1 ? open + same[0] + close : whole;
    },
  );
}
