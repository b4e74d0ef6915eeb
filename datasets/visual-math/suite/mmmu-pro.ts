/** MMMU-Pro's three configurations: ten options, four options, and the whole question in the picture. */
import type { VisualMathItem } from "../problems";
import { pythonStr } from "../../../lib/bench/python-literal";
import {
  listOptions,
  optionsOf,
  pictureOf,
  solutionOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
  type SuiteRecord,
} from "./format";
import { drawPage } from "./page";

const SUBJECT: BySubject = {
  arithmetic: "Accounting",
  statistics: "Economics",
  geometry: "Math",
  measurement: "Mechanical_Engineering",
  physics: "Physics",
  chemistry: "Chemistry",
};

const CONFIGURATIONS = [
  { file: "standard (10 options)", options: 10, vision: false },
  { file: "standard (4 options)", options: 4, vision: false },
  { file: "vision", options: 10, vision: true },
] as const;

export const format: SuiteFormat = {
  benchmark: "mmmu-pro",
  json: "list",
  records: (items) =>
    CONFIGURATIONS.flatMap(({ file, options: count, vision }) =>
      items.map((item, index): SuiteRecord => {
        const subject = subjectWord(item, SUBJECT);
        const id = `test_${subject}_${index + 1}`;
        const options = optionsOf(item, count);
        const fields = { id, options: pythonStr(options.texts), answer: options.letter, subject };
        if (vision) {
          const svg = drawPage(item, `${item.problem.question}\n${listOptions(options, ". ")}`);
          return { file, fields, pictures: { image: { name: `${id}-page.png`, svg } } };
        }
        return {
          file,
          fields: { ...fields, ...standard(item) },
          pictures: { image_1: pictureOf(item, id) },
        };
      }),
    ),
};

function standard(item: VisualMathItem): Record<string, unknown> {
  return {
    ...{ question: `<image 1> ${item.problem.question}`, explanation: solutionOf(item) },
    ...{ img_type: "['Diagrams']", topic_difficulty: item.problem.level < 3 ? "Easy" : "Medium" },
  };
}
