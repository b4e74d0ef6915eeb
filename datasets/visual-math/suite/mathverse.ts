/** MathVerse's testmini: every problem in five versions, from all in the text to all in the picture. */
import { drawItem, type VisualMathItem } from "../problems";
import {
  asksAngle,
  listOptions,
  optionsOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
} from "./format";
import { drawPage } from "./page";

const SUBJECT: BySubject = {
  arithmetic: "Functions",
  statistics: "Functions",
  geometry: "Plane Geometry",
  measurement: "Plane Geometry",
  physics: "Functions",
  chemistry: "Functions",
};
const SUBFIELD: BySubject = {
  arithmetic: "Applied",
  statistics: "Property",
  geometry: "Length",
  measurement: "Length",
  physics: "Applied",
  chemistry: "Expression",
};

/** Text Dominant says what the picture shows as well; Vision Only has even the question in the picture. */
const VERSIONS = [
  "Text Dominant",
  "Text Lite",
  "Vision Intensive",
  "Vision Dominant",
  "Vision Only",
] as const;

export const format: SuiteFormat = {
  benchmark: "mathverse",
  json: "list",
  records: (items) =>
    items.flatMap((item, problem) =>
      VERSIONS.map((version, v) => {
        const multiple = problem % 2 === 0;
        const options = multiple ? optionsOf(item, 4) : null;
        const choices = options === null ? "" : `\nChoices:\n${listOptions(options, ":")}`;
        const whole = item.problem.question + choices;
        const question =
          version === "Vision Only"
            ? ""
            : version === "Text Dominant"
              ? `${item.problem.reading} ${whole}`
              : whole;
        const drawn = version === "Vision Only" ? drawPage(item, whole) : drawItem(item);
        return {
          file: "testmini",
          fields: {
            sample_index: String(problem * VERSIONS.length + v + 1),
            problem_index: String(problem + 1),
            ...{
              problem_version: version,
              question,
              answer: options?.letter ?? item.problem.answer,
            },
            question_type: multiple ? "multi-choice" : "free-form",
            metadata: metadata(item),
            ...{
              query_wo: query(DIRECT, multiple, question),
              query_cot: query(COT, multiple, question),
            },
            question_for_eval: whole,
          },
          pictures: { image: { name: `version-${v + 1}-${problem + 1}.png`, svg: drawn } },
        };
      }),
    ),
};

type Ask = (form: string) => string;
const DIRECT: Ask = (form) => `Please directly answer the question and provide ${form}.`;
const COT: Ask = (form) =>
  `Please first conduct reasoning, and then answer the question and provide ${form}, at the end.`;

function query(ask: Ask, multiple: boolean, question: string): string {
  const form = multiple
    ? "the correct option letter, e.g., A, B, C, D"
    : "the final value, e.g., 1, 2.5, 300";
  return `${ask(form)}\nQuestion: ${question}`;
}

function metadata(item: VisualMathItem): Record<string, string> {
  const subfield = asksAngle(item) ? "Angle" : subjectWord(item, SUBFIELD);
  return {
    ...{ split: "testmini", source: "visual-math" },
    ...{ subject: subjectWord(item, SUBJECT), subfield },
  };
}
