/** One spelling for what LaTeX and plain text write in many ways, before an answer is read. */

/** Longer texts are no answers, and some of the patterns below take time that grows with the square of the length. */
export const MAX_FORMULA = 1500;

/** From left to right; each line is one habit of writers. */
const SPELLINGS: readonly [RegExp, string][] = [
  [/\\m?(?:left|right)\s*\.|\\m?(?:left|right)(?![a-z])|\\[bB]igg?[lrm]?(?![a-z])/g, ""],
  [/\\[dtc]frac(?![a-z])/g, "\\frac"],
  [/\\(?:math(?:rm|it|bf|sf|tt)|text(?:normal|bf|it|rm|sf)|mbox)(?![a-z])/g, "\\text"],
  [/\\displaystyle(?![a-z])|\\text(?:style|\s*\{\s*\})|\\!\s*|\\\$|\$|(?<!\\)"/g, ""],
  [/\s*\{\s*,\s*\}\s*/g, ","],
  [/(?<!\\)\\[,;:> ]|~|\\q?quad(?![a-zA-Z])|\\q?quad(?=x)/g, " "],
  [/\s*,?\s*\\text\s*\{\s*,?\s*(?:and|or)\s*\}\s*/g, ","],
  [/,?\s*(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])/g, ","],
  [/\s*\\text\s*\{\s*(?:percentage|percent|pct)\s*\}/g, "\\%"],
  [/\s*\b(?:percentage|percent|pct)\b/g, "\\%"],
  [/(?<![\\a-z])inf(?:inity|ty)?(?![a-z])/g, "\\infty"],
  [/,?\s*\\[lc]?dots(?![a-z])/g, " "],
  [/\\varnothing(?![a-z])/g, "\\emptyset"],
  [/\\begin\{(?:array|[bBv]?matrix)\}(?:\{[lcr|]*\})?/g, "\\begin{pmatrix}"],
  [/\\end\{(?:array|[bBv]?matrix)\}/g, "\\end{pmatrix}"],
  [/[\n\t\r]+/g, " "],
];

/** Slips that a reader forgives: `sqrt(2)`, `\frac12`, `\frac 1 {72}`, `x^(n+1)`. */
const SLIPS: readonly [RegExp, string][] = [
  [/\^\s?\(([^()]*)\)/g, "^{$1}"],
  [/\\?(?<![a-z])sqrt\s?\(([^()]*)\)/g, "\\sqrt{$1}"],
  [/(?<![\\a-z])sqrt(?![a-z])/g, "\\sqrt"],
  [/\\(sqrt|frac)\s+(?=[\d{])/g, "\\$1"],
  [/\\sqrt(\d)/g, "\\sqrt{$1}"],
  [/\\frac(\d)\s?(\d)/g, "\\frac{$1}{$2}"],
  [/\\frac(\d)\s?(?=\{)/g, "\\frac{$1}"],
  [/(\\frac\{[^{}]*\})\s?(\d)/g, "$1{$2}"],
  [/(^|[\s{(])\.(?=\d)/g, "$10."],
];

/** The formula in one spelling. Brackets of a matrix go, so that `\left[\begin{array}…` is a matrix and not a list. */
export function tidyLatex(latex: string): string {
  let text = latex;
  // A doubled backslash ends a row of a matrix; elsewhere somebody has escaped twice.
  if (!/matrix|array/.test(text)) text = text.replace(/\\\\(?=[a-zA-Z([{\])}])/g, "\\");
  text = text.replace(/\\begin\{vmatrix\}/g, "\\det\\begin{pmatrix}");
  for (const [pattern, spelling] of [...SPELLINGS, ...SLIPS]) {
    text = text.replace(pattern, spelling);
  }
  return text
    .replace(/[[(]\s*(\\begin\{pmatrix\})/g, "$1")
    .replace(/(\\end\{pmatrix\})\s*[\])]/g, "$1")
    .trim();
}

const UNIT = String.raw`(?:${[
  "[kcmdn]?m|mm|km|cm|dm|ft|feet|foot|in(?:ch)?|inches|yards?|yd|miles?|mi|met(?:er|re)s?|(?:kilo|centi|milli)met(?:er|re)s?",
  "[km]?g|gm|grams?|kilograms?|lbs?|pounds?|ounces?|oz|tons?|tonnes?",
  "ms|s|secs?|seconds?|mins?|minutes?|hrs?|h|hours?|days?|weeks?|months?|yrs?|years?|[ap]\\.?m\\.?",
  "[km]?[lL]|lit(?:er|re)s?|gallons?|cups?|acres?|hectares?|mph|km/h|m/s",
  "deg(?:ree)?s?|radians?|cents?|dollars?|rupees?|euros?|units?|square|sq|cubic|cu",
  "points?|digits?|students?|people|men|women|coins?|apples?|tiles?|edges?|marks?|numbers?|ways?|times?|more|less",
].join("|")})`;
const TRAILING_UNIT = new RegExp(String.raw`(\d|\}|\s)\s*${UNIT}(?:\^\{?\d\}?)?\s*\.?$`);
const WHOLE_UNIT = new RegExp(`^${UNIT}$`);
const TRAILING_TEXT = /\\text\s*\{[^{}]*\}\s*(?:\^\s*\{?\s*-?\d\s*\}?)?\.?$/;

/** Without the text or the unit that ends it, and the power on that; never empty where `latex` is not. */
export function withoutUnits(latex: string): string {
  let text = latex.trim();
  for (const pattern of [TRAILING_TEXT, TRAILING_UNIT, TRAILING_UNIT]) {
    const shorter = text.replace(pattern, (_, kept?: unknown) =>
      typeof kept === "string" ? kept : "",
    );
    if (shorter.trim() !== "") text = shorter.trim();
  }
  return text;
}

/** The text or the word of several letters that ends an answer, apart: `2\\sqrt3\\text{ cm}`, `\\frac13 meters`. */
export function splitUnit(latex: string): { body: string; unit: string | null } {
  const found =
    /^(.*[\d}).!])\s*(?:\\text\s*\{([^{}]*)\}(\^\s*\{?\s*-?\d\s*\}?)?|(?<=[\s}\d])([a-zA-Z]{2,}))\.?$/s.exec(
      latex,
    );
  const word = found?.[4];
  if (found === null || (word !== undefined && !WHOLE_UNIT.test(word))) {
    return { body: latex, unit: null };
  }
  return { body: found[1], unit: ((found[2] ?? "") + (found[3] ?? "") + (word ?? "")).trim() };
}

const SIGNS: Readonly<Record<string, string>> = {
  "≤": "\\le ",
  "⩽": "\\le ",
  "≥": "\\ge ",
  "⩾": "\\ge ",
  "≠": "\\ne ",
  "≈": "\\approx ",
  "±": "\\pm ",
  "∓": "\\mp ",
  "×": "\\times ",
  "·": "\\cdot ",
  "⋅": "\\cdot ",
  "÷": "/",
  "∈": "\\in ",
  "∪": "\\cup ",
  "∩": "\\cap ",
  "∅": "\\emptyset ",
  "∞": "\\infty ",
  "°": "^\\circ ",
  π: "\\pi ",
  θ: "\\theta ",
  α: "\\alpha ",
  β: "\\beta ",
  γ: "\\gamma ",
  λ: "\\lambda ",
  ω: "\\omega ",
  ℝ: "\\mathbb{R}",
};

/** Mathematical signs of Unicode as LaTeX commands; `√3` and `√(x+1)` with their root closed. */
export function spellUnicode(text: string): string {
  return text
    .replace(
      /√\s*(?:\(([^()]*)\)|\{([^{}]*)\}|(\w+))/g,
      (_, a?: string, b?: string, c?: string) => {
        return `\\sqrt{${a ?? b ?? c ?? ""}}`;
      },
    )
    .replace(/[≤⩽≥⩾≠≈±∓×·⋅÷∈∪∩∅∞°πθαβγλωℝ]/gu, (sign) => SIGNS[sign]);
}
