/** MathVerse (arXiv 2403.14624): 788 problems in five versions, from all in the text to all in the picture. Judged by a model. */
import { goldOf } from "../../reflection/answer-type";
import { judge as compareAnswers } from "../../reflection/equality";
import { parseResponse } from "../../reflection/template";
import type { Benchmark, BenchRecord, Judgement } from "../benchmark";
import {
  firstText,
  goldText,
  identity,
  imageCount,
  imagesThenText,
  nested,
  optionalText,
  overall,
  tally,
  text,
} from "../fields";
import type { Step } from "../judge";
import { FIVE_TRIES, scoreQuestion, shortAnswerQuestion } from "../judge-questions";
import { lastBoxed } from "./mathvision";

export const benchmark: Benchmark = {
  name: "mathverse",
  title: "MathVerse",
  sets: {
    testmini: {
      repository: "AI4Math/MathVerse",
      files: /(?:^|\/)testmini(?:-\d[^/]*)?\.parquet$/,
      size: 3940,
    },
    "text-only": {
      repository: "AI4Math/MathVerse",
      files: /(?:^|\/)testmini_text_only(?:-\d[^/]*)?\.parquet$/,
      size: 788,
    },
  },
  origins: [
    "Most plane geometry is from GeoQA, GEOS and Geometry3K, which MathV360K and others train on.",
  ],
  idFields: ["sample_index", "index"],
  extractionField: "extraction",

  problem(record, images) {
    const choice = isChoice(record);
    return {
      id: identity(record, benchmark.idFields),
      question: optionalText(record, "question") ?? "",
      images: [...images],
      answer: text(record, "answer"),
      answerType: choice ? "choice" : "number",
      family: about(record, "subfield"),
      level: 1,
      subject: about(record, "subject"),
      source: "MathVerse",
    };
  },

  /** The record's own query; Vision Only has the question in its picture and leaves the text after "Question:" empty. */
  prompt(record, style) {
    const given = optionalText(record, style === "cot" ? "query_cot" : "query_wo");
    return imagesThenText(imageCount(record), given ?? query(record, style));
  },

  /**
   * A model copies the answer out of every response; in MM-EUREKA's and SRPO's scripts, which derive from VLMEvalKit's, out of its
   * answer tag or box where it has one.
   */
  extract(response, _record, rules) {
    if (rules === "lmms-eval") return { value: response, rule: "whole-response" };
    const stated = (parseResponse(response).first.answer ?? lastBoxed(response))?.trim();
    const shown = rules === "vlmevalkit" ? (stated ?? response) : response;
    return {
      value: stated ?? lastStatement(response),
      ...{ rule: "extract", ask: shortAnswerQuestion(shown) },
    };
  },

  judge(extraction, record, rules): Step<Judgement> {
    const gold = goldText(record);
    if (extraction.trim() === gold.trim()) {
      return { value: { prediction: extraction, correct: true }, rule: "quick-match" };
    }
    const shown = rules === "lmms-eval" ? lastStatement(extraction) : extraction;
    const { prediction, correct } = compareAnswers(shown, goldOf(gold, type(record)));
    const value = { prediction, correct };
    const question = firstText(record, ["question_for_eval", "question"]) ?? "";
    const asked = scoreQuestion({ question, gold, answer: extraction });
    return {
      value,
      rule: "equality",
      ask: {
        ...asked,
        temperatures: rules === "vlmevalkit" ? FIVE_TRIES : asked.temperatures,
        read: (reply) => {
          const right = asked.read(reply);
          return right === null ? null : { prediction: extraction, correct: right };
        },
        otherwise: { prediction: extraction, correct: false },
      },
    };
  },

  aggregate(rows) {
    const version = (record: BenchRecord) => optionalText(record, "problem_version") ?? "";
    return {
      // The published average is over the five versions with a picture.
      average: overall(rows.filter(({ record }) => version(record) !== "Text Only")),
      version: tally(rows, (record) => [version(record)]),
      subject: tally(rows, (record) => [about(record, "subject")]),
      subject_subfield: tally(rows, (record) => [
        `${about(record, "subject")}-${about(record, "subfield")}`,
      ]),
      question_type: tally(rows, (record) => [type(record) ?? ""]),
    };
  },
};

function about(record: BenchRecord, key: string): string {
  return optionalText(nested(record, "metadata"), key) ?? optionalText(record, key) ?? "";
}

function type(record: BenchRecord): string | undefined {
  return optionalText(record, "question_type") ?? undefined;
}

const isChoice = (record: BenchRecord): boolean => type(record) === "multi-choice";

function query(record: BenchRecord, style: "cot" | "direct"): string {
  const form = isChoice(record)
    ? "the correct option letter, e.g., A, B, C, D"
    : "the final value, e.g., 1, 2.5, 300";
  const ask =
    style === "cot"
      ? `Please first conduct reasoning, and then answer the question and provide ${form}, at the end.`
      : `Please directly answer the question and provide ${form}.`;
  return `${ask}\nQuestion: ${optionalText(record, "question") ?? ""}`;
}

/** The end of the last sentence that announces an answer, else the last line that says something. */
function lastStatement(response: string): string {
  const lines = response
    .slice(-4000)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const last = lines[lines.length - 1] ?? "";
  const announced = /(?:answer|option|result|value)[^.]{0,80}? (?:is|are)[: ]+(.{1,200}?)\.?$/i;
  for (const line of lines.reverse()) {
    const found = announced.exec(line.slice(-400));
    if (found !== null) return found[1].trim();
  }
  return last;
}
