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
  const offered = (found?.entries ?? []).filter(({ name }) => !name.startsWith("__cell_"));
  const span = found?.optionalReplacementSpan ?? offered[0]?.replacementSpan;
  const before = code.slice(0, cursor);
  const typed = (pattern) => cursor - (pattern.exec(before)?.[1].length ?? 0);
  // Names of modules hold more than an identifier does; TypeScript offers them whole, or the last part of a path.
  const starts =
    span === undefined
      ? [/(?:\bfrom|\bimport|\()\s*["']([^"'\n]*)$/, /([\p{ID_Continue}$]*)$/u].map(typed)
      : [span.start - offset];
  const end = span === undefined ? cursor : span.start + span.length - offset;
  const fitting = (start) => {
    const prefix = code.slice(start, cursor).toLowerCase();
    return offered.filter(({ name }) => name.toLowerCase().startsWith(prefix));
  };
  const start = starts.find((one) => one < cursor && fitting(one).length > 0) ?? starts.at(-1);
  const entries = fitting(start);
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
  const documentation = [
    info.documentation?.map(({ text }) => text).join("") ?? "",
    ...(info.tags ?? []).map(({ name, text = [] }) => {
      const words = text.map((part) => part.text).join("");
      return `*@${name}* ${words}`;
    }),
  ].join("\n\n");
  const signature = info.displayParts?.map(({ text }) => text).join("") ?? "";
  return {
    "text/plain": printQuickInfo(info),
    "text/markdown": `\`\`\`typescript\n${signature}\n\`\`\`\n\n${documentation}`,
  };
}
