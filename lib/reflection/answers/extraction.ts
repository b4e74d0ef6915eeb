/**
 * Where in a whole solution the answer stands, by math-verify's conventions: what follows "final answer is" comes before
 * what follows "answer", and that before anything else; within one of these the last one counts. A box may be put first.
 */
import { createFormulaReader, stickyMatch, type FormulaMatch } from "./environments";
import { createNumberReader, type NumberMatch, type NumberReader } from "./plain-numbers";

/** Something that may be the answer. `box`: from the first `\boxed` to the last brace of the text. */
export type Candidate =
  | ({ kind: "formula" } & FormulaMatch)
  | ({ kind: "number" } & NumberMatch)
  | { kind: "box"; start: number; end: number; latex: string };

export interface ExtractionOptions {
  /** Whether formulas (`$…$`, boxes) and plain numbers are looked for. */
  latex: boolean;
  expr: boolean;
  /** A box is looked for before everything else, not only after "the final answer is". */
  boxedFirst: boolean;
}

/** The end of a longer text is searched: the answer stands there, and so does the time that the search takes. */
const MAX_TEXT = 20_000;
/** An answer that is named stands within so many characters. */
const [FINAL_GAP, NAMED_GAP, EQUALS_GAP] = [100, 50, 100];
/** Candidates of one rank that are tried before the search gives up. */
const MAX_CANDIDATES = 40;
/** Places where an answer is announced; of more only the last are looked at. */
const MAX_ANCHORS = 100;

/** Candidates by rank; within a rank the last of the text first. Linear in the text. */
export function candidatesOf(solution: string, options: ExtractionOptions): Candidate[][] {
  const text = solution.slice(-MAX_TEXT);
  const formulas = formulaReader(text);
  const numbers = createNumberReader(text);
  const readers: Reader[] = [
    ...(options.latex ? [formulas] : []),
    ...(options.expr ? [numberReader(numbers)] : []),
  ];
  const boxes = options.latex ? boxCandidates(text) : [];
  const final = readers.flatMap((read) => finalAnswers(text, read));
  const ranks = [
    [
      ...final.filter(({ end }) => I_HOPE.test(text.slice(end, end + 12))),
      ...(options.boxedFirst ? boxes : []),
    ],
    [...final, ...(options.boxedFirst ? [] : boxes)],
    readers.flatMap((read) => namedAnswers(text, /answer:/gi, read)),
    readers.flatMap((read) => namedAnswers(text, /answer/gi, read)),
    [
      ...(options.latex ? all(text, formulas.at) : []),
      ...(options.expr ? all(text, asCandidate(numbers.arithmetic)) : []),
      ...(options.expr ? all(text, asCandidate(numbers.number)) : []),
    ],
  ];
  return ranks.map((rank) =>
    rank.sort((a, b) => b.end - a.end || a.start - b.start).slice(0, MAX_CANDIDATES),
  );
}

const I_HOPE = /^\.?\s?I hope/;

/** How one kind of candidate is read at a place, and what may stand between an anchor and it. */
interface Reader {
  kind: "formula" | "number";
  at(place: number): Candidate | null;
  /** Formulas may follow on another line. */
  crossesLines: boolean;
}

function formulaReader(text: string): Reader {
  const read = createFormulaReader(text);
  return {
    kind: "formula",
    crossesLines: true,
    at: (place) => {
      const match = read(place, false);
      return match === null ? null : { kind: "formula", ...match };
    },
  };
}

function numberReader(numbers: NumberReader): Reader {
  return {
    kind: "number",
    crossesLines: false,
    at: asCandidate((place) => numbers.arithmetic(place) ?? numbers.number(place)),
  };
}

function asCandidate(
  read: (place: number) => NumberMatch | null,
): (place: number) => Candidate | null {
  return (place) => {
    const match = read(place);
    return match === null ? null : { kind: "number", ...match };
  };
}

/** Formulas that hold a box, and the stretch from the first box to the last brace. */
function boxCandidates(text: string): Candidate[] {
  const first = text.indexOf("\\boxed{");
  if (first < 0) return [];
  const read = createFormulaReader(text);
  const out: Candidate[] = [];
  for (let at = 0; at < text.length;) {
    const match = read(at, true);
    if (match !== null) out.push({ kind: "formula", ...match });
    at = match?.end ?? at + 1;
  }
  const end = text.lastIndexOf("}") + 1;
  if (end > first + "\\boxed{".length + 1) {
    out.push({ kind: "box", start: first, end, latex: text.slice(first, end) });
  }
  return out;
}

function all(text: string, read: (place: number) => Candidate | null): Candidate[] {
  const out: Candidate[] = [];
  for (let at = 0; at < text.length;) {
    const match = read(at);
    if (match !== null) out.push(match);
    at = Math.max(match?.end ?? 0, at + 1);
  }
  return out;
}

/** "The final answer is …", "the final answer to your question is …". */
function finalAnswers(text: string, read: Reader): Candidate[] {
  const is = read.kind === "formula" ? /\s+is:?\s*/y : /\s+is:?/y;
  return anchored(text, /final answer/gi, (from) =>
    withinGap(text, from, FINAL_GAP, read.crossesLines, (place) => {
      const verb = stickyMatch(is, text, place);
      return verb === null ? null : read.at(place + verb[0].length);
    }),
  );
}

/** "Answer: …"; of plain numbers, the last after an equals sign (`answer: 2+3 = 5`) and none before one. */
function namedAnswers(text: string, anchor: RegExp, read: Reader): Candidate[] {
  return anchored(text, anchor, (from) => {
    if (read.kind === "formula") return withinGap(text, from, NAMED_GAP, true, read.at);
    const closed = (place: number): Candidate | null => {
      const match = read.at(place);
      return match === null || /^\s*=/.test(text.slice(match.end, match.end + 40)) ? null : match;
    };
    return afterLastEquals(text, from, closed) ?? withinGap(text, from, NAMED_GAP, false, closed);
  });
}

function afterLastEquals(
  text: string,
  from: number,
  at: (place: number) => Candidate | null,
): Candidate | null {
  const line = text.slice(from, from + EQUALS_GAP + 1).split("\n")[0];
  for (let equals = line.lastIndexOf("="); equals >= 0;) {
    let place = from + equals + 1;
    while (/\s/.test(text[place] ?? "") && place < from + 2 * EQUALS_GAP) place++;
    // A number wants a space or the sign itself before it.
    const match = place > from + equals + 1 ? at(place - 1) : null;
    if (match !== null) return match;
    equals = equals === 0 ? -1 : line.lastIndexOf("=", equals - 1);
  }
  return null;
}

/** The first candidate that starts at `from` or at most `gap` characters later. */
function withinGap(
  text: string,
  from: number,
  gap: number,
  crossesLines: boolean,
  at: (place: number) => Candidate | null,
): Candidate | null {
  for (let place = from; place <= Math.min(from + gap, text.length); place++) {
    const match = at(place);
    if (match !== null) return match;
    if (!crossesLines && text[place] === "\n") return null;
  }
  return null;
}

/** One candidate for each anchor that no earlier match covers. */
function anchored(
  text: string,
  anchor: RegExp,
  after: (from: number) => Candidate | null,
): Candidate[] {
  const out: Candidate[] = [];
  let covered = 0;
  for (const found of [...text.matchAll(anchor)].slice(-MAX_ANCHORS)) {
    if (found.index < covered) continue;
    const match = after(found.index + found[0].length);
    if (match === null) continue;
    out.push({ ...match, start: found.index });
    covered = match.end;
  }
  return out;
}
