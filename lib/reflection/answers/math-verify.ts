/**
 * The rule of math-verify 0.9.0 (Hugging Face; the rule behind open-r1's and TRL's accuracy rewards): extracts the answers
 * of two whole solutions and compares them. What it decides differently from the lab's own rule: 28 for `28\%` is right
 * and 28 for 0.28 wrong, decimals agree in six places, `i` is a letter as any other, degrees and units say nothing, case
 * says nothing.
 */
import { boxesFromEnd, type Box } from "./boxed";
import { closeValues, sameAnswer, sameAtPoints, type Comparison } from "./compare";
import { exactValue, sameFraction } from "./exact";
import { candidatesOf, type Candidate } from "./extraction";
import { digitsOf, lettersOf, readFormula, type MathJson } from "./mathjson";
import { MAX_FORMULA, tidyLatex, withoutUnits } from "./notation";
import { isValue, readAnswer, type Answer, type Value } from "./structure";

export interface MathVerifyConfig {
  /** Which extractors look: formulas, plain numbers. */
  matchTypes?: readonly ("latex" | "expr")[];
  /** Places to which a decimal is rounded (`float_rounding`). */
  precision?: number;
  /** Without it letters may be renamed: `y+1` for `x+1`. */
  strict?: boolean;
  /** A gold set may be given as a relation. */
  allowSetRelationComp?: boolean;
  /** A box comes before "the final answer is", as in the library's own tests; by its defaults the two are of one rank. */
  boxedFirst?: boolean;
}

/** What was found: the answer, where it could be read, and the text of the first place that was looked at. */
export interface Extraction {
  answer: Answer | null;
  text: string | null;
}

/** Whether the prediction's answer is the gold one's. Never throws. */
export function mathVerify(
  gold: string,
  prediction: string,
  config: MathVerifyConfig = {},
): boolean {
  const wanted = mathVerifyExtract(gold, config);
  const given = mathVerifyExtract(prediction, config);
  if (wanted.answer !== null && given.answer !== null) {
    const by = comparisonOf(config);
    const renamed =
      config.strict === false ? renameLetters(wanted.answer, given.answer) : given.answer;
    if (sameAnswer(wanted.answer, renamed, by) === true) return true;
  }
  return wanted.text !== null && wanted.text !== "" && wanted.text === given.text;
}

/** The answer of a whole solution: the best candidate that can be read. */
export function mathVerifyExtract(solution: string, config: MathVerifyConfig = {}): Extraction {
  const { matchTypes = ["latex", "expr"], boxedFirst = false } = config;
  const ranks = candidatesOf(solution, {
    latex: matchTypes.includes("latex"),
    expr: matchTypes.includes("expr"),
    boxedFirst,
  });
  let text: string | null = null;
  for (const candidate of ranks.flat()) {
    const found = read(candidate);
    text ??= found.text;
    if (found.answer !== null) return { answer: found.answer, text };
  }
  return { answer: null, text };
}

function read(candidate: Candidate): Extraction {
  switch (candidate.kind) {
    case "number":
      return readNumber(candidate);
    case "box":
      return readLatex(adjacentBoxes(candidate.latex));
    case "formula": {
      const found = candidate.formulas.map(({ latex, percent }) => {
        const { answer, text } = readLatex(allBoxes(latex));
        return { answer: percent ? withPercent(answer) : answer, text };
      });
      const answers = found.flatMap(({ answer }) => answer ?? []);
      if (found.length === 1 || answers.length < found.length) return found[0];
      const items = answers.flatMap((answer) => (answer.kind === "set" ? answer.items : [answer]));
      return {
        answer: { kind: "set", items, braces: false },
        text: found.map(({ text }) => text).join(" and "),
      };
    }
  }
}

function readNumber({ number, arithmetic, percent }: Candidate & { kind: "number" }): Extraction {
  const source = number ?? arithmetic ?? "";
  const latex = source
    .replace(/\*\*/g, "^")
    .replace(/\^\s*(-?\d+)/g, "^{$1}")
    .replace(/[*×]/g, "\\cdot ")
    .replace(/÷/g, "/");
  const tree: MathJson | null =
    number !== null && /[.]/.test(number) ? { num: number } : readFormula(tidyLatex(latex));
  return {
    answer: tree === null ? null : { kind: "value", tree, source, percent },
    text: source,
  };
}

/** The formula in one spelling and as an answer; of a chain of equations that cannot be read, its last side. */
function readLatex(latex: string): Extraction {
  if (latex.length > MAX_FORMULA) return { answer: null, text: latex.trim() };
  const text = withoutUnits(tidyLatex(latex)).replace(/\^\{?\s*\\circ\s*\}?/g, "");
  const sides = /[,;]/.test(text) ? [] : text.split(/(?<![\\<>!])=/);
  const answer =
    readAnswer(text) ?? (sides.length > 2 ? readAnswer(sides[sides.length - 1]) : null);
  return { answer, text };
}

function withPercent(answer: Answer | null): Answer | null {
  return answer !== null && isValue(answer) ? { ...answer, percent: true } : answer;
}

// ---- boxes

/** All boxes of a formula as a list; the formula itself where it has none. */
function allBoxes(latex: string): string {
  const { boxes, open } = boxesFromEnd(latex);
  return open ?? (boxes.length === 0 ? latex : listed(boxes));
}

/** The last box, and those before it that belong to it: close by, or joined by a comma, "and" or "or". */
function adjacentBoxes(latex: string): string {
  const { boxes, open } = boxesFromEnd(latex);
  if (open !== null || boxes.length === 0) return open ?? latex;
  const belonging = [boxes[0]];
  for (const [i, box] of boxes.slice(1).entries()) {
    const between = latex.slice(box.end + 1, boxes[i].start);
    const joined = between.length < 70 && /\b(?:and|or)\b|[,;]/.test(between);
    if (between.length >= 10 && !(joined && box.content !== boxes[i].content)) break;
    belonging.push(box);
  }
  return listed(belonging);
}

/** In the order of the text; one that only repeats its neighbour is left out. */
function listed(boxesFromTheEnd: readonly Box[]): string {
  return boxesFromTheEnd
    .map(({ content }) => content)
    .filter((content, i, contents) => content !== contents[i - 1])
    .reverse()
    .join(",");
}

// ---- comparison

const READING = { foldCase: true, imaginary: false, degrees: false };

function comparisonOf({
  precision = 6,
  allowSetRelationComp = false,
}: MathVerifyConfig): Comparison {
  return {
    reading: READING,
    relationForSet: allowSetRelationComp,
    anyName: false,
    anyEquation: true,
    bracesCount: false,
    sameValue: (gold, prediction) => sameValue(gold, prediction, precision),
  };
}

/**
 * A decimal is compared after rounding, an integer exactly; a percentage is its hundredth, but whole per cents equal the
 * bare number too.
 */
function sameValue(gold: Value, prediction: Value, places: number): boolean | null {
  const [a, b] = [gold, prediction].map(({ tree }) => digitsOf(tree));
  if (gold.percent || prediction.percent) {
    const whole = isWhole(a) && isWhole(b);
    if (whole && sameTree(gold.tree, prediction.tree, places)) return true;
    return sameTree(scaled(gold), scaled(prediction), places);
  }
  return sameTree(gold.tree, prediction.tree, places);
}

const scaled = ({ tree, percent }: Value): MathJson => (percent ? ["Divide", tree, 100] : tree);

const isWhole = (digits: string | null): boolean => digits !== null && /^-?\d+$/.test(digits);
const isDecimal = (tree: MathJson): boolean => {
  const digits = digitsOf(Array.isArray(tree) && tree[0] === "Divide" ? tree[1] : tree);
  return digits !== null && !isWhole(digits);
};

function sameTree(gold: MathJson, prediction: MathJson, places: number): boolean | null {
  if (JSON.stringify(gold) === JSON.stringify(prediction)) return true;
  const [a, b] = [exactValue(gold), exactValue(prediction)];
  if (a !== null && b !== null && sameFraction(a, b)) return true;
  const exact = [gold, prediction].some((tree) => isWhole(digitsOf(tree)));
  if ((isDecimal(gold) || isDecimal(prediction)) && !exact) {
    const rounded = (x: number): number => roundHalfEven(x * 10 ** places);
    return sameAtPoints(
      gold,
      prediction,
      READING,
      (x, y) => x.im === 0 && y.im === 0 && rounded(x.re) === rounded(y.re),
    );
  }
  if (a !== null && b !== null) return false;
  return sameAtPoints(gold, prediction, READING, closeValues);
}

/** 12.5 is 12 and 13.5 is 14, as Python rounds. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

// ---- letters by position

/** The prediction with its letters replaced by those of the gold answer, where both have as many. */
function renameLetters(gold: Answer, prediction: Answer): Answer {
  const [given, wanted] = [lettersIn(prediction), lettersIn(gold)];
  if (given.length !== wanted.length) return prediction;
  // A letter that both have stays itself.
  const from = given.filter((letter) => !wanted.includes(letter));
  const to = wanted.filter((letter) => !given.includes(letter));
  const names = new Map(from.map((letter, i) => [letter, to[i]]));
  return mapTrees(prediction, (tree) => renamed(tree, names));
}

function lettersIn(answer: Answer): string[] {
  const letters: string[] = [];
  mapTrees(answer, (tree) => {
    letters.push(...lettersOf(tree));
    return tree;
  });
  return [...new Set(letters)].sort();
}

function renamed(tree: MathJson, names: ReadonlyMap<string, string>): MathJson {
  if (typeof tree === "string") return names.get(tree) ?? tree;
  if (!Array.isArray(tree)) return tree;
  return [tree[0], ...tree.slice(1).map((part) => renamed(part, names))];
}

function mapTrees(answer: Answer, map: (tree: MathJson) => MathJson): Answer {
  const recurse = (inner: Answer): Answer => mapTrees(inner, map);
  switch (answer.kind) {
    case "value":
      return { ...answer, tree: map(answer.tree) };
    case "word":
      return answer;
    case "relation":
      return { ...answer, sides: answer.sides.map(recurse) };
    case "set":
    case "tuple":
      return { ...answer, items: answer.items.map(recurse) };
    case "interval":
      return { ...answer, low: recurse(answer.low), high: recurse(answer.high) };
    case "combination":
      return { ...answer, left: recurse(answer.left), right: recurse(answer.right) };
  }
}
