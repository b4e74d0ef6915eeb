/** What stands in `\boxed{…}` and `\fbox{…}`. All functions here are linear in the text. */

export interface Box {
  /** Where the command starts and where its last brace stands. */
  start: number;
  end: number;
  content: string;
}

/** The closed boxes from the last to the first; of nested ones the innermost. The search ends at one that is not closed. */
export function boxesFromEnd(text: string): { boxes: Box[]; open: string | null } {
  const boxes: Box[] = [];
  for (let limit = text.length; ; ) {
    const start = Math.max(text.lastIndexOf("\\boxed", limit - 1), text.lastIndexOf("\\fbox", limit - 1));
    if (start < 0 || limit === 0) return { boxes, open: null };
    const command = /^\\(?:boxed|fbox)\s*/.exec(text.slice(start, start + 40))?.[0] ?? "";
    const brace = start + command.length;
    const end = text[brace] === "{" ? closingBrace(text, brace, limit) : -1;
    if (end < 0) return { boxes, open: boxes.length === 0 ? text.slice(brace) : null };
    boxes.push({ start, end, content: text.slice(brace + 1, end).trim() });
    limit = start;
  }
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
  return boxesFromEnd(text).boxes[0]?.content ?? null;
}
