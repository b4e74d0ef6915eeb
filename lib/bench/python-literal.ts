/** Python literals: data sets store lists and records as the text that Python prints for them. */
import { fault } from "../engine/errors";
import { floatRepr, parseFloat } from "../reflection/answers/python";

/** What a literal holds. Tuples and lists are both arrays; whole numbers and floats are both numbers. */
export type Literal = string | number | boolean | null | Literal[] | { [key: string]: Literal };

const MAX_DEPTH = 100;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "0": "\0",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\n": "",
};

/**
 * `ast.literal_eval(text)` for strings, numbers, `True`, `False`, `None`, lists, tuples and dicts.
 * @throws LabError where the text is no such literal
 */
export function parseLiteral(text: string): Literal {
  let at = 0;
  const wrong = (): never => {
    throw fault("parseLiteral", `no Python literal at character ${at}`, { got: text });
  };
  const skip = () => {
    while (at < text.length && /\s/.test(text[at])) at++;
  };
  const take = (char: string): boolean => {
    skip();
    if (text[at] !== char) return false;
    at++;
    return true;
  };

  const readString = (): string => {
    const quote = text[at++];
    let out = "";
    while (text[at] !== quote) {
      if (at >= text.length) wrong();
      if (text[at] !== "\\") {
        out += text[at++];
        continue;
      }
      const code = /^\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8}))/i.exec(
        text.slice(at, at + 10),
      );
      if (code !== null) {
        out += String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3], 16));
        at += code[0].length;
      } else {
        // An unknown escape stays as it is, backslash included.
        out += ESCAPES[text[at + 1]] ?? text.slice(at, at + 2);
        at += 2;
      }
    }
    at++;
    return out;
  };

  /** Says whether a comma stood before the closing bracket. */
  const readItems = (close: string, read: () => void): boolean => {
    while (!take(close)) {
      read();
      if (take(",")) continue;
      if (take(close)) return false;
      wrong();
    }
    return true;
  };

  const readValue = (depth: number): Literal => {
    if (depth > MAX_DEPTH) wrong();
    skip();
    const char = text[at];
    if (char === "'" || char === '"') {
      let out = readString();
      // Adjacent strings are one.
      for (skip(); text[at] === "'" || text[at] === '"'; skip()) out += readString();
      return out;
    }
    if (char === "[" || char === "(") {
      at++;
      const items: Literal[] = [];
      const close = char === "[" ? "]" : ")";
      const trailing = readItems(close, () => items.push(readValue(depth + 1)));
      // Parentheses without a comma only group.
      return char === "(" && items.length === 1 && !trailing ? items[0] : items;
    }
    if (char === "{") {
      at++;
      const entries: [string, Literal][] = [];
      readItems("}", () => {
        const key = readValue(depth + 1);
        if (!take(":")) wrong();
        entries.push([String(key), readValue(depth + 1)]);
      });
      return Object.fromEntries(entries);
    }
    const word = /^[^\s,\])}:]+/.exec(text.slice(at, at + 400))?.[0] ?? "";
    at += word.length;
    if (word === "True" || word === "False") return word === "True";
    if (word === "None") return null;
    const number = /^[+-]?[\d.]/.test(word) ? parseFloat(word) : null;
    return number ?? wrong();
  };

  const value = readValue(0);
  skip();
  return at === text.length ? value : wrong();
}

/** `str(value)` of a string, number, list or record that came from JSON. JSON has lost whether 3 was written 3.0. */
export function pythonStr(value: unknown): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : floatRepr(value);
  if (typeof value === "string") return reprOfText(value);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(", ")}]`;
  const entries = Object.entries(value as Record<string, unknown>);
  return `{${entries.map(([key, item]) => `${reprOfText(key)}: ${pythonRepr(item)}`).join(", ")}}`;
}

function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replaceAll(quote, `\\${quote}`)
    .replace(UNPRINTABLE, (char) => {
      const code = char.codePointAt(0) as number;
      const [mark, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
      return `\\${mark}${code.toString(16).padStart(digits, "0")}`;
    });
  return quote + inner + quote;
}

/** What `str.isprintable` says no to: control and format characters, lone surrogates, every white space but the blank. */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;
