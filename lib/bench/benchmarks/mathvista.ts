/** MathVista (arXiv 2310.02255): 1,000 problems in testmini. The authors have a model extract, and rules normalise and judge. */
import type { AskStyle, Benchmark, BenchRecord, Judgement } from "../benchmark";
import { extractionQuestion } from "../judge-questions";
import {
  byAccuracy,
  goldText,
  identity,
  imageCount,
  imagesThenText,
  letter,
  nested,
  optionalText,
  overall,
  tally,
  text,
  texts,
} from "../fields";
import type { Step } from "../judge";
import { inferOption } from "../option-letters";
import {
  editDistance,
  floatRepr,
  parseFloat,
  parseInt,
  round,
  strip,
  truncate,
} from "../../reflection/answers/python";
import { lastBoxed } from "./mathvision";

export const benchmark: Benchmark = {
  name: "mathvista",
  title: "MathVista",
  sets: {
    testmini: {
      repository: "AI4Math/MathVista",
      files: /^data\/testmini-[^/]*\.parquet$/,
      size: 1000,
    },
    test: { repository: "AI4Math/MathVista", files: /^data\/test-[^/]*\.parquet$/, size: 5141 },
  },
  origins: [
    "Drawn from 31 public data sets, among them GeoQA+, Geometry3K, UniGeo, TabMWP, CLEVR-Math, IconQA, ChartQA and DVQA.",
    "MathV360K, LLaVA-CoT-100k and Mulberry train on parts of the same data sets.",
  ],
  idFields: ["pid", "index"],
  extractionField: "extraction",

  problem(record, images) {
    const choices = texts(record, "choices");
    const task = about(record, "task") ?? "";
    return {
      id: identity(record, benchmark.idFields),
      question: text(record, "question"),
      images: [...images],
      // The lab's choices are judged by letter; the record holds the text of the right one.
      answer: choices.length > 0 ? goldLetter(record) : text(record, "answer"),
      answerType: choices.length > 0 ? "choice" : answerType(record) === "list" ? "text" : "number",
      ...(choices.length > 0 ? { choices } : {}),
      family: task,
      level: 1,
      subject: about(record, "category") ?? "",
      source: about(record, "source") ?? "MathVista",
    };
  },

  /**
   * The zero-shot query of build_query.py; its type "solution" ends in a line that asks for reasoning, which the direct form leaves
   * out. VLMEvalKit's file holds the whole query as the question.
   */
  prompt(record, style) {
    return imagesThenText(Math.max(1, imageCount(record)), query(record, style));
  },

  extract(response, record, rules) {
    return rules === "vlmevalkit" ? prefetch(response, record) : shortcut(response, record);
  },

  judge(extraction, record, rules) {
    if (rules === "vlmevalkit") return judgeTyped(extraction, record);
    const { prediction, rule } = normalise(extraction, record);
    const gold = goldText(record);
    const correct =
      rules === "official"
        ? prediction === gold
        : prediction !== null && strip(prediction) === strip(gold);
    return { value: { prediction, correct }, rule };
  },

  aggregate(rows) {
    const by = (key: string) =>
      byAccuracy(
        tally(rows, (record) => {
          const value = about(record, key);
          return value === null ? [] : [value];
        }),
      );
    return {
      average: overall(rows),
      ...Object.fromEntries(CATEGORIES.map((key) => [key, by(key)])),
      skills: byAccuracy(tally(rows, skills)),
    };
  },
};

const CATEGORIES = [
  ...["question_type", "answer_type", "language", "source", "category", "task", "context", "grade"],
];

/** A field of the record or of its `metadata`, where the authors' files keep most of them. */
function about(record: BenchRecord, key: string): string | null {
  return optionalText(record, key) ?? optionalText(nested(record, "metadata"), key);
}

function skills(record: BenchRecord): string[] {
  const holder = "skills" in record ? record : nested(record, "metadata");
  return texts(holder, "skills");
}

const isChoice = (record: BenchRecord): boolean =>
  about(record, "question_type") === "multi_choice";
const answerType = (record: BenchRecord): string => about(record, "answer_type") ?? "text";

function goldLetter(record: BenchRecord): string {
  const given = optionalText(record, "answer_option");
  return given ?? letter(texts(record, "choices").indexOf(goldText(record)));
}

/** What is asked, and what a model that extracts is shown of the question. */
function query(record: BenchRecord, style: AskStyle): string {
  const question = optionalText(record, "question") ?? "";
  if (/^Hint: .*\nQuestion:/s.test(question)) return question;
  const unit = optionalText(record, "unit");
  const choices = texts(record, "choices").map((choice, i) => `(${letter(i)}) ${choice}`);
  const lines = [
    `Question: ${question}${unit ? ` (Unit: ${unit})` : ""}`,
    ...(choices.length > 0 ? ["Choices:", ...choices] : []),
    hint(record),
    ...(style === "cot" ? ["Solution:"] : []),
  ];
  return lines.join("\n");
}

function hint(record: BenchRecord): string {
  if (isChoice(record)) {
    return "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.";
  }
  const type = answerType(record);
  const [kind, examples] =
    type === "integer"
      ? ["an integer answer", "value, e.g., 1, 2, 3,"]
      : type === "list"
        ? ["a Python list as an answer", "list, e.g., [1, 2, 3], [1.2, 1.3, 1.4],"]
        : optionalText(record, "precision") === "2"
          ? ["a floating-point number with two decimal places", "value, e.g., 1.23, 1.34, 1.45,"]
          : ["a floating-point number with one decimal place", "value, e.g., 1.2, 1.3, 1.4,"];
  return `Hint: Please answer the question requiring ${kind} and provide the final ${examples} at the end.`;
}

// ---- the authors' rule

/** What extract_answer.py takes without a model; where it asks one, the answer by rules is named a fall-back. */
function shortcut(response: string, record: BenchRecord): Step<string | null> {
  if (response === "") return { value: "", rule: "empty" };
  if (isChoice(record) && texts(record, "choices").includes(response)) {
    return { value: response, rule: "is-choice" };
  }
  const whole = answerType(record) === "integer" ? parseInt(response) : null;
  if (whole !== null) return { value: String(whole), rule: "is-integer" };
  const float = answerType(record) === "float" ? parseFloat(response) : null;
  if (float !== null) return { value: floatRepr(float), rule: "is-float" };
  return {
    value: guess(response, record),
    rule: "extract",
    ask: extractionQuestion("mathvista", query(record, "cot"), response),
  };
}

/** By rules alone: a quoted, boxed or announced answer, else the last letter or number in the text. */
function guess(response: string, record: BenchRecord): string {
  const quoted = /The answer is "([^"\n]*)"\./.exec(response)?.[1];
  if (quoted !== undefined) return quoted;
  const stated = lastBoxed(response) ?? announced(response);
  if (isChoice(record)) {
    const choices = texts(record, "choices");
    const named = optionIn(stated ?? "", choices) ?? optionIn(response, choices);
    return named ?? strip(stated ?? response);
  }
  const list = answerType(record) === "list" ? lastMatch(response, /\[[^[\]\n]*\]/g) : null;
  if (list !== null) return list;
  const near = stated === null ? null : /-?\d[\d,]*(?:\.\d+)?/.exec(stated)?.[0];
  const number = near ?? lastMatch(response, /-?\d[\d,]*(?:\.\d+)?/g);
  return number === null ? strip(stated ?? response) : number.replace(/,/g, "");
}

function announced(response: string): string | null {
  const at = /(?:answer|result|value)(?: to the question)? (?:is|are|should be|would be):?/i;
  if (!at.test(response)) return null;
  const parts = response.split(at);
  return parts[parts.length - 1].split("\n")[0];
}

function optionIn(words: string, choices: readonly string[]): string | null {
  const inParentheses = lastMatch(words, /\([A-Z]\)/g)?.[1];
  if (inParentheses !== undefined) return inParentheses;
  return inferOption(words, choices);
}

function lastMatch(words: string, pattern: RegExp): string | null {
  const found = words.match(pattern);
  return found === null ? null : found[found.length - 1];
}

/** Brings an extraction into the form of the gold answers; `null` where the authors' code has None. */
function normalise(
  extraction: string,
  record: BenchRecord,
): { prediction: string | null; rule: string } {
  if (isChoice(record)) return nearestChoice(strip(extraction), texts(record, "choices"));
  const type = answerType(record);
  if (type === "integer") {
    const value = parseFloat(extraction);
    const whole = value === null ? null : truncate(value);
    return { prediction: whole === null ? null : String(whole), rule: "integer" };
  }
  if (type === "float") {
    const value = parseFloat(extraction);
    const digits = Number(optionalText(record, "precision") ?? 0);
    const rounded = value === null ? null : floatRepr(round(value, digits));
    return { prediction: rounded, rule: "float" };
  }
  return { prediction: extraction, rule: type };
}

/** A letter in parentheses or alone is its choice; any other text is the choice that takes the fewest edits. */
function nearestChoice(
  extraction: string,
  choices: readonly string[],
): { prediction: string | null; rule: string } {
  const named = /\(([a-zA-Z])\)/.exec(extraction)?.[1].toUpperCase() ?? extraction;
  const index = named.length === 1 ? named.charCodeAt(0) - 65 : -1;
  if (index >= 0 && index < choices.length) {
    return { prediction: choices[index], rule: "choice-letter" };
  }
  let nearest: string | null = null;
  let fewest = Infinity;
  for (const choice of choices) {
    const edits = editDistance(named, choice);
    if (edits < fewest) [nearest, fewest] = [choice, edits];
  }
  return { prediction: nearest, rule: "nearest-choice" };
}

// ---- VLMEvalKit

/** What VLMEvalKit takes without asking a model: an option it can infer, or a response that is the right number already. */
function prefetch(response: string, record: BenchRecord): Step<string | null> {
  const ask = extractionQuestion("mathvista", query(record, "cot"), response);
  if (isChoice(record)) {
    const option = inferOption(response, texts(record, "choices"));
    return option !== null
      ? { value: option, rule: "prefetch" }
      : { value: "", rule: "prefetch-failed", ask };
  }
  return judgeTyped(response, record).value.correct
    ? { value: response, rule: "prefetch" }
    : { value: guess(response, record), rule: "prefetch-failed", ask };
}

/** Letters by letter, numbers as numbers without rounding; a list is compared with the word None and never right. */
function judgeTyped(extraction: string, record: BenchRecord): Step<Judgement> {
  const gold = goldText(record);
  if (isChoice(record)) {
    const prediction = inferOption(extraction, texts(record, "choices"));
    const correct = prediction !== null && prediction === goldLetter(record);
    return { value: { prediction, correct }, rule: "option" };
  }
  const type = answerType(record);
  const read = type === "integer" ? parseInt : type === "float" ? parseFloat : () => null;
  const [value, wanted] = [read(extraction), read(gold)];
  const prediction =
    typeof value === "number" ? floatRepr(value) : value === null ? null : String(value);
  return { value: { prediction, correct: value !== null && value === wanted }, rule: type };
}
