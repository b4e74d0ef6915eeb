/**
 * LaTeX in pieces, as the grammars of `latex2sympy2` and `sympy.parsing.latex` cut it: which signs, commands and numbers they
 * know, and what they skip. What the pieces mean is in `expression.ts`.
 */

/** Which package's grammar. */
export type Grammar = "latex2sympy2" | "sympy";

/** A chain of as many factors ends Python's recursion. */
const MAX_TOKENS = 1000;

export interface Token {
  /** `name`: a letter or a command that starts an operand. `bad`: no token of the grammar, an error as soon as the parser looks at it. */
  kind: "number" | "name" | "sign" | "bad" | "end";
  /** Letters and numbers as written; a command with its backslash. */
  text: string;
}

/** The text cannot be read. One object for all: half of all answers are no LaTeX, and a stack trace takes most of their time. */
export const UNREADABLE = new Error("no expression");

function prepare(text: string, grammar: Grammar): string {
  if (grammar === "sympy") return text;
  return text
    .replaceAll("\\dfrac", "\\frac")
    .replaceAll("\\tfrac", "\\frac")
    .replace(/\\displaystyle|\\q?quad|\\,|[~$]/g, " ");
}

const SKIPPED: Readonly<Record<Grammar, RegExp>> = {
  latex2sympy2: /[ \t\r\n]+|\\\$|\\m?left(?=\s*[([|{\\])|\\m?right(?=\s*[)\]|}\\])/y,
  sympy:
    /[ \t\r\n]+|\\[,:;!*\-./"(=]|\\(?:thinspace|medspace|thickspace|qquad|quad|negthinspace|negmedspace|negthickspace|left|right|vrule|vcenter|vbox|vskip|vspace|hfil)(?![a-zA-Z])/y,
};
const NUMBERS: Readonly<Record<Grammar, RegExp>> = {
  latex2sympy2: /(?:\d+(?:,\d{3})*(?:\.\d+)?|(?:,\d{3})*\.\d+)(?:E[+-]?\d+|\\%)?/y,
  // White space is dropped before digits are joined: "1 000" is one number.
  sympy: /\d(?:[ \t\r\n]*\d)*(?:,\d{3})*(?:\.\d+)?/y,
};
/** Words that latex2sympy2 keeps for functions; without their command they end an expression. */
const RESERVED =
  /(?:arc?sinh|arc?cosh|arc?tanh|gcd|lcm|floor|ceil|eye|zeros|ones|cols|rows|diag|norm|rank|trace|tr|rref|hstack|vstack|orth|nullspace|eig|svd|[pbv]?matrix)/y;
const DIFFERENTIAL = /d[ \t\r\n]*(?:[a-zA-Z]|\\[a-zA-Z]+)/y;
const COMMANDS: Readonly<Record<Grammar, RegExp>> = {
  // A command ends where its name does, whatever follows: `\pie` is π times e. Those that give no number are left out.
  latex2sympy2:
    /\\(?:arc?(?:sin|cos|tan)h|arc(?:sin|cos|tan|csc|sec|cot)|(?:sin|cos|tan)h|sin|cos|tan|csc|sec|cot|exp|log|ln|sqrt|frac|[td]?binom|pi|infty|times|cdot|div|over|leqslant|leq|le|geqslant|geq|ge|neq|ne|in(?!t)|to|[rR]ightarrow|[lL]ongrightarrow|[lL]eftrightarrow|x[rR]ightarrow|lfloor|rfloor|lceil|rceil|lvert|rvert|lbrace|rbrace|lbrack|rbrack|lgroup|rgroup|[a-zA-Z]|[{}|\\])/y,
  sympy: /\\(?:[a-zA-Z]+|[{}|\\])/y,
};
const SIGNS = "+-*/()[]{}|_^=<>!&,.;:'";
/** Commands that no operand starts with. */
const NO_OPERAND =
  /^\\(?:times|cdot|div|mod|over|leq?|leqslant|leqq|geq?|geqslant|geqq|neq?|equiv|in|to|rightarrow|Rightarrow|longrightarrow|Longrightarrow|leftrightarrow|Leftrightarrow|xrightarrow|xRightarrow|rfloor|rceil|rvert|rangle|rbrace|rbrack|rgroup|lrcorner|urcorner|\}|\\)$/;

/** The tokens of a text, with one of kind `end` behind them. @throws UNREADABLE where there are too many */
export function tokenize(given: string, grammar: Grammar): Token[] {
  const text = prepare(given, grammar);
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  const push = (kind: Token["kind"], found: string) => {
    tokens.push({ kind, text: found });
    at += found.length;
  };
  while (at < text.length) {
    const skipped = match(SKIPPED[grammar]);
    if (skipped !== null) {
      at += skipped.length;
      continue;
    }
    const number = match(NUMBERS[grammar]);
    if (number !== null) {
      push("number", number);
      continue;
    }
    const reserved = grammar === "latex2sympy2" ? match(RESERVED) : null;
    const letter = reserved ?? match(DIFFERENTIAL) ?? match(COMMANDS[grammar]);
    if (letter !== null) {
      const sign = reserved !== null || NO_OPERAND.test(letter);
      push(sign ? "sign" : "name", letter);
    } else if (/[a-zA-Z]/.test(text[at])) {
      push("name", text[at]);
    } else {
      const known = SIGNS.includes(text[at]) && !(grammar === "sympy" && ";&".includes(text[at]));
      push(known ? "sign" : "bad", text[at]);
    }
  }
  if (tokens.length > MAX_TOKENS) throw UNREADABLE;
  tokens.push({ kind: "end", text: "" });
  return tokens;
}
