/**
 * MMK12 (MM-EUREKA, arXiv 2503.07365): 2,000 questions with four options inside the question, 500 each of mathematics,
 * physics, chemistry and biology; and its fill-in forerunner K12, 500 questions of mathematics.
 */
import { goldOf } from "../../reflection/answer-type";
import { judge as compareAnswers } from "../../reflection/equality";
import type { Benchmark, BenchRecord, Judgement } from "../benchmark";
import { goldText, identity, imagesThenText, optionalText, overall, tally, text } from "../fields";
import type { Step } from "../judge";
import { correctnessQuestion, FIVE_TRIES } from "../judge-questions";
import { afterLast } from "../../reflection/answers/python";
import { lastBoxed } from "./mathvision";

export const benchmark: Benchmark = {
  name: "mmk12",
  title: "MMK12",
  sets: {
    test: { repository: "FanqingM/MMK12", files: /^data\/test-[^/]*\.parquet$/, size: 2000 },
  },
  origins: [
    "Its own train split (15,616 problems of the same kind) is what MM-EUREKA and others train on.",
  ],
  idFields: ["id", "index"],
  extractionField: "extraction",

  problem(record, images) {
    return {
      id: identity(record, benchmark.idFields),
      question: text(record, "question"),
      images: [...images],
      answer: text(record, "answer"),
      answerType: isLetter(record) ? "choice" : "number",
      family: subjectOf(record),
      level: 1,
      subject: subjectOf(record),
      source: isLetter(record) ? "MMK12" : "K12",
    };
  },

  prompt(record, style) {
    const form = isLetter(record)
      ? "the option's letter in one \\boxed{}"
      : "the final answer in one \\boxed{}";
    const how = style === "cot" ? "Reason step by step, then put" : "Without explanation, put";
    return imagesThenText(1, `${text(record, "question")}\n${how} ${form}.`);
  },

  /** A fill-in without a box is judged as it stands, as in the authors' script; lmms-eval shows its judge all of every response. */
  extract(response, record, rules) {
    const stated = rules === "lmms-eval" && !isLetter(record) ? null : lastBoxed(response);
    if (stated !== null) return { value: stated.trim(), rule: "boxed" };
    return isLetter(record) ? statedLetter(response) : { value: response, rule: "whole-response" };
  },

  /**
   * The authors and both harnesses ask a model yes or no. For a letter a rule is enough; for a fill-in the rule that stands in
   * looks at the last line of what the model would be shown.
   */
  judge(extraction, record): Step<Judgement> {
    const gold = goldText(record);
    if (isLetter(record)) {
      const prediction = letterIn(extraction);
      const correct = prediction !== null && prediction === letterIn(gold);
      return { value: { prediction, correct }, rule: "letter" };
    }
    const { prediction, correct } = compareAnswers(lastLine(extraction), goldOf(gold));
    const question = optionalText(record, "question") ?? "";
    const asked = correctnessQuestion({
      ...{ question, gold, response: extraction, temperatures: FIVE_TRIES },
    });
    return {
      value: { prediction, correct },
      rule: "equality",
      ask: {
        ...asked,
        read: (reply) => {
          const right = asked.read(reply);
          return right === null ? null : { prediction: extraction, correct: right };
        },
        otherwise: { prediction: extraction, correct: false },
      },
    };
  },

  aggregate(rows) {
    return { average: overall(rows), subject: tally(rows, (record) => [subjectOf(record)]) };
  },
};

function subjectOf(record: BenchRecord): string {
  return optionalText(record, "subject") ?? "math";
}

function isLetter(record: BenchRecord): boolean {
  return /^\s*\(?[A-Z]\)?\.?\s*$/.test(goldText(record));
}

/** `B`, `(B)`, `B.`, `\text{B}`, `B. 12 cm`: the letter that a short answer begins with. */
function letterIn(answer: string): string | null {
  const bare = answer.replace(/\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}/g, "$1").trim();
  return /^[$\\({\s]*([A-Z])(?![A-Za-z])/.exec(bare)?.[1] ?? null;
}

/** The letter behind the last announcement, else the last capital that stands alone. */
function statedLetter(response: string): Step<string | null> {
  const tail = afterLast(response, "nswer");
  if (tail !== response) {
    const announced = /^[^A-Z\n]{0,40}([A-Z])(?![A-Za-z])/.exec(tail)?.[1];
    if (announced !== undefined) return { value: announced, rule: "announced" };
  }
  const alone = response.match(/(?<![A-Za-z])[A-D](?![A-Za-z'])/g);
  return { value: alone?.[alone.length - 1] ?? null, rule: alone ? "last-letter" : "no-option" };
}

function lastLine(response: string): string {
  return afterLast(response.trim(), "\n").trim();
}
