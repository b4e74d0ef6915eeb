/**
 * Plain question-and-answer records with the field names that data sets and benchmarks use: `{question, image, answer, options}` and
 * their like, as an array, an object by id, or JSON Lines. PuzzleVQA's caption and reasoning become reading and steps.
 */
import { picturesOf, requiredText, textOf, textsOf } from "./fields";
import { readJsonRecords } from "./json-records";
import { readParquet } from "./parquet";
import type { Row, Source } from "./source";
import { questionAndAnswer } from "./text";

export const records: Source = {
  name: "records",
  title: "question-and-answer records",
  licence: "as of the user's file",
  path: "a JSON, JSONL or parquet file of {question, image, answer, options?, …}",
  rows: (path) => (path.endsWith(".parquet") ? readParquet(path) : readJsonRecords(path)),
  draftOf: (row) => {
    const reading = textOf(row, "caption");
    const solution = textOf(row, "solution");
    const steps = [textOf(row, "explanation"), textOf(row, "deduction")].flatMap((s) => s ?? []);
    if (steps.length === 0 && solution !== undefined) steps.push(...paragraphs(solution));
    return {
      id: textOf(row, "id", "pid", "qid", "sample_index"),
      images: picturesOf(row),
      ...questionAndAnswer({
        ask: questionOf(row),
        answer: requiredText(row, "answer"),
        choices: textsOf(row, "options", "choices"),
        questionType: textOf(row, "question_type"),
      }),
      family: textOf(row, "puzzle", "family", "source") ?? "records",
      subject: (textOf(row, "subject", "category") ?? "general").replace(/\s+/g, " ").trim(),
      level: levelOf(row),
      ...(reading === undefined ? {} : { reading }),
      ...(steps.length === 0 ? {} : { steps }),
    };
  },
};

const paragraphs = (text: string): string[] =>
  text.split(/\n+/).flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));

/** The question of a record, under whatever name. @throws LabError when there is none */
export function questionOf(row: Row): string {
  return requiredText(row, "question", "problem", "query", "problem_text", "prompt");
}

function levelOf(row: Row): number {
  const level = Number(textOf(row, "level") ?? 1);
  return Number.isSafeInteger(level) && level >= 1 ? level : 1;
}
