/** MATH-Vision's test split: options are five texts or none, pictures are named in the question. */
import type { VisualMathItem } from "../problems";
import {
  asksAngle,
  optionsOf,
  pictureOf,
  solutionOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
} from "./format";

const SUBJECT: BySubject = {
  arithmetic: "counting",
  statistics: "statistics",
  geometry: "metric geometry - length",
  measurement: "metric geometry - length",
  physics: "arithmetic",
  chemistry: "algebra",
};

export const format: SuiteFormat = {
  benchmark: "mathvision",
  json: "lines",
  decoded: "decoded_image",
  records: (items) =>
    items.map((item, index) => {
      const id = String(index + 1);
      const options = index % 2 === 0 ? optionsOf(item, 5) : null;
      return {
        file: "test",
        fields: {
          ...{ id, question: `${item.problem.question}\n<image1>`, options: options?.texts ?? [] },
          answer: options?.letter ?? item.problem.answer,
          // The authors explain a quarter of theirs.
          solution: index % 4 === 0 ? solutionOf(item) : null,
          ...{ level: item.problem.level, subject: subjectOf(item) },
        },
        pictures: { image: pictureOf(item, id) },
      };
    }),
};

function subjectOf(item: VisualMathItem): string {
  return asksAngle(item) ? "metric geometry - angle" : subjectWord(item, SUBJECT);
}
