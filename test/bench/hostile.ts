/** Texts that keep parsers, patterns and arithmetic busy. None of them says 61, 30 or 61/7. */
import type { BenchRecord } from "../../lib/bench/benchmark";

const SIZE = 1e5;
const of = (piece: string): string => piece.repeat(Math.ceil(SIZE / piece.length));

const TEXTS: readonly string[] = [
  // long runs, for patterns that backtrack
  ...[
    "9",
    "(",
    "$",
    "<answer>",
    "the answer is ",
    "so is ",
    "Answer: ",
    "1,",
    "1 000 ",
    "a1",
    "-",
    "=",
  ].map(of),
  of(" ") + "x",
  of("\n") + "x",
  of("9") + "x",
  of("9") + ",",
  of("9e") + "9,",
  of("1,000") + "x",
  `answer is${of(" ")}`,
  `The answer is "${of("a")}`,
  // brackets and chains, for the parsers
  ...[
    "\\boxed{",
    "\\frac",
    "\\text{",
    "\\mathrm{",
    "\\text{a}",
    "\\frac{",
    "\\sqrt[",
    "\\left(",
    "|",
  ].map(of),
  of("{") + of("}"),
  `(${of("1,")}1)`,
  `[${of("1,")}1]`,
  `${of("1+")}1`,
  `${of("-")}1`,
  `\\boxed{${"(".repeat(1900)}1${")".repeat(1900)}}`,
  `\\boxed{${"\\frac{1}{".repeat(300)}2${"}".repeat(300)}}`,
  `\\boxed{${"1\\pm".repeat(400)}1}`,
  `\\boxed{${"[0,1)\\cup".repeat(400)}[0,1)}`,
  `\\boxed{${"x,".repeat(1500)}x}`,
  // numbers without end, for arithmetic
  ...["9^{9^{9^{9^9}}}", "170!!!!!!", "\\boxed{9^{9^{9^{9^9}}}}", "\\boxed{((((9!)!)!)!)!}"],
  of("2^") + "2",
  "\\boxed{\\binom{10^9}{5\\cdot 10^8}}",
  "1e999999999",
  // no text
  "\u0000\ud800",
];

/** Records that are every benchmark's: a question with options, and an open one. MathVista maps any text to a choice, so it has none. */
const RECORDS: readonly BenchRecord[] = [
  {
    ...{ id: "1", pid: "7", question: "How many?", level: 1, subject: "Math" },
    ...{ question_type: "free_form", answer_type: "integer", type: "Multiple Choice" },
    ...{ options: ["10", "20", "30"], final_answer: ["61"], answer: "30", precision: null },
  },
  {
    ...{ id: "1", pid: "7", question: "How many?", level: 1, subject: "Math" },
    ...{ question_type: "open", answer_type: "float", type: "Open-ended", precision: 2 },
    ...{ options: [], final_answer: ["$x=\\frac{61}{7}$, $(1,61)$"], answer: "\\frac{61}{7}" },
  },
];

/** Each record with each text that it is answered with. */
export function hostileTexts(): { record: BenchRecord; response: string }[] {
  return RECORDS.flatMap((record) => TEXTS.map((response) => ({ record, response })));
}
