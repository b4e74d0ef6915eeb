/** EMMA (arXiv 2501.05444): 2,788 problems of mathematics, physics, chemistry and coding that need reasoning on the picture. */
import type { Benchmark, BenchRecord, Judgement, PromptPart } from "../benchmark";
import { parseExpression } from "../../reflection/answers/expression";
import { sympyValue } from "../../reflection/answers/expression-value";
import {
  goldText,
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
import { correctnessQuestion, THREE_TRIES } from "../judge-questions";
import { wordsToNumber } from "../number-words";
import { inferOption } from "../option-letters";
import { afterLast, beforeFirst, parseFloat, round, strip } from "../../reflection/answers/python";

export const benchmark: Benchmark = {
  name: "emma",
  title: "EMMA",
  sets: {
    test: {
      repository: "luckychao/EMMA",
      files: /^(?:Math|Physics|Chemistry|Coding)\/test-[^/]*\.parquet$/,
      size: 2788,
    },
    mini: {
      repository: "luckychao/EMMA-mini",
      files: /^(?:Math|Physics|Chemistry|Coding)\/test-[^/]*\.parquet$/,
      size: 400,
    },
  },
  origins: ["Partly taken over from earlier benchmarks (`source` names them), partly new."],
  idFields: ["pid", "index"],
  extractionField: "extraction",

  problem(record, images) {
    const choices = texts(record, "options");
    const many = isChoice(record) && choices.length > 0;
    return {
      id: identity(record, benchmark.idFields),
      question: [optionalText(record, "context"), text(record, "question")]
        .filter(Boolean)
        .join("\n"),
      images: [...images],
      answer: text(record, "answer"),
      answerType: many ? "choice" : "number",
      ...(many ? { choices } : {}),
      family: optionalText(record, "category") ?? "",
      level: 1,
      subject: optionalText(record, "subject") ?? "",
      source: "EMMA",
    };
  },

  /** Pictures stand where `<image_k>` does, in the context, the question or an option. */
  prompt(record, style): PromptPart[] {
    const many = isChoice(record);
    const options = many ? texts(record, "options").map((o, i) => `${letter(i)}: ${o}`) : [];
    const form = many
      ? `Answer with the option's letter from the given choices and put the letter in one "\\boxed{}".`
      : `Answer the question using a single word or phrase and put the answer in one "\\boxed{}".`;
    const how =
      style === "cot"
        ? "Please solve the problem step by step."
        : "Please ensure that your output only contains the final answer without any additional content (such as intermediate reasoning steps).";
    const blocks = [
      optionalText(record, "context") ?? "",
      text(record, "question"),
      ...(many ? [options.join("\n")] : []),
      `${form} ${how}`,
    ];
    return interleaved(blocks.join("\n\n"), imageCount(record));
  },

  extract(response, record, rules) {
    if (rules === "vlmevalkit" && /^[A-Z]$/.test(goldText(record))) {
      const option = inferOption(response, texts(record, "options"));
      if (option !== null) return { value: option, rule: "prefetch" };
    }
    return { value: fastExtract(response), rule: "fast-extract" };
  },

  judge(extraction, record, rules): Step<Judgement> {
    const gold = goldText(record);
    const correct = isEqual(extraction, gold) || isEqual(extraction, contentOf(record));
    const value = { prediction: extraction, correct };
    if (rules === "official") return { value, rule: "is-equal" };
    // Both harnesses ask a model about every answer that is not the gold letter, and lmms-eval about those too.
    if (rules === "vlmevalkit" && /^[A-Z]$/.test(gold)) {
      return { value: { ...value, correct: extraction === gold }, rule: "option" };
    }
    const question = optionalText(record, "question") ?? "";
    const asked = correctnessQuestion({
      ...{ question, gold, response: extraction, temperatures: THREE_TRIES },
    });
    return {
      value,
      rule: "is-equal",
      ask: {
        ...asked,
        read: (reply) => {
          const verdict = asked.read(reply);
          return verdict === null ? null : { prediction: extraction, correct: verdict };
        },
        otherwise: value,
      },
    };
  },

  aggregate(rows) {
    const subject = (record: BenchRecord) => optionalText(record, "subject") ?? "";
    const within = (record: BenchRecord, key: string) => optionalText(record, key) ?? "";
    return {
      average: overall(rows),
      subject: tally(rows, (record) => [subject(record)]),
      question_type: tally(rows, (record) => [within(record, "type").toLowerCase()]),
      // A coding problem may belong to several categories.
      category: tally(rows, (record) =>
        within(record, "category")
          .split(subject(record) === "Coding" ? ";" : "\n")
          .map((category) => category.trim())
          .filter((category) => category !== "")
          .map((category) => `${subject(record)}_${category}`),
      ),
      task: tally(rows, (record) => {
        const task = within(record, "task");
        return task === "" ? [] : [`${subject(record)}_${task}`];
      }),
    };
  },
};

/** "Multiple Choice" and "Multiple choice" both occur. */
function isChoice(record: BenchRecord): boolean {
  return (optionalText(record, "type") ?? "").toLowerCase() === "multiple choice";
}

/** The text of the gold option; of an open question its answer. */
function contentOf(record: BenchRecord): string {
  const given = optionalText(record, "gt_content");
  if (given !== null) return given;
  const gold = goldText(record);
  const index = gold.toUpperCase().charCodeAt(0) - 65;
  return (isChoice(record) ? texts(record, "options")[index] : undefined) ?? gold;
}

const FLAGS = ["final answer is", "correct answer is", "answer should be", "answer is", "answer:"];

/** The authors' fast extraction: a lone letter or number, the last box, the text after an announcement; else nothing. */
function fastExtract(raw: string): string {
  const response = strip(raw);
  for (const c of "ABCDEFGH") {
    if (
      response.toUpperCase() === c ||
      response.startsWith(`${c}:`) ||
      response.startsWith(`${c}.`)
    ) {
      return c;
    }
  }
  if (parseFloat(response) !== null) return response;
  const boxed = lastClosedBox(response);
  if (boxed !== null) {
    const words = [...boxed.matchAll(/\\text\{([^}\n]*)\}/g)];
    return strip(words.length > 0 ? words[words.length - 1][1] : boxed);
  }
  const lower = response.toLowerCase();
  for (const flag of FLAGS) {
    if (lower.includes(flag)) {
      return beforeFirst(beforeFirst(strip(afterLast(lower, flag)), "\n"), ".");
    }
  }
  return "";
}

/** The content of the last `\boxed{…}` that closes; boxes inside boxes do not count, and after one that never closes none does. */
function lastClosedBox(response: string): string | null {
  let last: string | null = null;
  for (let at = response.indexOf("\\boxed{"); at >= 0;) {
    const start = at + "\\boxed{".length;
    let depth = 1;
    let end = start;
    for (; end < response.length; end++) {
      if (response[end] === "{") depth++;
      else if (response[end] === "}" && --depth === 0) break;
    }
    if (end < response.length) last = response.slice(start, end);
    at = response.indexOf("\\boxed{", end + 1);
  }
  return last;
}

/** Equal as lower-case texts, as a number word and its digits, or as real numbers with two decimals. */
function isEqual(answer: string, gold: string): boolean {
  const [a, b] = [answer.toLowerCase(), gold.toLowerCase()];
  if (strip(a) === strip(b)) return true;
  const counted = wordsToNumber(a);
  if (counted !== null && String(counted) === strip(b)) return true;
  const [x, y] = [valueOf(a), valueOf(b)];
  return x !== null && y !== null && round(x, 2) === round(y, 2);
}

/** Two symbolic answers never get as far as sympy's simplification: their value raises before. */
function valueOf(latex: string): number | null {
  const node = parseExpression(latex, "latex2sympy2");
  return node === null ? null : sympyValue(node);
}
