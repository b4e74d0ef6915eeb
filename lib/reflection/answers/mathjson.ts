/**
 * Reads one formula without relations and lists: LaTeX in, MathJSON out. The parser is Compute Engine's, loaded when it is
 * first needed (0.03 s): most answers are plain numbers and never need it. Only its parser is used. Its symbolic equality
 * works with exact integers and can be kept busy for minutes by `9^{9^{9^9}}`.
 */

/** MathJSON as the parser gives it. */
export type MathJson =
  | string
  | number
  | { num: string }
  | { str: string }
  | { fn: MathJson[] }
  | { dict: object }
  | MathJson[];

interface Parser {
  parse(latex: string): MathJson;
}

/** Past these a formula is not looked at: the parser backtracks, and its time doubles with each open bracket or bar. */
const LIMITS = { length: 400, depth: 8, squareDepth: 3, bars: 6 };

let parser: Parser | undefined;

/** The formula's tree without the marks of its layout; `null` where it cannot be read. Never throws. */
export function readFormula(latex: string): MathJson | null {
  const text = latex.trim();
  // LaTeX knows no spaces: `6 1` would be read as 61. In `\log_2 8` the first digit is a base.
  if (text === "" || /(?:^|[^_^\d])\d+\s+\d/.test(text) || !withinLimits(text)) return null;
  // What the parser makes of these is known, and they are most of what stands in lists and intervals.
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  if (/^[a-zA-Z]$/.test(text)) return text;
  const reader = loadParser();
  try {
    const tree = plain(reader.parse(text));
    return holds(tree, "Error") || tree === "Nothing" ? null : tree;
  } catch {
    // A third-party parser on text from a policy: whatever it throws means that the text was not readable.
    return null;
  }
}

function loadParser(): Parser {
  if (parser === undefined) {
    const { LatexSyntax } = require("@cortex-js/compute-engine/latex-syntax") as {
      LatexSyntax: new () => Parser;
    };
    parser = new LatexSyntax();
  }
  return parser;
}

function withinLimits(text: string): boolean {
  if (text.length > LIMITS.length) return false;
  let [depth, square, bars] = [0, 0, 0];
  for (const char of text) {
    if (char === "|") bars++;
    if (char === "[") square++;
    if (char === "]") square--;
    if ("([{".includes(char)) depth++;
    if (")]}".includes(char)) depth--;
    if (depth > LIMITS.depth || square > LIMITS.squareDepth || bars > LIMITS.bars) return false;
  }
  return true;
}

/** Without parentheses, spacing and styles, which say nothing once the text is a tree. */
function plain(tree: MathJson): MathJson {
  if (!Array.isArray(tree)) return typeof tree === "object" && "fn" in tree ? plain(tree.fn) : tree;
  const [head, ...parts] = tree;
  if (head === "Delimiter" && parts.length > 0) {
    const inner = plain(parts[0]);
    return headOf(inner) === "Sequence" ? ["Tuple", ...argsOf(inner)] : inner;
  }
  if (head === "Annotated") return plain(parts[0]);
  if (head === "Power" && JSON.stringify(parts[1]) === '["Negate",1]') {
    // `\sin^{-1} x` is the inverse function, `(\sin x)^{-1}` the reciprocal.
    const inverse = INVERSES[headOf(parts[0]) ?? ""];
    if (inverse !== undefined) return [inverse, ...argsOf(parts[0]).map(plain)];
  }
  const kept = parts.filter((part) => headOf(part) !== "HorizontalSpacing").map(plain);
  if (head === "InvisibleOperator" && kept.length === 1) return kept[0];
  return [head, ...kept];
}

const INVERSES: Readonly<Record<string, string>> = {
  Sin: "Arcsin",
  Cos: "Arccos",
  Tan: "Arctan",
  Cot: "Arccot",
};

function holds(tree: MathJson, head: string): boolean {
  if (!Array.isArray(tree)) return false;
  return tree[0] === head || tree.some((part) => holds(part, head));
}

export function headOf(tree: MathJson): string | null {
  return Array.isArray(tree) && typeof tree[0] === "string" ? tree[0] : null;
}

export function argsOf(tree: MathJson): MathJson[] {
  return Array.isArray(tree) ? tree.slice(1) : [];
}

/** The digits of a number as it was written, `null` where the tree is no number. A repeating part stays in brackets. */
export function digitsOf(tree: MathJson): string | null {
  if (typeof tree === "number") return String(tree);
  if (typeof tree === "object" && "num" in tree) return tree.num;
  const inner = headOf(tree) === "Negate" ? digitsOf(argsOf(tree)[0]) : null;
  return inner === null || inner.startsWith("-") ? null : `-${inner}`;
}

/** The letters of a formula, each once. */
export function lettersOf(tree: MathJson): string[] {
  if (typeof tree === "string") return /^[a-z](_\w+)?$/i.test(tree) && tree !== "e" ? [tree] : [];
  return [...new Set(argsOf(tree).flatMap(lettersOf))];
}
