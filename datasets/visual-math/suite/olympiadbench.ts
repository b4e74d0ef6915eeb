/** OlympiadBench's multimodal English competitions: open answers between dollars, lists of one. */
import { pictureOf, solutionOf, subjectWord, type BySubject, type SuiteFormat } from "./format";

const SUBFIELD: BySubject = {
  arithmetic: "Combinatorics",
  statistics: "Algebra",
  geometry: "Geometry",
  measurement: "Geometry",
  physics: "Mechanics",
  chemistry: "Thermodynamics",
};

export const format: SuiteFormat = {
  benchmark: "olympiadbench",
  json: "list",
  records: (items) =>
    items.map((item, index) => {
      const physics = ["physics", "chemistry"].includes(item.problem.subject);
      return {
        file: `OE_MM_${physics ? "physics" : "maths"}_en_COMP`,
        fields: {
          ...{ id: index + 1, question: `${item.problem.question}\n<image_1>` },
          ...{ solution: [solutionOf(item)], final_answer: [`$${item.problem.answer}$`] },
          context: physics ? "The picture shows all that is given." : null,
          ...{ modality: "Multimodal", difficulty: "Competition", is_multiple_answer: false },
          // Every other physics problem allows for a reading error.
          ...{
            unit: null,
            answer_type: "Numerical",
            error: physics && index % 2 === 0 ? "1e-1" : null,
          },
          ...{ question_type: "Open-ended", subfield: subjectWord(item, SUBFIELD) },
          ...{ subject: physics ? "Physics" : "Math", language: "English" },
        },
        pictures: { image_1: pictureOf(item, String(index + 1)) },
      };
    }),
};
