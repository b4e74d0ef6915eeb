/** EMMA's mathematics, physics and chemistry: a letter for questions with options, a word or number for open ones. */
import {
  optionsOf,
  pictureOf,
  solutionOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
} from "./format";

const SUBJECT: BySubject = {
  arithmetic: "Math",
  statistics: "Math",
  geometry: "Math",
  measurement: "Math",
  physics: "Physics",
  chemistry: "Chemistry",
};

export const format: SuiteFormat = {
  benchmark: "emma",
  json: "list",
  records: (items) =>
    items.map((item, index) => {
      const subject = subjectWord(item, SUBJECT);
      const pid = `${subject.toLowerCase()}_${index + 1}`;
      const options = index % 2 === 0 ? optionsOf(item, 4) : null;
      return {
        file: subject,
        fields: {
          ...{
            pid,
            question: `<image_1>\n${item.problem.question}`,
            options: options?.texts ?? [],
          },
          ...{
            answer: options?.letter ?? item.problem.answer,
            solution: solutionOf(item),
            subject,
          },
          ...{ task: item.problem.subject, category: item.problem.family, source: "visual-math" },
          // Both spellings occur in the authors' files.
          type:
            options === null
              ? "Open-ended"
              : index % 4 === 0
                ? "Multiple Choice"
                : "Multiple choice",
          context: "",
        },
        pictures: { image_1: pictureOf(item, pid) },
      };
    }),
};
