// What the editor asks while a cell is written: whether it is whole, what may come next, and what a name means.
import { createRequire } from "node:module";

const KINDS = { var: "instance", let: "instance", const: "instance", method: "function" };

/**
 * @param {typeof import("typescript")} ts
 * @returns {{status: "complete" | "incomplete" | "invalid", indent?: string}}
 */
export function isComplete(ts, code) {
  const problems = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.ES2022).parseDiagnostics;
  if (problems.length === 0) return { status: "complete" };
  // Whatever the parser misses at the very end may still be written; an unclosed template or comment ends there as well.
  const end = code.trimEnd().length;
  const open = /Unterminated template literal|'\*\/' expected/;
  const unfinished = problems.every(
    ({ start, length, messageText }) =>
      start + length >= end && (start >= end || open.test(String(messageText))),
  );
  if (!unfinished) return { status: "invalid" };
  const lastLine = code.split("\n").findLast((line) => line.trim() !== "") ?? "";
  const deeper = /[{([]\s*$/.test(lastLine) ? "  " : "";
  return { status: "incomplete", indent: /^\s*/.exec(lastLine)[0] + deeper };
}

/**
 * @param {ReturnType<import("./notebook.mjs").createNotebook>} notebook
 * @param {number} cursor in UTF-16 units
 */
export function complete(notebook, code, cursor) {
  const { service, file, offset } = notebook.scratch(code);
  const found = service.getCompletionsAtPosition(file, offset + cursor, {
    includeCompletionsWithInsertText: false,
    includeCompletionsForModuleExports: false,
  });
  const typed = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, cursor))[0];
  const span = found?.optionalReplacementSpan;
  const start = span === undefined ? cursor - typed.length : span.start - offset;
  const end = span === undefined ? cursor : span.start + span.length - offset;
  const prefix = code.slice(start, cursor).toLowerCase();
  const entries = (found?.entries ?? []).filter(
    ({ name }) => name.toLowerCase().startsWith(prefix) && !name.startsWith("__cell_"),
  );
  entries.sort((a, b) => a.sortText.localeCompare(b.sortText) || a.name.localeCompare(b.name));
  return {
    matches: entries.map(({ name }) => name),
    cursor_start: start,
    cursor_end: end,
    metadata: {
      _jupyter_types_experimental: entries.map(({ name, kind }) => ({
        start,
        end,
        text: name,
        type: KINDS[kind] ?? kind,
      })),
    },
  };
}

// tslab's own words for a quick info of TypeScript.
const { printQuickInfo } = createRequire(import.meta.url)("tslab/dist/inspect.js");

/** The type and the documentation of the name at the cursor, or just before it; undefined where there is none. */
export function inspect(notebook, code, cursor) {
  const { service, file, offset } = notebook.scratch(code);
  const at = (place) => service.getQuickInfoAtPosition(file, offset + place);
  const info = at(cursor) ?? (cursor > 0 ? at(cursor - 1) : undefined);
  if (info === undefined) return undefined;
  const documentation = info.documentation?.map(({ text }) => text).join("") ?? "";
  const signature = info.displayParts?.map(({ text }) => text).join("") ?? "";
  return {
    "text/plain": printQuickInfo(info),
    "text/markdown": `\`\`\`typescript\n${signature}\n\`\`\`\n\n${documentation}`,
  };
}
