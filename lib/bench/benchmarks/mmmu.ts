/** MMMU (arXiv 2311.16502), validation split: 900 college questions of 30 subjects, most with options, some open. */
import type { Benchmark, BenchRecord, Judgement } from "../benchmark";
import {
  identity,
  imageCount,
  interleaved,
  letter,
  optionalText,
  overall,
  tally,
  text,
  texts,
} from "../fields";
import type { Step } from "../judge";
import { optionQuestion } from "../judge-questions";
import { disciplineOf } from "../mmmu-subjects";
import { openAnswers, openEqual } from "../open-answers";
import { inferOption } from "../option-letters";
import { parseOption } from "../option-parse";

export const benchmark: Benchmark = {
  name: "mmmu",
  title: "MMMU (val)",
  sets: {
    validation: { repository: "MMMU/MMMU", files: /^[^/]+\/validation-[^/]*\.parquet$/, size: 900 },
  },
  origins: ["College exams, quizzes and textbooks; the answers of this split are public."],
  idFields: ["id", "index"],
  extractionField: "parsed_pred",

  problem(record, images) {
    const choices = isOpen(record) ? [] : texts(record, "options");
    return {
      id: identity(record, benchmark.idFields),
      question: text(record, "question"),
      images: [...images],
      answer: golds(record)[0] ?? "",
      answerType: isOpen(record) ? "number" : "choice",
      ...(choices.length > 0 ? { choices } : {}),
      family: disciplineOf(subjectOf(record)),
      level: 1,
      subject: subjectOf(record),
      source: "MMMU",
    };
  },

  prompt(record, style) {
    const options = isOpen(record)
      ? []
      : texts(record, "options").map((option, i) => `(${letter(i)}) ${option}`);
    const form = isOpen(record)
      ? "Answer the question using a single word or phrase."
      : "Answer with the option's letter from the given choices directly.";
    const ask = style === "cot" ? "Reason step by step, then give the answer. " : "";
    const words = [text(record, "question"), ...options, ask + form].join("\n\n");
    return interleaved(words, imageCount(record));
  },

  extract(response, record, rules) {
    if (isOpen(record)) return { value: response, rule: "open" };
    const options = texts(record, "options");
    if (rules === "vlmevalkit") {
      const value = inferOption(response, options);
      if (value !== null) return { value, rule: "prefetch" };
      const question = optionalText(record, "question") ?? "";
      return { value, rule: "no-option", ask: optionQuestion(question, options, response) };
    }
    const found = parseOption(response, options, { answerLine: false, loose: false });
    return { value: found.letter, rule: found.rule };
  },

  judge(extraction, record): Step<Judgement> {
    if (!isOpen(record)) {
      const correct = golds(record).includes(extraction);
      return { value: { prediction: extraction, correct }, rule: "letter" };
    }
    const found = openAnswers(extraction);
    const correct = openEqual(golds(record), found);
    return { value: { prediction: found.map(String).join(" | "), correct }, rule: "open" };
  },

  aggregate(rows) {
    return {
      average: overall(rows, "Overall"),
      domain: tally(rows, (record) => [`Overall-${disciplineOf(subjectOf(record))}`]),
      subject: tally(rows, (record) => [subjectOf(record)]),
    };
  },
};

function isOpen(record: BenchRecord): boolean {
  const type = optionalText(record, "question_type");
  return type === null ? texts(record, "options").length === 0 : type === "open";
}

function golds(record: BenchRecord): string[] {
  const given = record.answer ?? record.ground_truth;
  if (Array.isArray(given)) return given.map(String);
  const single = String(given ?? "");
  return /^\[['"]/.test(single) ? texts({ answer: single }, "answer") : [single];
}

function subjectOf(record: BenchRecord): string {
  const given = optionalText(record, "subject") ?? optionalText(record, "subfield");
  return /^[^_]+_(.+)_\d+$/.exec(optionalText(record, "id") ?? "")?.[1] ?? given ?? "";
}
