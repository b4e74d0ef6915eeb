/** What stands in `\boxed{…}` and `\fbox{…}`. All functions here are linear in the text. */

export interface Box {
  /** Where the command starts and where its last brace stands. */
  start: number;
  end: number;
  content: string;
}

/** Boxes that are looked at; nobody lists more answers. */
const MAX_BOXES = 64;

/**
 * The closed boxes from the last to the first; of nested ones the innermost. The search ends at one that is not closed,
 * whose rest is given as `open` where it is the last of all.
 */
export function boxesFromEnd(
  text: string,
  count = MAX_BOXES,
): { boxes: Box[]; open: string | null } {
  const boxes: Box[] = [];
  let limit = text.length;
  // Each command is searched on from where it was found before, so that the text is passed once.
  const places = { "\\boxed": limit, "\\fbox": limit };
  while (boxes.length < count && limit > 0) {
    for (const command of ["\\boxed", "\\fbox"] as const) {
      if (places[command] >= limit) places[command] = text.lastIndexOf(command, limit - 1);
    }
    const start = Math.max(...Object.values(places));
    if (start < 0) break;
    const command = /^\\(?:boxed|fbox)\s*/.exec(text.slice(start, start + 40))?.[0] ?? "";
    const brace = start + command.length;
    const end = text[brace] === "{" ? closingBrace(text, brace, limit) : -1;
    if (end < 0) return { boxes, open: boxes.length === 0 ? text.slice(brace) : null };
    boxes.push({ start, end, content: text.slice(brace + 1, end).trim() });
    limit = start;
  }
  return { boxes, open: null };
}

function closingBrace(text: string, open: number, limit: number): number {
  let depth = 0;
  for (let at = open; at < limit; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

/** The inside of the last closed `\boxed{…}`, `null` where there is none. */
export function lastBoxed(text: string): string | null {
  return boxesFromEnd(text, 1).boxes[0]?.content ?? null;
}
