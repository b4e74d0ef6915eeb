/** MMK12's test split: four options inside the question. There is no biology among the embedded problems. */
import {
  listOptions,
  optionsOf,
  pictureOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
} from "./format";

const SUBJECT: BySubject = {
  arithmetic: "math",
  statistics: "math",
  geometry: "math",
  measurement: "math",
  physics: "physics",
  chemistry: "chemistry",
};

export const format: SuiteFormat = {
  benchmark: "mmk12",
  json: "list",
  records: (items) =>
    items.map((item, index) => {
      const options = optionsOf(item, 4);
      const id = String(index + 1);
      return {
        file: "test",
        fields: {
          ...{ id, question: `${item.problem.question}\n${listOptions(options, ". ")}` },
          ...{ answer: options.letter, subject: subjectWord(item, SUBJECT) },
        },
        pictures: { image: pictureOf(item, id) },
      };
    }),
};
