/** MMMU-Pro (arXiv 2409.02813): 1,730 questions of 30 subjects, with up to ten options or as one picture. */
import type { Benchmark, BenchRecord, PromptPart } from "../benchmark";
import {
  goldText,
  identity,
  imageCount,
  imagesThenText,
  interleaved,
  letter,
  optionalText,
  overall,
  tally,
  text,
  texts,
} from "../fields";
import { optionQuestion } from "../judge-questions";
import { disciplineOf } from "../mmmu-subjects";
import { inferOption } from "../option-letters";
import { parseOption } from "../option-parse";
import { strip } from "../../reflection/answers/python";
import type { Step } from "../judge";

export const benchmark: Benchmark = {
  name: "mmmu-pro",
  title: "MMMU-Pro",
  sets: {
    "standard-10": {
      repository: "MMMU/MMMU_Pro",
      files: /^standard \(10 options\)\/test-[^/]*\.parquet$/,
      size: 1730,
    },
    "standard-4": {
      repository: "MMMU/MMMU_Pro",
      files: /^standard \(4 options\)\/test-[^/]*\.parquet$/,
      size: 1730,
    },
    vision: { repository: "MMMU/MMMU_Pro", files: /^vision\/test-[^/]*\.parquet$/, size: 1730 },
  },
  origins: [
    "Filtered from MMMU (college exams and textbooks), whose validation answers are public.",
  ],
  idFields: ["id", "index"],
  extractionField: "pred",

  problem(record, images) {
    return {
      id: identity(record, benchmark.idFields),
      question: optionalText(record, "question") ?? "",
      images: [...images],
      answer: text(record, "answer"),
      answerType: "choice",
      choices: texts(record, "options"),
      family: disciplineOf(subjectOf(record)),
      level: 1,
      subject: subjectOf(record),
      source: "MMMU-Pro",
    };
  },

  /** In the vision setting the picture holds question and options, and only the instruction is text. */
  prompt(record, style): PromptPart[] {
    const question = optionalText(record, "question");
    if (question === null) return imagesThenText(1, INSTRUCTIONS.vision[style]);
    const options = texts(record, "options").map((option, i) => `${letter(i)}. ${option}`);
    const words = `${[question, ...options].join("\n")}\n${INSTRUCTIONS.standard[style]}`;
    return interleaved(words, imageCount(record));
  },

  extract(response, record, rules) {
    const options = texts(record, "options");
    if (rules === "vlmevalkit") return answerLine(response, record);
    const { letter: found, rule } = parseOption(response, options, {
      answerLine: rules === "official",
      loose: true,
    });
    return { value: found, rule };
  },

  judge(extraction, record) {
    const correct = extraction === goldText(record);
    return { value: { prediction: extraction, correct }, rule: "letter" };
  },

  aggregate(rows) {
    return {
      average: overall(rows, "Overall"),
      domain: tally(rows, (record) => [`Overall-${disciplineOf(subjectOf(record))}`]),
      subject: tally(rows, (record) => [subjectOf(record)]),
    };
  },
};

/** The last line that the instructions ask for. */
const LAST_LINE =
  "The last line of your response should be of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of options.";
const INSTRUCTIONS = {
  vision: {
    cot: `Write out the multiple-choice question in the image and then solve it. ${LAST_LINE} Think step by step before answering.`,
    direct: `Answer with the option letter from the given choices directly. ${LAST_LINE}`,
  },
  standard: {
    cot: `Answer the preceding multiple choice question. ${LAST_LINE} Think step by step before answering.`,
    direct: "Answer with the option letter from the given choices directly.",
  },
};

/** The subject's field, or the one in an identifier such as `test_History_12`. */
function subjectOf(record: BenchRecord): string {
  const given = optionalText(record, "subject");
  return given ?? /^[^_]+_(.+)_\d+$/.exec(optionalText(record, "id") ?? "")?.[1] ?? "";
}

/** VLMEvalKit: the one capital behind the last line that starts with "Answer:", else what its matcher infers from that line's rest. */
function answerLine(response: string, record: BenchRecord): Step<string | null> {
  const options = texts(record, "options");
  const lines = response.split("\n").map((line) => strip(line));
  const line = lines.filter((each) => each.startsWith("Answer:")).at(-1);
  const tail = line?.slice("Answer:".length) ?? response;
  const capitals = new Set(line === undefined ? [] : tail.match(/[A-Z]/g));
  if (capitals.size === 1) return { value: [...capitals][0], rule: "answer-line" };
  const inferred = inferOption(tail, options);
  if (inferred !== null) return { value: inferred, rule: "prefetch" };
  const ask = optionQuestion(optionalText(record, "question") ?? "", options, tail);
  return { value: null, rule: "no-option", ask };
}
