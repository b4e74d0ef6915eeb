/** Finds numbers and plain arithmetic (`7,425,000`, `$10.50`, `1/2`, `3*(4+5)`) in prose, by math-verify's conventions. */
import { stickyMatch } from "./environments";

export interface NumberMatch {
  start: number;
  end: number;
  /** The digits without separators, or `null` where it is arithmetic. */
  number: string | null;
  arithmetic: string | null;
  percent: boolean;
}

/** The number, or the arithmetic, that starts at a place. */
export interface NumberReader {
  number(at: number): NumberMatch | null;
  arithmetic(at: number): NumberMatch | null;
}

const CURRENCY = "$€£¥₹₽₪₩₫฿";
/** After the start, a space or an equals sign, a number needs no end: `100m` is 100, while `AZ2K` is nothing. */
const NUMBER = new RegExp(
  String.raw`(?:^|[\s=])(?:\*\*)?[${CURRENCY}]?` +
    String.raw`(?:(-?[1-9]\d{0,2}(?:[ ,]\d{3})+)(\.\d+)?|(-?\d+)([.,]\d+)|(\.\d+)|(-?\d+))` +
    String.raw`(\s*(?:%|[Pp]ercent(?:age)?|[Pp]ct))?`,
  "y",
);
/** Arithmetic starts with a digit and holds an operator; it ends before a mark, a space or the end. */
const RUN = /[\d.\s+\-*×/^()÷]+/g;
const RUN_START = /(?:^|[\s=])(?:\*\*)?(-?\(?-?\d)/y;

/** Prepares a text in one pass, so that asking for the number at a place takes no search. */
export function createNumberReader(text: string): NumberReader {
  const runs = arithmeticRuns(text);
  let current = 0;
  return {
    number: (at) => (mayStart(text, at) ? numberAt(text, at) : null),
    arithmetic: (at) => {
      if (!mayStart(text, at)) return null;
      // Places are asked for in rising order within one search; a new search starts from the front again.
      if (current >= runs.length || (current > 0 && runs[current - 1].end >= at)) current = 0;
      while (current < runs.length && runs[current].end < at) current++;
      return arithmeticAt(text, runs[current], at);
    },
  };
}

/** Asked before the patterns, which cost more. */
const mayStart = (text: string, at: number): boolean => at === 0 || /[\s=]/.test(text[at] ?? "");

function numberAt(text: string, at: number): NumberMatch | null {
  const found = stickyMatch(NUMBER, text, at);
  if (found === null) return null;
  const [all, thousands, thousandsDecimal = "", whole, decimal = "", bare, integer, percent] =
    found;
  const number =
    thousands !== undefined
      ? thousands.replace(/[ ,]/g, "") + thousandsDecimal
      : whole !== undefined
        ? whole + decimal.replace(",", ".")
        : (integer ?? `0${bare}`);
  return {
    start: at,
    end: at + all.length,
    number,
    arithmetic: null,
    percent: percent !== undefined,
  };
}

/** A stretch of digits and operators: where its last possible end lies, and the last operator before that. */
interface Run {
  start: number;
  end: number;
  lastOperator: number;
}

function arithmeticRuns(text: string): Run[] {
  const runs: Run[] = [];
  for (const found of text.matchAll(RUN)) {
    const [start, stop] = [found.index, found.index + found[0].length];
    let end = stop;
    while (end > start && !endsAt(text, end)) end--;
    let lastOperator = end - 2;
    while (lastOperator > start && !"+-*/^()×÷".includes(text[lastOperator])) lastOperator--;
    if (lastOperator > start) runs.push({ start, end, lastOperator });
  }
  return runs;
}

function endsAt(text: string, at: number): boolean {
  const bold = text.startsWith("**", at) ? 2 : 0;
  return [at, at + bold].some((mark) => mark >= text.length || /[.,:\s)$]/.test(text[mark]));
}

function arithmeticAt(text: string, run: Run | undefined, at: number): NumberMatch | null {
  // A run may be entered from the equals sign before it.
  if (run === undefined || at < run.start - 1) return null;
  const found = stickyMatch(RUN_START, text, at);
  if (found === null) return null;
  const first = at + found[0].length;
  if (run.lastOperator < first || first <= run.start) return null;
  const from = first - found[1].length;
  const end = text[run.end] === ")" ? run.end + 1 : run.end;
  return {
    start: at,
    // The mark after it belongs to the match.
    end: Math.min(text.length, run.end + 1),
    number: null,
    arithmetic: text.slice(from, end).trim(),
    percent: false,
  };
}
