/** MMMU's rule for questions without options: the candidates in a response, and whether one of them is a gold answer. */
import { afterLast, parseFloat, round, strip } from "../reflection/answers/python";

const MARKS = ["could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result "];

/** Every text and number that may be the answer, numbers rounded to two decimals; without repetitions. */
export function openAnswers(response: string): (string | number)[] {
  const statements = keyStatements(response);
  const candidates = [...statements, ...statements.flatMap(numbersIn)];
  return [...new Set(candidates.flatMap(normalise))];
}

/** Right if a number equals a gold number, or a text holds a gold text. */
export function openEqual(golds: readonly string[], found: readonly (string | number)[]): boolean {
  const wanted = golds.flatMap(normalise);
  return found.some((answer) =>
    typeof answer === "number"
      ? wanted.includes(answer)
      : wanted.some((gold) => typeof gold === "string" && answer.includes(gold)),
  );
}

/** What stands behind the last mark of each line; of several marks the shortest rest. The last line may be an equation. */
function keyStatements(response: string): string[] {
  const text = strip(strip(response), ".").toLowerCase();
  // The original also splits at a full stop before a capital, of which a lower-cased text has none.
  const lines = text.split("\n");
  const rests = lines.flatMap((line, i) => {
    const marks = (i === lines.length - 1 ? [...MARKS, "="] : MARKS).filter((m) =>
      line.includes(m),
    );
    let shortest = "";
    for (const mark of marks) {
      const rest = strip(afterLast(line, mark));
      if (shortest === "" || rest.length < shortest.length) shortest = rest;
    }
    return shortest === "" || /^[:,.!?;']$/.test(shortest) ? [] : [shortest];
  });
  return rests.length === 0 ? [text] : rests;
}

/**
 * Numbers with thousands separators, in scientific notation, and plain ones. Digits and letters are Unicode's, as in Python; a number
 * is looked for where its digits begin and nowhere among them, so that a long run of them costs its length.
 */
function numbersIn(text: string): string[] {
  return [
    /-?(?<![\p{L}\p{N}_])\p{Nd}{1,3}(?:,\p{Nd}{3})+(?![\p{L}\p{N}_])/gu,
    /-?(?<!\p{Nd})\p{Nd}+(?:\.\p{Nd}+)?[eE][+-]?\p{Nd}+/gu,
    /-?(?:(?<!\p{Nd})\p{Nd}+\.\p{Nd}+|\.\p{Nd}+|(?<!\p{Nd})\p{Nd}+(?![\p{L}\p{N}_]))(?![eE][+-]?\p{Nd}+)(?![,\p{Nd}])/gu,
  ].flatMap((pattern) => text.match(pattern) ?? []);
}

/** A number rounded to two decimals, or the text in lower case; a single letter wants a blank beside it. */
function normalise(raw: string): (string | number)[] {
  const text = strip(raw);
  const number = parseFloat(text.replaceAll(",", ""));
  if (number !== null) return [round(number, 2)];
  const lower = text.toLowerCase();
  return Array.from(lower).length === 1 ? [` ${lower}`, `${lower} `] : [lower];
}
