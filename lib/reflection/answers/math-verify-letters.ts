/** How math-verify 0.9.0 finds one of a few given strings, by default the letters A to D (`StringExtractionConfig`). */

export interface StringExtractionConfig {
  /** What is looked for, as it is written. */
  strings?: readonly string[];
  /** Whether what is found is given in lower case. */
  lowercase?: boolean;
}

const MAX_TEXT = 40_000;

/** The string that the response gives as its answer, `null` where there is none. */
export function mathVerifyString(
  response: string,
  { strings = ["A", "B", "C", "D"], lowercase = true }: StringExtractionConfig = {},
): string | null {
  const text = response.slice(-MAX_TEXT);
  const key = `(${strings.map((string) => string.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`;
  const end = String.raw`(?:\*\*)?(?:[.,:\s]|$)`;
  const word = String.raw`(?:^|\s)(?:\*\*)?${key}${end}`;
  // By rank: what names the answer more surely comes first. Within a rank the last one counts.
  const ranks: [string, string][] = [
    [String.raw`final answer is:?\s*${key}\.?\s?I hope`, "gi"],
    [String.raw`final answer.{0,100}?\s+is:?\s*${key}`, "gi"],
    [`answer:.{0,50}?${word}`, "gi"],
    [`answer.{0,50}?${word}`, "gi"],
    [String.raw`^(?:\*\*)?${key}${end}`, "g"],
    [word, "g"],
  ];
  for (const [pattern, flags] of ranks) {
    const found = [...text.matchAll(new RegExp(pattern, flags))]
      .filter((match) => strings.includes(match[1]))
      .sort((a, b) => b.index + b[0].length - (a.index + a[0].length));
    if (found.length > 0) return lowercase ? found[0][1].toLowerCase() : found[0][1];
  }
  return null;
}
