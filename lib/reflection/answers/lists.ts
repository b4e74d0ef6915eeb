/** Text between commas that stand in no bracket. */

/** The parts of `1, (2, 3)`: `1` and `(2, 3)`. Braces, brackets and parentheses close each other, as in `[0, 1)`. */
export function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if ("([{".includes(text[at])) depth++;
    if (")]}".includes(text[at])) depth = Math.max(0, depth - 1);
    if (text[at] === "," && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return [...parts, text.slice(start).trim()];
}
