/** MATH-Vision (mathllm/MATH-V, arXiv 2402.14804): 3,040 competition problems, scored by rules alone. */
import type { Benchmark, BenchRecord, Judgement } from "../benchmark";
import { parseExpression } from "../../reflection/answers/expression";
import {
  pythonValue,
  twoDecimals,
  type PythonNumber,
} from "../../reflection/answers/expression-value";
import {
  goldText,
  identity,
  imagesThenText,
  letter,
  optionalText,
  overall,
  tally,
  text,
  texts,
} from "../fields";
import { extractionQuestion } from "../judge-questions";
import type { Step } from "../judge";
import { inferOption } from "../option-letters";
import {
  afterLast,
  beforeFirst,
  floatRepr,
  lstrip,
  parseFloat,
  rstrip,
  strip,
} from "../../reflection/answers/python";

export const benchmark: Benchmark = {
  name: "mathvision",
  title: "MathVision",
  sets: {
    test: { repository: "MathLLMs/MathVision", files: /^data\/test-[^/]*\.parquet$/, size: 3040 },
    testmini: {
      repository: "MathLLMs/MathVision",
      files: /^data\/testmini-[^/]*\.parquet$/,
      size: 304,
    },
  },
  origins: ["Public mathematics competitions; problems and solutions are on the web."],
  idFields: ["id", "index"],
  extractionField: "model_answer",

  problem(record, images) {
    const choices = options(record);
    return {
      id: identity(record, benchmark.idFields),
      question: text(record, "question"),
      images: [...images],
      answer: text(record, "answer"),
      answerType: choices.length > 0 ? "choice" : "number",
      ...(choices.length > 0 ? { choices } : {}),
      family: optionalText(record, "subject") ?? "",
      level: Number(optionalText(record, "level") ?? 1),
      subject: optionalText(record, "subject") ?? "",
      source: "MathVision",
    };
  },

  /** One merged picture, whatever number of `<image k>` the question names. */
  prompt(record, style) {
    const choices = options(record);
    const bare = choices.join("") === "ABCDE";
    const lines = bare ? [] : choices.map((choice, i) => `(${letter(i)}) ${choice}`);
    const ask =
      `Please solve the problem${style === "cot" ? " step by step" : ""} and put your answer in one "\\boxed{}". ` +
      `If it is a multiple choice question, only one letter is allowed in the "\\boxed{}".`;
    return imagesThenText(1, [ask, text(record, "question"), ...lines].join("\n"));
  },

  extract(response, record, rules) {
    if (rules === "vlmevalkit") return prefetch(response, record);
    const value = rules === "official" ? officialAnswer(response) : patchedAnswer(response);
    return { value, rule: "extract" };
  },

  judge(extraction, record, rules) {
    return rules === "vlmevalkit"
      ? judgeByInference(extraction, record)
      : judgeByRounding(extraction, record);
  },

  aggregate(rows) {
    const subject = (record: BenchRecord) => optionalText(record, "subject") ?? "";
    const level = (record: BenchRecord) => optionalText(record, "level") ?? "";
    return {
      average: overall(rows, "-all"),
      level: tally(rows, (record) => [`-level${level(record)}`]),
      subject: tally(rows, (record) => [subject(record)]),
      subject_level: tally(rows, (record) => [`${subject(record)}_level${level(record)}`]),
      level_subject: tally(rows, (record) => [`-level${level(record)}_${subject(record)}`]),
    };
  },
};

function options(record: BenchRecord): string[] {
  return texts(record, "options" in record ? "options" : "choices");
}

// ---- the authors' rule

const FLAGS = [
  "the final answer is",
  "the answer is",
  "the correct answer is",
  "the answer should be",
].flatMap((flag) => [flag, flag.replaceAll("the", "The")]);

/** The steps of evaluate.py in their order: lone letter, number after "is", announced answer, boxed answer, clean-up. */
function officialAnswer(response: string): string {
  let answer = announcedAnswer(response);
  if (answer.split("oxed{").length > 2) answer = `\\boxed{${afterLast(answer, "oxed{")}`;
  return withoutBrackets(cleanAnswer(answer.toLowerCase(), { patched: false }));
}

function announcedAnswer(response: string): string {
  let answer = strip(response);
  for (const c of "ABCDE") {
    const ends = answer.endsWith(` ${c}.`) || answer.endsWith(` (${c}).`);
    const starts = [`${c}\n`, `(${c})\n`, `(${c}) ${c}\n`].some((s) => answer.startsWith(s));
    if (ends || starts) answer = c;
  }
  const number = rstrip(afterLast(answer, "is "), ".");
  if (parseFloat(number) !== null) answer = number;
  if (answer.includes("oxed{")) return answer;
  for (const flag of FLAGS) {
    const found = answer.includes(flag);
    answer = strip(afterLast(answer, flag));
    if (found) answer = beforeFirst(beforeFirst(answer, "\n"), ". ");
  }
  return answer;
}

/** `(a)` and `{a}` are the letter alone. */
function withoutBrackets(answer: string): string {
  const bare = answer.replace(/\(([a-e])\)/g, "$1").replace(/\{([a-e])\}/g, "$1");
  return strip(lstrip(rstrip(bare, "."), ":"));
}

const DELETED = [
  ...["\\text", "\\mbox"],
  ...["\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3"],
  ...["{units}", "units", "{km}", "km"],
];

/** @param patched lmms-eval's repairs: a fraction's short form everywhere, the index of a root kept */
function cleanAnswer(lower: string, { patched }: { patched: boolean }): string {
  const whole = lower.replaceAll("{}", "");
  // Greedy: from the first box to the last closing brace of the whole text.
  const open = whole.indexOf("oxed{");
  const close = whole.lastIndexOf("}");
  let answer = open >= 0 && close >= open + 5 ? whole.slice(open + 5, close) : whole;
  const [left, right] = [answer.indexOf("{"), answer.indexOf("}")];
  if (right >= 0 && (left < 0 || right < left)) answer = answer.slice(0, right);
  answer = afterLast(afterLast(answer, "="), "\\approx")
    .replaceAll(" ", "")
    .replaceAll("\\,", "")
    .replaceAll("∞", "\\infty")
    .replaceAll("+\\infty", "\\infty")
    .replaceAll("\\\\", "\\")
    .replaceAll("\n", "");
  answer = removeAll(answer, ["\\text", "\\mbox"]).replaceAll("bmatrix", "pmatrix");
  return stripString(removeAll(answer, DELETED.slice(2)), patched);
}

function removeAll(text: string, parts: readonly string[]): string {
  return parts.reduce((rest, part) => rest.replaceAll(part, ""), text);
}

/** The clean-up that MATH's graders have handed down since Hendrycks et al. (arXiv 2103.03874), with MATH-V's changes. */
function stripString(raw: string, patched: boolean): string {
  let text = removeAll(raw, ["\n", "\\!"]).replaceAll("\\\\", "\\");
  text = text.replaceAll("tfrac", "frac").replaceAll("dfrac", "frac");
  text = removeAll(text, ["\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "$"]);
  text = removeAll(beforeFirst(text, "\\text{ "), ["\\%"]);
  text = text.replaceAll(" .", " 0.").replaceAll("{.", "{0.");
  if (text === "") return text;
  if (text.startsWith(".")) text = `0${text}`;
  for (const sign of ["=", "\\approx"]) {
    const sides = text.split(sign);
    if (sides.length === 2) text = sides[1];
  }
  const hasRoot = text.includes("sqrt");
  if (hasRoot) text = braceRoots(text, patched);
  text = text.replaceAll(" ", "");
  if (hasRoot || patched) text = braceFractions(text);
  if (text === "0.5") text = "\\frac{1}{2}";
  return text.replace(/^(0|-?[1-9]\d*)\/(0|-?[1-9]\d*)$/, "\\frac{$1}{$2}");
}

/** `\sqrt3` to `\sqrt{3}`. The authors' rule spoils `\sqrt[3]{8}` in the same way. */
function braceRoots(text: string, keepIndex: boolean): string {
  const [head, ...tails] = text.split("\\sqrt");
  const kept = keepIndex ? "{[" : "{";
  return tails.reduce((out, tail) => {
    const first = Array.from(tail.slice(0, 2))[0] ?? "";
    const braced = first === "" || kept.includes(first);
    return `${out}\\sqrt${braced ? tail : `{${first}}${tail.slice(first.length)}`}`;
  }, head);
}

/** `\frac12` to `\frac{1}{2}`; a fraction with less than two characters behind it leaves the text as it was. */
function braceFractions(text: string): string {
  const [head, ...tails] = text.split("\\frac");
  let out = head;
  for (const tail of tails) {
    if (tail.startsWith("{")) {
      out += `\\frac${tail}`;
      continue;
    }
    const [a, b, ...rest] = Array.from(tail);
    if (b === undefined) return text;
    out += `\\frac{${a}}${b === "{" ? b : `{${b}}`}${rest.join("")}`;
  }
  return out;
}

/** Right if it equals the letter or the text of the gold option. */
function judgeByRounding(extraction: string, record: BenchRecord): Step<Judgement> {
  const gold = goldText(record);
  const choices = options(record);
  const choice = choices[gold.charCodeAt(0) - 65] ?? "";
  const correct =
    roundedEqual(gold, extraction) || (choices.length > 0 && roundedEqual(choice, extraction));
  return { value: { prediction: extraction, correct }, rule: "is-equal" };
}

/** Equal as texts, as tuples of numbers with two decimals, or as numbers with two decimals. */
function roundedEqual(a: string, b: string): boolean {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  if (/^ *$/.test(left) || /^ *$/.test(right)) return false;
  if (strip(left) === strip(right)) return true;
  const [x, y] = [tupleText(left), tupleText(right)];
  if (x === y) return true;
  const [p, q] = [numberOf(x), numberOf(y)];
  return p !== null && q !== null && twoDecimals(p) === twoDecimals(q);
}

function numberOf(latex: string): PythonNumber | null {
  const node = parseExpression(latex, "latex2sympy2");
  return node === null ? null : pythonValue(node);
}

/** A tuple or list with every item as Python prints it after rounding; any other text, or one item that fails, as it is. */
function tupleText(latex: string): string {
  const open = latex[0];
  if (!(open === "(" && latex.endsWith(")")) && !(open === "[" && latex.endsWith("]"))) {
    return latex;
  }
  const items = latex.slice(1, -1).split(",");
  if (items.length < 2 || items.length > 1000) return latex;
  const shown: string[] = [];
  for (const item of items) {
    const kept = item.includes("infty") || item === "a" || item === "-a";
    const value = kept ? null : numberOf(item);
    if (!kept && value === null) return latex;
    shown.push(value === null ? item : printed(value));
  }
  return open + shown.join(",") + latex.slice(-1);
}

function printed(value: PythonNumber): string {
  return value.integer ? String(value.value) : floatRepr(twoDecimals(value));
}

// ---- lmms-eval

/** The authors' rule with lmms-eval's repairs: the last balanced box, `\text{…}` unwrapped, short fractions, root indices. */
function patchedAnswer(response: string): string {
  const announced = announcedAnswer(response).toLowerCase();
  const inner = lastBoxed(announced) ?? announced;
  const unwrapped = inner.replace(/\\text\{([^{}]*)\}/g, "$1");
  return withoutBrackets(cleanAnswer(unwrapped, { patched: true }));
}

/** The content of the last `\boxed{…}` whose braces match. */
export function lastBoxed(text: string): string | null {
  const start = text.lastIndexOf("oxed{");
  if (start < 0) return null;
  let depth = 1;
  for (let at = start + 5; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return text.slice(start + 5, at);
  }
  return null;
}

// ---- VLMEvalKit

/** What VLMEvalKit takes without asking a model: the option it can infer, or a free answer that is right already. */
function prefetch(response: string, record: BenchRecord): Step<string | null> {
  const inner = firstBox(response);
  const choices = options(record);
  const inferred = choices.length > 0 ? inferOption(inner, choices) : null;
  if (inferred !== null) return { value: inferred, rule: "prefetch" };
  if (choices.length === 0 && closeEqual(inner, goldText(record))) {
    return { value: inner, rule: "prefetch" };
  }
  return {
    value: choices.length > 0 ? "" : inner,
    rule: "prefetch-failed",
    ask: extractionQuestion("mathvision", optionalText(record, "question") ?? "", response),
  };
}

function judgeByInference(extraction: string, record: BenchRecord): Step<Judgement> {
  const inner = firstBox(extraction);
  const choices = options(record);
  const prediction = choices.length > 0 ? inferOption(inner, choices) : inner;
  const correct = prediction !== null && closeEqual(prediction, goldText(record));
  return { value: { prediction, correct }, rule: choices.length > 0 ? "option" : "is-equal" };
}

function firstBox(response: string): string {
  const start = response.indexOf("\\boxed{");
  const end = start < 0 ? -1 : response.indexOf("}", start);
  return end < 0 ? response : response.slice(start + 7, end);
}

/** Equal as texts or within 1e-6: no rounding, and so stricter than the authors' rule. */
function closeEqual(a: string, b: string): boolean {
  const [left, right] = [strip(a.toLowerCase()), strip(b.toLowerCase())];
  if (left === right) return true;
  const [p, q] = [numberOf(left), numberOf(right)];
  return p !== null && q !== null && Math.abs(p.value - q.value) < 1e-6;
}
