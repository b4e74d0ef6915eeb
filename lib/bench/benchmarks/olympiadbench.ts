/** OlympiadBench (arXiv 2402.14008): olympiad problems of mathematics and physics in English and Chinese, judged by rules. */
import type { Benchmark, BenchRecord, Judgement } from "../benchmark";
import {
  firstText,
  identity,
  imageCount,
  interleaved,
  optionalText,
  overall,
  tally,
  text,
  texts,
} from "../fields";
import type { Step } from "../judge";
import { DEFAULT_PRECISION, olympiadBench } from "../../reflection/answers/olympiadbench";
import { afterLast, parseFloat, strip } from "../../reflection/answers/python";

/** The hub's configurations with their sizes; SRPO's tables use the first one alone. TP are proofs, which no rule judges. */
const CONFIGS: readonly (readonly [string, number])[] = [
  ["OE_MM_maths_en_COMP", 150],
  ["OE_MM_physics_en_COMP", 456],
  ["OE_TO_maths_en_COMP", 674],
  ["OE_TO_physics_en_COMP", 236],
  ["OE_MM_maths_zh_COMP", 56],
  ["OE_TO_maths_zh_COMP", 408],
  ["OE_MM_maths_zh_CEE", 1910],
  ["OE_MM_physics_zh_CEE", 1480],
  ["OE_TO_maths_zh_CEE", 1240],
  ["OE_TO_physics_zh_CEE", 115],
];

export const benchmark: Benchmark = {
  name: "olympiadbench",
  title: "OlympiadBench",
  sets: Object.fromEntries(
    CONFIGS.map(([name, size]) => [
      name,
      {
        repository: "Hothan/OlympiadBench",
        files: new RegExp(`(?:^|/)${name}[^/]*\\.parquet$`),
        size,
      },
    ]),
  ),
  origins: [
    "Public olympiads and Chinese entrance examinations; problems and solutions are on the web.",
  ],
  idFields: ["id", "index"],
  extractionField: "extraction",

  /** Language, subject and kind follow from the configuration, which is the file's name and in no field. */
  completed(record, file) {
    const config = /(?:OE|TP)_(?:MM|TO)_[a-z]+_(?:en|zh)_(?:COMP|CEE)/.exec(file)?.[0];
    return configOf(record) !== null || config === undefined ? record : { ...record, config };
  },

  problem(record, images) {
    return {
      id: identity(record, benchmark.idFields),
      question: contextAndQuestion(record),
      images: [...images],
      answer: goldAnswer(record),
      answerType: "number",
      family: optionalText(record, "subfield") ?? "",
      level: 1,
      subject: subjectOf(record),
      source: "OlympiadBench",
    };
  },

  /** The authors ask for a solution only; the direct form adds that none is wanted. */
  prompt(record, style) {
    const [asked, only] = isChinese(record)
      ? [chinesePrompt(record), "请不要写解题过程，只给出最后一句。"]
      : [englishPrompt(record), " Leave the solution out and write this last sentence only."];
    const ask = style === "direct" && !isProof(record) ? asked + only : asked;
    return interleaved(`${ask}\n${contextAndQuestion(record)}`, imageCount(record));
  },

  extract(response, record, rules) {
    if (rules === "lmms-eval") {
      const tail = afterLast(strip(response), "final answer is").replace(/["\n ]/g, "");
      return { value: strip(strip(tail, "."), "。"), rule: "final-answer" };
    }
    const found = announced(response, isChinese(record));
    return found === null
      ? { value: response, rule: "whole-response" }
      : { value: found, rule: "final-answer" };
  },

  /**
   * The judge is not symmetric: it tries its first argument as a percentage, and tolerances follow that one's items. Its
   * examples and its documentation put the gold answer first; both harnesses put the model's there.
   */
  judge(extraction, record, rules): Step<Judgement> {
    const gold = goldAnswer(record);
    const precision = precisionOf(record, rules === "lmms-eval" ? 0 : DEFAULT_PRECISION);
    const correct =
      rules === "official"
        ? olympiadBench(gold, extraction, precision)
        : olympiadBench(extraction, gold, precision);
    return { value: { prediction: extraction, correct }, rule: "auto-scoring-judge" };
  },

  aggregate(rows) {
    const language = (record: BenchRecord) => (isChinese(record) ? "zh" : "en");
    return {
      average: overall(rows, "AVG"),
      config: tally(rows, (record) => {
        const config = configOf(record);
        return config === null ? [] : [config];
      }),
      language_subject: tally(rows, (record) => [`${language(record)}_${subjectOf(record)}`]),
      subject: tally(rows, (record) => [subjectOf(record)]),
      subfield: tally(rows, (record) => {
        const subfield = optionalText(record, "subfield");
        return subfield === null ? [] : [subfield];
      }),
    };
  },
};

/** The configuration, such as `OE_MM_maths_en_COMP`. */
function configOf(record: BenchRecord): string | null {
  const given = firstText(record, ["source", "dataset", "config"]);
  return given !== null && /^(?:OE|TP)_/.test(given) ? given : null;
}

function isChinese(record: BenchRecord): boolean {
  const language = optionalText(record, "language");
  if (language !== null) return language === "Chinese" || language === "zh";
  return (configOf(record) ?? "").includes("_zh_");
}

function subjectOf(record: BenchRecord): string {
  const given = configOf(record) ?? optionalText(record, "subject") ?? "";
  return /physics/i.test(given) ? "physics" : "maths";
}

function contextAndQuestion(record: BenchRecord): string {
  const context = subjectOf(record) === "physics" ? optionalText(record, "context") : null;
  return [context, text(record, "question")].filter(Boolean).join("\n");
}

function goldAnswer(record: BenchRecord): string {
  const given = record.final_answer;
  if (given === undefined || given === null) return firstText(record, ["gold", "answer"]) ?? "";
  if (typeof given === "string" && !given.trimStart().startsWith("[")) return given;
  try {
    return texts(record, "final_answer")[0] ?? "";
  } catch {
    // An interval in brackets is no list.
    return String(given);
  }
}

/** The item's tolerance: a number, several of them between commas with gaps, or a list. Tuples have none. */
function precisionOf(record: BenchRecord, fallback: number): number | number[] {
  const given = record.error ?? record.precision;
  if ((optionalText(record, "answer_type") ?? "").includes("Tuple")) return fallback;
  const one = (value: unknown): number => parseFloat(String(value)) ?? DEFAULT_PRECISION;
  if (Array.isArray(given)) return given.map(one);
  if (given === undefined || given === null || given === "") return fallback;
  const parts = String(given).split(",");
  return parts.length === 1 ? one(parts[0]) : parts.map(one);
}

/** What follows the last announcement on its line. */
function announced(response: string, chinese: boolean): string | null {
  const pattern = chinese ? /所以最终答案是(.*)/g : /So the final answer is (.*)/g;
  const found = [...response.matchAll(pattern)];
  return found.length === 0 ? null : strip(found[found.length - 1][1]);
}

const TYPES: readonly (readonly [string, string, string])[] = [
  ["Numerical", "a numerical value", "数值"],
  ["Expression", "an expression", "表达式"],
  ["Equation", "an equation", "方程"],
  ["Interval", "an interval", "区间"],
];

/** The kinds of answer a question wants, in one language; none where naming them would mislead. */
function kinds(record: BenchRecord, language: 1 | 2): string[] {
  const type = optionalText(record, "answer_type") ?? "";
  if (/Need_human_evaluate|Tuple/.test(type)) return [];
  const named = type
    .split(",")
    .flatMap((part) => TYPES.filter(([key]) => part.includes(key)).slice(0, 1))
    .map((names) => names[language]);
  return new Set(named).size === 1 ? named.slice(0, 1) : named;
}

const many = (record: BenchRecord): boolean => /^true$/i.test(String(record.is_multiple_answer));
const isProof = (record: BenchRecord): boolean => (configOf(record) ?? "").startsWith("TP");

function englishPrompt(record: BenchRecord): string {
  const subject = subjectOf(record) === "physics" ? "Physics" : "Math";
  if (isProof(record)) {
    return `The following is a theorem proving problem from an International ${subject} competition. Prove the proposition by logical reasoning and common theorems, as the problem requires. Please use LaTeX format to represent the variables and formulas used in the proof.`;
  }
  const types = kinds(record, 1);
  const expected =
    types.length === 0
      ? ""
      : !many(record)
        ? `The answer of The problem should be ${types[0]}. `
        : types.length === 1
          ? `The problem has multiple answers, each of them should be ${types[0]}. `
          : `The problem has multiple answers, with the answers in order being ${types.join(", ")}. `;
  const unit = Boolean(optionalText(record, "unit"));
  const box = `\\boxed{${many(record) ? "multiple answers connected with commas" : "answer"}}${unit ? "(unit)" : ""}`;
  const note = unit ? ", note that the unit of the answer should not be included in \\boxed{}" : "";
  return (
    `The following is an open-ended problem from an International ${subject} competition. ${expected}` +
    `Please calculate the answer according to the given requirements and the information provided. Please use LaTeX format to represent the variables and formulas used in the solution process and results. ` +
    `Please end your solution with "So the final answer is ${box}." and give the result explicitly${note}.`
  );
}

function chinesePrompt(record: BenchRecord): string {
  const subject = subjectOf(record) === "physics" ? "物理" : "数学";
  if (isProof(record)) {
    return `以下是中国${subject}竞赛中的证明题。请运用逻辑推理及常用定理证明题目中的命题，变量和公式使用LaTeX格式表示。`;
  }
  const types = kinds(record, 2);
  const expected =
    types.length === 0
      ? ""
      : !many(record)
        ? `，答案类型为${types[0]}`
        : `，题目有多个答案，答案类型${types.length === 1 ? "均" : "分别"}为${types.join("、")}`;
  const unit = Boolean(optionalText(record, "unit"));
  const box = `\\boxed{${many(record) ? "用英文逗号连接的多个答案" : "答案"}}${unit ? "(单位)" : ""}`;
  const note = unit ? "，注意答案的单位不要放在\\boxed{}中" : "";
  return `以下是中国${subject}竞赛中的解答题${expected}。请根据题目的要求和所提供的信息计算得出答案，变量和公式使用LaTeX格式表示。请在最后以“所以最终答案是${box}。”显式给出结果${note}。`;
}
