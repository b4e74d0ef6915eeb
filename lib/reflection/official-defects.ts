/**
 * Where SRPO's published reward function departs from the paper, one by one, each with a response on which the two pay
 * differently. A notebook shows this list beside what both presets pay; the tests hold each of them to it.
 */
import type { AnswerType, Problem } from "../types";
import { rewardConfig } from "./reward-config";
import { scoreResponse } from "./rewards";
import { parseResponse, renderResponse, renderSolution } from "./template";

export interface Defect {
  name: string;
  /** What the paper says, or what a reader would expect. */
  paper: string;
  /** What the published function does. */
  code: string;
  gold: Pick<Problem, "answer" | "answerType" | "choices">;
  response: string;
}

/** Two solutions with the given answers; everything else is well formed. */
function twoAnswers(first: string, second: string): string {
  return renderResponse({
    first: { think: "The ones make 11, the tens make 6.", answer: first },
    reflection: "Adding again from the tens.",
    second: { think: "So it is this.", answer: second },
  });
}

const gold = (answer: string, answerType: AnswerType = "number", choices?: string[]) => ({
  answer,
  answerType,
  ...(choices === undefined ? {} : { choices }),
});
const number = gold("61");
const letters = (answer: string) => gold(answer, "choice", ["51", "61", "71", "81", "91"]);

export const officialDefects: readonly Defect[] = [
  {
    name: "no I_ref",
    paper: "I_ref pays 0.25 for a properly formatted reflection (eq 6).",
    code: "There is no such term.",
    gold: number,
    response: twoAnswers("$61$", "$61$"),
  },
  {
    name: "failing first pays",
    paper: "R_accuracy is paid on the first solution (eq 5): W→R earns less than R→R.",
    code: "The 0.5 goes to whichever answer is right, so that W→R earns 1.0 and R→R 0.75.",
    gold: number,
    response: twoAnswers("$51$", "$61$"),
  },
  {
    name: "one answer is worth nothing",
    paper: "A right first solution is accurate whatever follows.",
    code: "Two values are unpacked into three, the error is caught far away, and the whole reward is 0.",
    gold: number,
    response: renderSolution({ think: "The ones make 11, the tens make 6.", answer: "$61$" }),
  },
  {
    name: "no second think is worth nothing",
    paper: "A missing part costs the format, not the rest.",
    code: "The same error: responses in the shape of the published SFT data earn 0 for everything.",
    gold: number,
    response: twoAnswers("$61$", "$61$").replace("<think>So it is this.</think>", ""),
  },
  {
    name: "bare letters lose I_eff",
    paper: "The table of transitions holds for multiple choice too.",
    code: "`A` is not verified against `$A$`, and a fall-back pays 1.0 if the last answer holds the letter: R→W earns nothing.",
    gold: letters("A"),
    response: twoAnswers("A", "B"),
  },
  {
    name: "letters are searched in words",
    paper: "A wrong answer earns nothing.",
    code: "The fall-back searches lower-cased text: `half` holds an a and no b, c or d, and is worth 1.0 where A is right.",
    gold: letters("A"),
    response: twoAnswers("half", "half"),
  },
  {
    name: "only four choices",
    paper: "A question may have any number of choices.",
    code: "The fall-back knows a, b, c and d: a bare E is never right.",
    gold: letters("E"),
    response: twoAnswers("E", "E"),
  },
  {
    name: "an unreadable gold answer pays everybody",
    paper: "Nothing can be right where there is no gold answer.",
    code: "Where the gold answer cannot be parsed every response is paid 1.0, and a line is printed.",
    gold: gold("\\", "text"),
    response: twoAnswers("$51$", "$52$"),
  },
  {
    name: "gold and prediction are swapped",
    paper: "A prediction is verified against the gold answer.",
    code: "`verify(prediction, gold)` has its arguments in the wrong order: rules that hold in one direction flip, and the sum that the question asked for is taken for the answer.",
    gold: number,
    response: twoAnswers("$34+27$", "$34+27$"),
  },
  {
    name: "bare numbers are not read",
    paper: "An answer is what stands in the answer tag.",
    code: "The parser is handed the tags and reads no number straight after one: `<answer>61</answer>` is wrong, `<answer>$61$</answer>` right. Only with `readsBareNumbers: false`: else this preset would pay policies that write no LaTeX for nothing but the format.",
    gold: number,
    response: twoAnswers("61", "61"),
  },
  {
    name: "text before the template",
    paper: "The response is the template.",
    code: "Anything may stand before the first tag.",
    gold: number,
    response: "Let me see. " + twoAnswers("$61$", "$61$"),
  },
  {
    name: "blank parts are well formed",
    paper: "A reflection is there when it says something.",
    code: "One space between the tags satisfies the format.",
    gold: number,
    response: twoAnswers("$61$", "$61$").replace("Adding again from the tens.", " "),
  },
  {
    name: "any number of answers",
    paper: "The second solution's answer is compared with the first's.",
    code: "The last of all answers is: a third one after a wrong second is paid as the correction.",
    gold: number,
    response: twoAnswers("$51$", "$52$") + "<answer>$61$</answer>",
  },
];

/** A defect with what the two presets pay for its response. */
export interface DefectRow {
  defect: string;
  paper: string;
  code: string;
  response: string;
  gold: string;
  /** Totals without the length term, which depends on the tokenizer. */
  "paper pays": number;
  "code pays": number;
}

/** The defects with what both pay: rows for a table. */
export function defectRows(): DefectRow[] {
  return officialDefects.map((defect) => ({
    defect: defect.name,
    paper: defect.paper,
    code: defect.code,
    response: defect.response,
    gold: defect.gold.answer,
    "paper pays": totalOf(defect, "paper"),
    "code pays": totalOf(defect, "official-code"),
  }));
}

function totalOf({ response, gold: problem, name }: Defect, preset: "paper" | "official-code") {
  const readsBareNumbers = name !== "bare numbers are not read";
  return scoreResponse({
    response: parseResponse(response),
    problem,
    config: rewardConfig(preset, { readsBareNumbers, alpha: 0 }),
    tokenCount: () => 1,
  }).total;
}
