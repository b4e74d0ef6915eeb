/**
 * Which option letter a response chooses, by lmms-eval's conventions for multiple choice: a letter counts where it is marked
 * as an answer, and an article or a variable is none; where nothing is marked the reader abstains.
 */
import { stickyMatch } from "./environments";

const DEFAULT_LETTERS = "ABCDEFGH";
/** The choice stands at the start or the end; what lies between is the reasoning. */
const MAX_TEXT = 4000;

/** What comes before a chosen letter. */
const CUE =
  /\b(?:answer|option|choice|choose|chose|select|pick|go with|letter)(?:\s+(?:is|was|would be|should be|must be|option|choice|letter|definitely|clearly|probably|likely|therefore|thus|indeed))*\s*(?::|=|\bis\b)?\s*(?:option|choice|letter)?\s*/gi;
/** What may stand around a letter: brackets, emphasis, a box. */
const WRAPPED = String.raw`(?:\\boxed\{|\\text\{|[({\["'*${"`"}$<]|\s)*`;
/** After a letter that a word follows, only these words leave it a letter: `A because …`, but not `a dog`. */
const AFTER = String.raw`(?=\s*(?:$|[.,:;)\]}!?"'*${"`"}<\n]|\s(?:because|since|as|is|for|due|given|would|and not|rather)\b))`;

/**
 * The letter in upper case, `null` where the response chooses none.
 * @param letters the letters that there are, in either case; A to H without them
 */
export function optionLetter(
  response: string | null,
  letters?: readonly string[] | null,
): string | null {
  const known = letters?.length
    ? letters.map((letter) => letter.toUpperCase())
    : [...DEFAULT_LETTERS];
  const text = answerPart(response ?? "");
  if (text === "" || known.some((letter) => !/^[A-Z]$/.test(letter))) return null;
  const one = `([${known.join("")}${known.join("").toLowerCase()}])`;
  return (
    whole(text, one) ??
    whole(text.split("\n")[0], one) ??
    label(text, one) ??
    cued(text, one) ??
    asserted(text, one) ??
    alone(text, known)
  );
}

/** What an answer tag or the last box holds, else the whole. */
function answerPart(response: string): string {
  const text =
    response.length > 2 * MAX_TEXT
      ? response.slice(0, MAX_TEXT) + response.slice(-MAX_TEXT)
      : response;
  const tag = text.toLowerCase().lastIndexOf("<answer>");
  const inner = tag < 0 ? text : text.slice(tag + "<answer>".length).split(/<\/answer>/i)[0];
  return inner.trim();
}

/** `B`, `(b)`, `**B**`, `B.`, `\boxed{B}` and nothing else. */
function whole(text: string, one: string): string | null {
  const found = new RegExp(`^${WRAPPED}${one}[\\s.,:;)\\]}!*"'\`$]*$`).exec(text.slice(0, 80));
  return text.length > 80 ? null : upper(found?.[1]);
}

/** `A. because …`, `(a) a blue sphere`, `D) three objects`, `A: a triangle`. */
function label(text: string, one: string): string | null {
  const found = new RegExp(
    `^(?:\\*\\*)?(?:\\(${one}\\)|\\[${one}\\]|${one}[.:)](?=\\s|\\*|$))`,
  ).exec(text);
  const letter = upper(found?.[1] ?? found?.[2] ?? found?.[3]);
  // "(A) or (B)" chooses nothing.
  const others = [...text.matchAll(/\(([A-Za-z])\)/g)].some((other) => upper(other[1]) !== letter);
  return found?.[3] === undefined && others ? null : letter;
}

/** "Answer: A", "the best option is B)", "I choose c."; the last of them counts. */
function cued(text: string, one: string): string | null {
  const letter = new RegExp(`${WRAPPED}${one}${AFTER}`, "y");
  let last: string | null = null;
  for (const cue of text.matchAll(CUE)) {
    last = upper(stickyMatch(letter, text, cue.index + cue[0].length)?.[1]) ?? last;
  }
  return last;
}

/** "b is correct", "A because …" at the start of the response. */
function asserted(text: string, one: string): string | null {
  const found = new RegExp(
    `^${one}\\s+(?:is (?:the )?(?:correct|right|best|answer)|because\\b|since\\b)`,
  ).exec(text);
  return upper(found?.[1]);
}

/** The one letter in brackets; else a capital letter that ends the response after a comma, a colon or "is". */
function alone(text: string, known: readonly string[]): string | null {
  const bracketed = new Set(
    [...text.matchAll(/\(([A-Za-z])\)/g)].map((found) => found[1].toUpperCase()),
  );
  const marked = known.filter((letter) => bracketed.has(letter));
  if (marked.length === 1) return marked[0];
  const last = new RegExp(
    `(?:[,:;\\n]|\\bis|\\bbe|\\*\\*)\\s*\\**([${known.join("")}])\\**[.!)]*$`,
  ).exec(text.slice(-60));
  return last?.[1] ?? null;
}

const upper = (letter: string | undefined): string | null => letter?.toUpperCase() ?? null;
