/** Finds formulas in prose: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, and a lone `\frac{1}{2}`, by math-verify's conventions. */

/** A formula in a text, or several joined by commas and "and". */
export interface FormulaMatch {
  start: number;
  /** Past the closing sign and the spaces and percent sign after it. */
  end: number;
  formulas: { latex: string; percent: boolean }[];
}

export type FormulaReader = (at: number, boxedOnly: boolean) => FormulaMatch | null;

/** Formulas that may be joined to the first. */
const MAX_JOINED = 5;
const PERCENT = /\s*(\\?%|[Pp]ercent(?:age)?|[Pp]ct)?/y;
const JOINT = /\s*(?:,?and|,?or|,)\s*/y;
const LONE_FRACTION = /-?\\frac\{-?\d+(?:[.,]\d+)?\}\{-?\d+(?:[.,]\d+)?\}/y;
const BRACKETS = /\s\[([^\n\]\[]+)\](?=\s)/y;

/** Prepares a text in one pass, so that asking for the formula at a place takes no search. */
export function createFormulaReader(text: string): FormulaReader {
  const next = nextMarks(text);
  return (at, boxedOnly) => {
    const first = formulaAt(text, next, at, boxedOnly);
    if (first === null) return null;
    const match: FormulaMatch = { start: at, end: first.end, formulas: [first] };
    for (let i = 0; i < MAX_JOINED; i++) {
      const joint = stickyMatch(JOINT, text, match.end);
      const joined =
        joint === null ? null : formulaAt(text, next, match.end + joint[0].length, boxedOnly);
      if (joined === null) break;
      match.formulas.push(joined);
      match.end = joined.end;
    }
    return match;
  };
}

/** For each place the next closing sign of each kind, -1 where none follows. */
type Marks = Readonly<
  Record<"dollar" | "dollars" | "bracket" | "parenthesis" | "newline", Int32Array>
>;

function nextMarks(text: string): Marks {
  const places = (isMark: (at: number) => boolean): Int32Array => {
    const next = new Int32Array(text.length + 3).fill(-1);
    for (let at = text.length - 1; at >= 0; at--) next[at] = isMark(at) ? at : next[at + 1];
    return next;
  };
  return {
    dollar: places((at) => text[at] === "$" && text[at - 1] !== "\\"),
    dollars: places((at) => text[at] === "$" && text[at + 1] === "$"),
    bracket: places((at) => text[at] === "\\" && text[at + 1] === "]"),
    parenthesis: places((at) => text[at] === "\\" && text[at + 1] === ")"),
    newline: places((at) => text[at] === "\n"),
  };
}

interface Formula {
  latex: string;
  percent: boolean;
  end: number;
}

function formulaAt(text: string, next: Marks, at: number, boxedOnly: boolean): Formula | null {
  const span = spanAt(text, next, at, boxedOnly);
  if (span === null || (boxedOnly && !holdsBox(span.latex))) return null;
  const tail = stickyMatch(PERCENT, text, span.end);
  return {
    latex: span.latex,
    percent: tail?.[1] !== undefined,
    end: span.end + (tail?.[0].length ?? 0),
  };
}

function spanAt(
  text: string,
  next: Marks,
  at: number,
  boxedOnly: boolean,
): { latex: string; end: number } | null {
  const escaped = text[at - 1] === "\\";
  const closed = (open: number, close: number, width: number): ReturnType<typeof spanAt> =>
    close > at + open && text[close - 1] !== "\\"
      ? { latex: text.slice(at + open, close), end: close + width }
      : null;
  const onLine = (open: number, close: number): boolean => {
    const newline = next.newline[at + open];
    return newline < 0 || newline > close;
  };
  if (text[at] === "$" && !escaped) {
    if (text[at + 1] === "$") return closed(2, next.dollars[at + 2], 2);
    // After a digit the sign is a currency: `5$`.
    if (/\d/.test(text[at - 1] ?? "")) return null;
    const close = next.dollar[at + 1];
    return onLine(1, close) ? closed(1, close, 1) : null;
  }
  if (text[at] === "\\" && !escaped && text[at + 1] === "[") {
    return closed(2, next.bracket[at + 2], 2);
  }
  if (text[at] === "\\" && !escaped && text[at + 1] === "(") {
    const close = next.parenthesis[at + 2];
    return onLine(2, close) ? closed(2, close, 2) : null;
  }
  const brackets = text[at + 1] === "[" ? stickyMatch(BRACKETS, text, at) : null;
  if (brackets !== null) return { latex: brackets[1], end: at + brackets[0].length + 1 };
  const mayStart = !boxedOnly && (text[at] === "\\" || text[at] === "-");
  const fraction = mayStart ? stickyMatch(LONE_FRACTION, text, at) : null;
  return fraction === null ? null : { latex: fraction[0], end: at + fraction[0].length };
}

function holdsBox(latex: string): boolean {
  const box = latex.indexOf("\\boxed{");
  return box >= 0 && latex.indexOf("}", box + "\\boxed{".length + 1) >= 0;
}

/** The match of a sticky pattern at a place. */
export function stickyMatch(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
