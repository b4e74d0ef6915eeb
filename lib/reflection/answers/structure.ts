/**
 * What an answer states: a value, a word, a list, a set, a tuple, an interval, a relation. The structure is read here, by
 * brackets and separators; the formulas inside are read by `mathjson.ts`.
 */
import { complete } from "../../engine/lists";
import { argsOf, digitsOf, headOf, readFormula, type MathJson } from "./mathjson";
import { MAX_FORMULA } from "./notation";

export type Sign = "=" | "≠" | "<" | "≤" | ">" | "≥";

export type Answer =
  | { kind: "value"; tree: MathJson; source: string; percent: boolean }
  | { kind: "word"; text: string }
  /** `a < b ≤ c`: one sign less than sides. */
  | { kind: "relation"; sides: Answer[]; signs: Sign[] }
  /** In the order written; `braces` where it was written as a set and not as a list. */
  | { kind: "set"; items: Answer[]; braces: boolean }
  | { kind: "tuple"; items: Answer[] }
  | { kind: "interval"; low: Answer; high: Answer; lowOpen: boolean; highOpen: boolean }
  | { kind: "combination"; operation: "∪" | "∩" | "∖"; left: Answer; right: Answer };

/** Structures within structures; a deeper one is no answer. */
const MAX_DEPTH = 6;
/** Items of a list; `1,2,1,2,…` would be compared with each other. */
const MAX_ITEMS = 64;
/** Signs in a chain of equations or inequalities. */
const MAX_CHAIN = 16;

/** Reads an answer whose spelling is tidy already. `null` where it states nothing readable. Never throws. */
export function readAnswer(latex: string): Answer | null {
  return latex.length > MAX_FORMULA ? null : read(latex, 0);
}

function read(latex: string, depth: number): Answer | null {
  const text = stripped(latex);
  if (text === "" || depth > MAX_DEPTH) return null;
  if (/^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(text)) return value(text.replace(/,/g, ""));

  const groups = split(text, /;/y).parts;
  const lists = groups.map((group) =>
    split(group, /,/y).parts.filter((part) => part.trim() !== ""),
  );
  if (lists.length > 1 || lists[0].length > 1) return readList(lists, depth);
  if (lists[0].length === 0) return null;
  // A comma at the end of a list of one.
  const single = lists[0][0].trim();
  return single === text ? readRelation(text, depth) : read(single, depth + 1);
}

/** `1,2;3,4` is a set of tuples; `x=1,2` says two values of x; `x=1,y=2` is a set of equations. */
function readList(lists: string[][], depth: number): Answer | null {
  if (lists.flat().length > MAX_ITEMS) return null;
  if (lists.length > 1 && lists.some((list) => list.length > 1)) {
    const rows = complete(
      lists.filter((list) => list.length > 0).map((list) => readItems(list, depth)),
    );
    if (rows === null) return null;
    return { kind: "set", items: rows.map((items) => ({ kind: "tuple", items })), braces: false };
  }
  const parts = readItems(lists.flat(), depth);
  if (parts === null) return null;
  const [first, ...rest] = parts;
  if (rest.length > 0 && isAssignment(first) && rest.every(({ kind }) => kind !== "relation")) {
    const values = [first.sides[first.sides.length - 1], ...rest];
    return {
      ...first,
      sides: [...first.sides.slice(0, -1), { kind: "set", items: values, braces: false }],
    };
  }
  return { kind: "set", items: parts.flatMap(spread), braces: false };
}

/** `\pm1, \pm2` are four values. */
const spread = (item: Answer): Answer[] =>
  item.kind === "set" && !item.braces ? item.items : [item];

function readItems(parts: readonly string[], depth: number): Answer[] | null {
  return complete(parts.map((part) => read(part, depth + 1)));
}

const RELATION =
  /\\(?:neq?|leqslant|geqslant|leqq?|geqq?|le|ge|lt|gt|approx|in|notin|simeq)(?![a-zA-Z])|[<>]=?|!=|=/y;
const SIGN_OF: Readonly<Record<string, Sign>> = {
  "=": "=",
  "\\in": "=",
  "!=": "≠",
  "\\ne": "≠",
  "\\neq": "≠",
  "\\notin": "≠",
  "<": "<",
  "\\lt": "<",
  ">": ">",
  "\\gt": ">",
  "<=": "≤",
  "\\le": "≤",
  "\\leq": "≤",
  "\\leqq": "≤",
  "\\leqslant": "≤",
  ">=": "≥",
  "\\ge": "≥",
  "\\geq": "≥",
  "\\geqq": "≥",
  "\\geqslant": "≥",
};

/** `x ∈ S` names a set as `x = …` names a number, and is read as such. */
function readRelation(text: string, depth: number): Answer | null {
  const { parts, separators } = split(text, RELATION);
  if (separators.length === 0) return readCombination(text, depth);
  if (separators.length > MAX_CHAIN) return null;
  const approximate = separators.findIndex((sign) => /approx|simeq/.test(sign));
  if (approximate >= 0) return readApproximation(parts, separators, approximate, depth);
  const sides = readItems(parts, depth);
  if (sides === null) return null;
  return { kind: "relation", sides, signs: separators.map((sign) => SIGN_OF[sign]) };
}

/** `k ≈ 0.3` names a value; in `1/3 ≈ 0.33` the value that counts stands before the sign. */
function readApproximation(
  parts: readonly string[],
  separators: readonly string[],
  at: number,
  depth: number,
): Answer | null {
  const before = parts
    .slice(0, at + 1)
    .map((part, index) => part + (index < at ? separators[index] : ""))
    .join(" ");
  const left = read(before, depth + 1);
  return left !== null && isName(left) ? read(parts[at + 1], depth + 1) : left;
}

/** From the loosest to the tightest; of one strength the last is split first, as differences are taken from the left. */
const OPERATIONS = [
  ["∖", /\\(?:setminus|backslash)(?![a-zA-Z])/y],
  ["∪", /(?:\\cup|\\bigcup|U(?=\s*[([]))(?![a-zA-Z])/y],
  ["∩", /\\(?:big)?cap(?![a-zA-Z])/y],
] as const;

function readCombination(text: string, depth: number): Answer | null {
  for (const [operation, pattern] of OPERATIONS) {
    const { parts, separators } = split(text, pattern);
    if (separators.length === 0) continue;
    if (parts.length > MAX_ITEMS) return null;
    const items = readItems(parts, depth);
    return (
      items?.reduce((left, right) => ({ kind: "combination", operation, left, right })) ?? null
    );
  }
  return readBracketed(text, depth) ?? readWord(text) ?? readSigned(text, depth);
}

/** A whole in brackets: `(1,2)`, `[0,1)`, `\{1,2\}`, `{1,2}`, and `(x)`, which says no more than `x`. */
function readBracketed(text: string, depth: number): Answer | null {
  const open = /^(?:\\\{|\\lbrace|[([{])/.exec(text)?.[0];
  const close = /(?:\\\}|\\rbrace|[)\]}])$/.exec(text)?.[0];
  if (open === undefined || close === undefined) return null;
  if (closingOf(text, 0) !== text.length - close.length) return null;
  const inner = text.slice(open.length, text.length - close.length);
  if (open.includes("{") || open.startsWith("\\")) return readBraces(inner, open, depth);
  const parts = split(inner, /[,;]/y);
  if (parts.separators.length === 0) return readParenthesised(inner, open, close, depth);
  const items = readItems(parts.parts, depth);
  if (items === null || items.length > MAX_ITEMS) return null;
  if (items.length !== 2 || parts.separators[0] === ";" || !items.every(isValue)) {
    return { kind: "tuple", items };
  }
  const [low, high] = items;
  const [lowOpen, highOpen] = [open === "(", close === ")"];
  const [a, b] = [numberOf(low), numberOf(high)];
  // From high to low is no interval; a point's coordinates may be so.
  if (a !== null && b !== null && lowOpen === highOpen && (lowOpen ? b <= a : b < a)) {
    return { kind: "tuple", items };
  }
  return { kind: "interval", low, high, lowOpen, highOpen };
}

function readBraces(inner: string, open: string, depth: number): Answer | null {
  if (inner.trim() === "") return { kind: "set", items: [], braces: true };
  const content = read(inner, depth + 1);
  if (content === null) return null;
  if (content.kind === "set" && !content.braces) return { ...content, braces: true };
  // A group of LaTeX is no set.
  return open === "{" ? content : { kind: "set", items: [content], braces: true };
}

function readParenthesised(
  inner: string,
  open: string,
  close: string,
  depth: number,
): Answer | null {
  // `[x]` is the whole part of x somewhere and a list of one elsewhere.
  if (open !== "(" || close !== ")") return null;
  const content = read(inner, depth + 1);
  return content?.kind === "value" && !content.percent
    ? { ...content, source: inner.trim() }
    : content;
}

/** An end of an interval where it is a plain number, `null` where it has to be calculated. */
function numberOf({ ...item }: Answer): number | null {
  if (item.kind !== "value") return null;
  const tree = item.tree;
  if (tree === "PositiveInfinity") return Infinity;
  if (headOf(tree) === "Negate" && argsOf(tree)[0] === "PositiveInfinity") return -Infinity;
  const [above, over] = headOf(tree) === "Divide" ? argsOf(tree) : [tree, 1];
  const [a, b] = [digitsOf(above), digitsOf(over)];
  return a === null || b === null ? null : Number(a) / Number(b);
}

function readWord(text: string): Answer | null {
  const words = /^(?:\\text\s*\{[^{}]*\}\s*)+\.?$/.exec(text);
  if (words === null) return null;
  const inside = text.replace(/\\text\s*\{([^{}]*)\}/g, "$1").replace(/[\s()*]/g, "");
  const bare = inside.replace(/\.$/, "");
  if (bare === "") return null;
  return /^-?[\d.,/]+%?$/.test(bare) ? read(bare, MAX_DEPTH) : { kind: "word", text: bare };
}

/** `1 ± √2` states two values. */
function readSigned(text: string, depth: number): Answer | null {
  if (!/\\(?:pm|mp)(?![a-zA-Z])/.test(text)) return value(text);
  const signed = [
    text.replace(/\\pm(?![a-zA-Z])/g, "+").replace(/\\mp(?![a-zA-Z])/g, "-"),
    text.replace(/\\pm(?![a-zA-Z])/g, "-").replace(/\\mp(?![a-zA-Z])/g, "+"),
  ];
  const items = readItems(signed, depth);
  return items === null ? null : { kind: "set", items, braces: false };
}

function value(text: string): Answer | null {
  const percent = /\s*\\?%$/.exec(text);
  const source = percent === null ? text : text.slice(0, percent.index);
  const tree = readFormula(source);
  if (tree === "EmptySet") return { kind: "set", items: [], braces: true };
  return tree === null ? null : { kind: "value", tree, source, percent: percent !== null };
}

/** Without spaces around, a full stop at the end, and a group that holds all. */
function stripped(latex: string): string {
  const text = latex.trim().replace(/(?<=[^.\d])\.$/, "");
  return text.trim();
}

export type Value = Answer & { kind: "value" };

export const isValue = (answer: Answer): answer is Value => answer.kind === "value";

/** What stands left of an equation when it is a name (`x`, `a_n`, `AB`, `f(x)`, `|AB|`) and no number. */
export function isName(answer: Answer): boolean {
  if (answer.kind === "word") return true;
  if (answer.kind === "tuple") return answer.items.every(isName);
  if (answer.kind === "interval") return isName(answer.low) && isName(answer.high);
  return answer.kind === "value" && !answer.percent && onlyLetters(answer.tree);
}

/** Operators whose letters are no name: `dy/dx`, a sum, a root. */
const NO_NAMES = new Set([
  "D",
  "Integrate",
  "Sum",
  "Product",
  "Limit",
  "Sqrt",
  "Root",
  "Subtract",
  "Matrix",
]);

function onlyLetters(tree: MathJson): boolean {
  if (typeof tree === "string") return !["Pi", "ExponentialE", "PositiveInfinity"].includes(tree);
  const head = headOf(tree);
  if (head === "Subscript") return true;
  if (head === null || NO_NAMES.has(head)) return false;
  const args = argsOf(tree);
  // `f^{-1}(x)` and `f'(x)`.
  return args.every(
    (part) => onlyLetters(part) || JSON.stringify(part) === '["Negate",1]' || head === "Derivative",
  );
}

/** `x = 3`, `x = 1+2 = 3`: a name and what it is. */
export function isAssignment(answer: Answer): answer is Answer & { kind: "relation" } {
  return isEquation(answer) && isName(answer.sides[0]);
}

export function isEquation(answer: Answer): answer is Answer & { kind: "relation" } {
  return answer.kind === "relation" && answer.signs.every((sign) => sign === "=");
}

/**
 * The parts between separators that stand in no bracket, group or environment. Linear.
 * @param separator sticky: it is looked for at one place after the other
 */
function split(text: string, separator: RegExp): { parts: string[]; separators: string[] } {
  const [parts, separators]: [string[], string[]] = [[], []];
  let start = 0;
  for (let at = 0; at < text.length;) {
    const end = closingOf(text, at);
    if (end > at) {
      at = end + 1;
      continue;
    }
    separator.lastIndex = at;
    const found = separator.exec(text)?.[0];
    if (found !== undefined) {
      parts.push(text.slice(start, at));
      separators.push(found);
      start = at + found.length;
    }
    at += found?.length ?? (text[at] === "\\" ? 2 : 1);
  }
  parts.push(text.slice(start));
  return { parts, separators };
}

/**
 * Where the bracket that opens at `at` closes: the position of the closing one, which may be of another shape, for
 * `[0,1)` is an interval. `at` itself where no bracket opens there or it stays open.
 */
function closingOf(text: string, at: number): number {
  if (!opens(text, at)) return at;
  let depth = 0;
  for (let i = at; i < text.length;) {
    if (opens(text, i)) depth++;
    if (closes(text, i) && --depth === 0) return i;
    i += text[i] === "\\" && "{}\\".includes(text[i + 1] ?? "") ? 2 : 1;
  }
  return at;
}

const opens = (text: string, at: number): boolean =>
  "([{".includes(text[at]) || text.startsWith("\\{", at) || text.startsWith("\\begin", at);

const closes = (text: string, at: number): boolean =>
  ")]}".includes(text[at]) || text.startsWith("\\}", at) || text.startsWith("\\end", at);
