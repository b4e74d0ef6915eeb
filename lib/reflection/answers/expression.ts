/**
 * LaTeX as the official scorers read it. MATH-V and EMMA hand an answer to the package `latex2sympy2`, OlympiadBench to
 * `sympy.parsing.latex`; what those two grammars accept, where they stop reading and what they make of `e`, `f(x)` or
 * `1 \frac{1}{2}` decides verdicts, so a general mathematics library would judge other answers right. Both grammars
 * read as much of the text as makes an expression and leave the rest: `12)` is 12, `12cm` a product of three.
 */
import { tokenize, UNREADABLE, type Grammar, type Token } from "./expression-tokens";

export type Node =
  | { op: "number"; value: number; integer: boolean }
  | { op: "symbol"; name: string }
  | { op: Operation; args: Node[] }
  /** A letter applied to arguments, `f(x)`. */
  | { op: "apply"; name: string; args: Node[] };

export type Operation =
  | "add"
  | "multiply"
  | "divide"
  | "negate"
  | "power"
  | "factorial"
  | "abs"
  | "floor"
  | "ceil"
  | "binomial"
  | "root"
  | "log"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual"
  | "equal"
  | "unequal"
  | FunctionName;

const FUNCTIONS = [
  ...["sin", "cos", "tan", "csc", "sec", "cot", "sinh", "cosh", "tanh"],
  ...["asin", "acos", "atan", "acsc", "asec", "acot", "asinh", "acosh", "atanh", "exp"],
] as const;
type FunctionName = (typeof FUNCTIONS)[number];

/** Deeper nesting is refused, as Python's recursion limit does. */
const MAX_DEPTH = 120;
/** Longer texts are no answers. Python's recursion ends before that on a chain of as many factors. */
const MAX_LENGTH = 4000;

/** The expression at the start of a text, or `null` where the grammar finds none. Never throws. */
export function parseExpression(text: string, grammar: Grammar): Node | null {
  if (text.length > MAX_LENGTH) return null;
  try {
    return createParser(tokenize(text, grammar), grammar).relation();
  } catch (error) {
    if (error === UNREADABLE) return null;
    throw error;
  }
}

const CLOSING: Readonly<Record<string, string>> = {
  "(": ")",
  "[": "]",
  "{": "}",
  "\\{": "\\}",
  "\\lbrace": "\\rbrace",
  "\\lbrack": "\\rbrack",
  "\\lgroup": "\\rgroup",
  "|": "|",
  "\\lvert": "\\rvert",
  "\\lfloor": "\\rfloor",
  "\\lceil": "\\rceil",
};
const AROUND: Readonly<Record<string, Operation>> = {
  "|": "abs",
  "\\lvert": "abs",
  "\\lfloor": "floor",
  "\\lceil": "ceil",
};
const RELATIONS: Readonly<Record<string, Operation>> = {
  "=": "equal",
  "<": "less",
  "\\le": "lessEqual",
  "\\leq": "lessEqual",
  "\\leqslant": "lessEqual",
  ">": "greater",
  "\\ge": "greaterEqual",
  "\\geq": "greaterEqual",
  "\\geqslant": "greaterEqual",
  "\\ne": "unequal",
  "\\neq": "unequal",
};
const PRODUCTS = ["*", "\\times", "\\cdot", "/", "\\div", ":"];
const QUOTIENTS = ["/", "\\div", ":"];

function createParser(tokens: readonly Token[], grammar: Grammar): { relation: () => Node } {
  let at = 0;
  let depth = 0;
  /** How many `|…|` are open: inside one, the next bar closes. */
  let bars = 0;

  const peek = (ahead = 0): Token => {
    const token = tokens[Math.min(at + ahead, tokens.length - 1)];
    if (token.kind === "bad") throw UNREADABLE;
    return token;
  };
  const isSign = (text: string): boolean => peek().kind !== "number" && peek().text === text;
  const take = (text: string): boolean => {
    if (!isSign(text)) return false;
    at++;
    return true;
  };
  const expect = (text: string): void => {
    if (!take(text)) throw UNREADABLE;
  };
  const nested = <T>(read: () => T): T => {
    if (++depth > MAX_DEPTH) throw UNREADABLE;
    const value = read();
    depth--;
    return value;
  };
  const within = (open: string): Node => {
    expect(open);
    const outer = bars;
    bars = open === "|" ? bars + 1 : 0;
    const inner = nested(sum);
    bars = outer;
    expect(CLOSING[open]);
    return inner;
  };

  function relation(): Node {
    let left = sum();
    for (let op = RELATIONS[peek().text]; op !== undefined; op = RELATIONS[peek().text]) {
      at++;
      left = { op, args: [left, sum()] };
    }
    // A list is no number, and a comma that leads nowhere is an error.
    if (grammar === "latex2sympy2" && (isSign(",") || isSign(";"))) throw UNREADABLE;
    return left;
  }

  function sum(): Node {
    let left = product();
    while (isSign("+") || isSign("-")) {
      const minus = tokens[at++].text === "-";
      const right = product();
      left = { op: "add", args: [left, minus ? negate(right) : right] };
    }
    return left;
  }

  /** @param bare the argument of a function without parentheses, which holds no further function after its first factor */
  function product(bare = false): Node {
    let left = signed(bare);
    while (peek().kind !== "number" && PRODUCTS.includes(peek().text)) {
      const op = QUOTIENTS.includes(tokens[at++].text) ? "divide" : "multiply";
      left = { op, args: [left, signed(bare)] };
    }
    return left;
  }

  function signed(bare: boolean): Node {
    if (take("+")) return nested(() => signed(bare));
    if (take("-")) return negate(nested(() => signed(bare)));
    const factors = [withPostfix()];
    while (startsOperand() && !(bare && isFunction(peek().text))) factors.push(withPostfix());
    const kept = grammar === "sympy" ? withoutTimesSign(factors) : factors;
    return kept.reduce((left, right) => ({ op: "multiply", args: [left, right] }));
  }

  function startsOperand(): boolean {
    const { kind, text } = peek();
    if (kind === "number" || kind === "name") return true;
    return text === "|" ? bars === 0 : kind === "sign" && text in CLOSING;
  }

  function withPostfix(): Node {
    let node = withPower();
    while (true) {
      if (take("!")) node = { op: "factorial", args: [node] };
      else if (!(grammar === "latex2sympy2" && take("'"))) return node;
    }
  }

  function withPower(): Node {
    let node = operand();
    while (take("^")) node = { op: "power", args: [node, script()] };
    return node;
  }

  /** What stands raised or lowered: one atom, or an expression in braces. */
  function script(): Node {
    return isSign("{") ? within("{") : nested(atom);
  }

  function operand(): Node {
    const { kind, text } = peek();
    if (kind !== "number" && text in CLOSING) {
      const inner = within(text);
      return text in AROUND ? { op: AROUND[text], args: [inner] } : inner;
    }
    return isFunction(text) ? nested(() => functionCall(text)) : nested(atom);
  }

  function atom(): Node {
    const { kind, text } = peek();
    if (kind === "number") {
      at++;
      return readNumber(text);
    }
    if (kind !== "name" || text === "\\begin" || text === "\\end") throw UNREADABLE;
    at++;
    if (text === "\\frac" || (grammar === "sympy" && /^\\[dt]frac$/.test(text))) {
      return { op: "divide", args: [fractionPart(), fractionPart()] };
    }
    if (/^\\[dt]?binom$/.test(text)) return { op: "binomial", args: [within("{"), within("{")] };
    if (text === "\\infty") return { op: "number", value: Infinity, integer: false };
    if (grammar === "latex2sympy2") {
      if (text === "\\pi") return { op: "number", value: Math.PI, integer: false };
      if (text === "e") {
        const power: Node = take("^") ? script() : { op: "number", value: 1, integer: true };
        return { op: "exp", args: [power] };
      }
    }
    return symbol(text);
  }

  /** A letter or an unknown command with its subscript and primes; before a parenthesis it is a function. */
  function symbol(text: string): Node {
    let name = text.replace(/^\\/, "").replace(/[ \t\r\n\\]/g, "");
    if (take("_")) name += `_{${print(script())}}`;
    while (take("'")) name += "'";
    if (grammar === "latex2sympy2" || !isSign("(") || text.length > 1 !== text.startsWith("\\")) {
      return { op: "symbol", name };
    }
    const before = at;
    at++;
    const args = [nested(sum)];
    while (take(",")) args.push(nested(sum));
    if (take(")")) return { op: "apply", name, args };
    at = before;
    return { op: "symbol", name };
  }

  function fractionPart(): Node {
    const { kind, text } = peek();
    if (grammar === "sympy" && kind === "number") {
      // A single digit needs no braces; the digits after it are the next thing.
      const rest = text.slice(1).trim();
      if (rest === "") at++;
      else (tokens as Token[])[at] = { kind: "number", text: rest };
      return readNumber(text[0]);
    }
    return within("{");
  }

  function functionCall(command: string): Node {
    at++;
    const name = command.slice(1);
    if (name === "sqrt") {
      const index = isSign("[") ? within("[") : null;
      const base = within("{");
      return { op: "root", args: index === null ? [base] : [base, index] };
    }
    let base: Node | null = null;
    let power: Node | null = null;
    for (let turn = 0; turn < 2; turn++) {
      if (base === null && take("_")) base = script();
      else if (power === null && take("^")) power = script();
    }
    const argument = isSign("(") ? within("(") : nested(() => product(true));
    return withExponent(called(name, argument, base), power);
  }

  function called(name: string, argument: Node, base: Node | null): Node {
    if (name === "log" || name === "ln" || name === "lg") {
      // sympy prints its natural logarithm as \log and reads it back so.
      const ten = name === "lg" || (name === "log" && grammar === "latex2sympy2");
      const standard: Node = ten
        ? { op: "number", value: 10, integer: true }
        : { op: "number", value: Math.E, integer: false };
      return { op: "log", args: [argument, base ?? standard] };
    }
    return { op: functionName(name), args: [argument] };
  }

  return { relation };
}

function isFunction(command: string): boolean {
  return /^\\(?:sqrt|log|ln|lg)$/.test(command) || (command.startsWith("\\") && isNamed(command));
}

function isNamed(command: string): boolean {
  return (FUNCTIONS as readonly string[]).includes(functionName(command.slice(1)));
}

/** `arcsin` and `arsinh` as Python writes them. */
function functionName(name: string): FunctionName {
  return name.replace(/^arc?(?=(?:sin|cos|tan|csc|sec|cot)h?$)/, "a") as FunctionName;
}

/** `\sin^2 x` squares, `\sin^{-1} x` inverts. */
function withExponent(node: Node, power: Node | null): Node {
  if (power === null) return node;
  const inverse = `a${node.op}` as FunctionName;
  const minusOne = power.op === "number" && power.value === -1;
  return minusOne && FUNCTIONS.includes(inverse) && "args" in node
    ? { op: inverse, args: node.args }
    : { op: "power", args: [node, power] };
}

/** sympy takes an `x` that stands between two factors without letters for a times sign. */
function withoutTimesSign(factors: readonly Node[]): Node[] {
  return factors.filter(
    (node, i) =>
      !(node.op === "symbol" && node.name === "x" && i > 0 && i < factors.length - 1) ||
      hasSymbols(factors[i - 1]) ||
      hasSymbols(factors[i + 1]),
  );
}

function negate(node: Node): Node {
  return node.op === "number" ? { ...node, value: -node.value } : { op: "negate", args: [node] };
}

function readNumber(text: string): Node {
  const percent = text.endsWith("\\%");
  const bare = text.replace(/[, \t\r\n]|\\%/g, "");
  const value = Number(bare) / (percent ? 100 : 1);
  return { op: "number", value, integer: Number.isInteger(value) };
}

/** Whether anything in the expression has no value of its own. */
export function hasSymbols(node: Node): boolean {
  return node.op === "symbol" || ("args" in node && node.args.some(hasSymbols));
}

/** One text for one expression: equal texts are the same expression as written. */
export function print(node: Node): string {
  if (node.op === "number") return String(node.value);
  if (node.op === "symbol") return node.name;
  const name = node.op === "apply" ? node.name : node.op;
  return `${name}(${node.args.map(print).join(",")})`;
}
