/** We-Math (arXiv 2407.01284), testmini: 1,740 questions; those of 525 problems come with the steps that they are made of. */
import type { Benchmark, BenchRecord, ScoredRecord, Tables, Tally } from "../benchmark";
import { imagesThenText, letter, optionalText, overall, tally, text, goldText } from "../fields";
import { optionQuestion } from "../judge-questions";
import { inferOption } from "../option-letters";
import { afterLast, strip } from "../../reflection/answers/python";

export const benchmark: Benchmark = {
  name: "wemath",
  title: "We-Math",
  sets: {
    testmini: {
      repository: "We-Math/We-Math",
      files: /^data\/testmini-[^/]*\.parquet$/,
      size: 1740,
    },
  },
  origins: ["Collected from public school-mathematics sites."],
  idFields: ["index", "id", "ID"],
  extractionField: "processed_answer",

  problem(record, images) {
    return {
      id: `${optionalText(record, "ID") ?? ""}/${optionalText(record, "key") ?? ""}`,
      question: text(record, "question"),
      images: [...images],
      answer: text(record, "answer"),
      answerType: "choice",
      choices: options(record),
      family: optionalText(record, "knowledge concept") ?? "",
      level: 1,
      subject: "math",
      source: "We-Math",
    };
  },

  prompt(record, style) {
    const choices = options(record).map((option, i) => `${letter(i)}. ${option}`);
    const ask =
      style === "cot"
        ? "Describe the picture first, then think step by step, and end with `Answer: X` where X is the letter of the correct option."
        : "Answer with the letter of the correct option, in the form `Answer: X`.";
    return imagesThenText(1, [text(record, "question"), ...choices, ask].join("\n"));
  },

  /** What follows the last "Answer", without its brackets and points, if it begins with an option's letter. */
  extract(response, record, rules) {
    if (rules !== "official") {
      const value = inferOption(response, options(record));
      if (value !== null) return { value, rule: "prefetch" };
      const question = optionalText(record, "question") ?? "";
      return { value, rule: "no-option", ask: optionQuestion(question, options(record), response) };
    }
    const answer = strip(strip(afterLast(response, "Answer")).replace(/[<>:.]/g, ""));
    const found = "ABCDEFGH".includes(answer[0] ?? " ") ? answer[0] : null;
    return { value: found, rule: found === null ? "no-option" : "answer-line" };
  },

  judge(extraction, record) {
    const correct = extraction === goldText(record);
    return { value: { prediction: extraction, correct }, rule: "letter" };
  },

  aggregate(rows) {
    return {
      average: overall(rows),
      steps: tally(rows, (record) => [optionalText(record, "key") ?? ""]),
      concept: tally(rows, (record) => {
        const concept = optionalText(record, "knowledge concept");
        return concept === null ? [] : [concept];
      }),
      ...mastery(rows),
    };
  },
};

function options(record: BenchRecord): string[] {
  const given = Array.from({ length: 8 }, (_, i) => optionalText(record, letter(i)) ?? []).flat();
  if (given.length > 0) return given;
  // The authors' file writes all options in one line: "A. 12 cm; B. 15 cm; C. No correct answer".
  const line = optionalText(record, "option") ?? "";
  return line.split(/(?:^|;\s*)[A-H][.)]\s*/).slice(1);
}

/**
 * The four-dimensional metrics: a problem whose composite question and steps are right is mastered, right without its steps
 * it was learned by rote, wrong in spite of them it lacks generalization, wrong with a wrong step it lacks knowledge. `loose`
 * takes one right step for understanding, `strict` wants all. Problems without all their steps do not count.
 */
export function mastery(rows: readonly ScoredRecord[]): Tables {
  const groups = new Map<string, { steps: boolean[]; whole: boolean | null; size: number }>();
  for (const { record, correct } of rows) {
    const found = /^([23])steps_(\d|multi)$/.exec(optionalText(record, "key") ?? "");
    if (found === null) continue;
    const name = `${found[1]}/${optionalText(record, "ID") ?? ""}`;
    const group = groups.get(name) ?? { steps: [], whole: null, size: Number(found[1]) };
    if (found[2] === "multi") group.whole = correct;
    else group.steps.push(correct);
    groups.set(name, group);
  }
  const whole = [...groups.values()].filter(
    (group) => group.whole !== null && group.steps.length === group.size,
  );
  const count = (holds: (all: boolean, any: boolean, right: boolean) => boolean): Tally => ({
    correct: whole.filter(({ steps, whole: right }) =>
      holds(steps.every(Boolean), steps.some(Boolean), right === true),
    ).length,
    total: whole.length,
  });
  const knowledge = count((all, _, right) => !all && !right);
  const generalization = count((all, _, right) => all && !right);
  const dimensions = (strict: boolean): Record<string, Tally> => {
    const mastered = count((all, any, right) => right && (strict ? all : any));
    const rote = count((all, any, right) => right && !(strict ? all : any));
    const score = whole.length - generalization.correct / 2 - rote.correct - knowledge.correct;
    return {
      Score: { correct: score, total: whole.length },
      InsufficientKnowledge: knowledge,
      InadequateGeneralization: generalization,
      CompleteMastery: mastered,
      // The share of what was answered right.
      RoteMemorization: { correct: rote.correct, total: mastered.correct + rote.correct },
    };
  };
  return { strict: dimensions(true), loose: dimensions(false) };
}
