/** MathVista's testmini: a map from pid to record, with choices, units and precisions. */
import type { VisualMathItem } from "../problems";
import {
  asksAngle,
  optionsOf,
  pictureOf,
  subjectWord,
  type BySubject,
  type SuiteFormat,
} from "./format";

const TASK: BySubject = {
  arithmetic: "math word problem",
  statistics: "figure question answering",
  geometry: "geometry problem solving",
  measurement: "visual question answering",
  physics: "textbook question answering",
  chemistry: "textbook question answering",
};
const SKILL: BySubject = {
  arithmetic: "numeric commonsense",
  statistics: "statistical reasoning",
  geometry: "geometry reasoning",
  measurement: "numeric commonsense",
  physics: "scientific reasoning",
  chemistry: "scientific reasoning",
};
const CONTEXT: Readonly<Record<string, string>> = {
  bars: "bar chart",
  lines: "line plot",
  pie: "pie chart",
  table: "table",
  triangle: "geometry diagram",
  rectangle: "geometry diagram",
};

/** Of ten: five with choices, four whole numbers, one with a decimal place. */
type Kind = "choice" | "integer" | "float";
const kindOf = (index: number): Kind =>
  index % 2 === 0 ? "choice" : index % 10 === 9 ? "float" : "integer";

export const format: SuiteFormat = {
  benchmark: "mathvista",
  json: { by: "pid" },
  decoded: "decoded_image",
  records: (items) =>
    items.map((item, index) => {
      const pid = String(index + 1);
      return {
        file: "testmini",
        fields: { ...asked(item, kindOf(index)), pid, metadata: metadata(item) },
        pictures: { image: pictureOf(item, pid) },
      };
    }),
};

function asked(item: VisualMathItem, kind: Kind): Record<string, unknown> {
  const { question, answer } = item.problem;
  const free = { question, choices: null, unit: unitOf(item), question_type: "free_form" };
  if (kind === "integer") return { ...free, precision: null, answer, answer_type: "integer" };
  if (kind === "float") {
    return { ...free, precision: 1, answer: `${answer}.0`, answer_type: "float" };
  }
  return {
    ...{ question, choices: optionsOf(item, 4).texts, unit: null, precision: null },
    ...{ answer, question_type: "multi_choice", answer_type: "text" },
  };
}

const unitOf = (item: VisualMathItem): string | null => (asksAngle(item) ? "°" : null);

function metadata(item: VisualMathItem): Record<string, unknown> {
  const { problem, style } = item;
  const skills = new Set(["arithmetic reasoning", subjectWord(item, SKILL)]);
  return {
    ...{ split: "testmini", language: "english", img_width: style.width, img_height: style.height },
    ...{ source: `visual-math/${problem.family}`, category: "math-targeted-vqa" },
    ...{ task: subjectWord(item, TASK), context: CONTEXT[problem.family] ?? "abstract scene" },
    ...{ grade: problem.level < 3 ? "elementary school" : "high school", skills: [...skills] },
  };
}
