// How an error is shown: its name and message, the cell's own lines with a caret, and the frames that are the user's.
import { SourceMap, findSourceMap } from "node:module";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { bold, codeFrame, gray, red } from "../code-frame.mjs";

const kernelFolder = fileURLToPath(new URL("..", import.meta.url));
const MAX_CAUSES = 5;

/** @type {Map<string, {number: number, source: string, map: SourceMap}>} by the file name that V8 shows */
const cells = new Map();

/** The name under which V8 knows a cell. */
export const cellFile = (number, run) => `cell-${number}.${run}.ts`;

/** Remembers a cell, so that later errors in its functions are shown in its own lines. */
export function rememberCell(file, { number, source, map }) {
  cells.set(file, { number, source, map: new SourceMap(JSON.parse(map)) });
}

/**
 * The stack of code that was stopped from outside, in the form of an error's.
 * @param {{name: string, file: string, line: number, column: number}[]} frames innermost first, as V8's debugger has them
 */
export function stackOf(frames) {
  const lines = frames.map(({ name, file: url, line, column }) => {
    const file = url.startsWith("file:") ? fileURLToPath(url) : url;
    // Errors are mapped to their sources by Node; a debugger's frames are not.
    const entry = cells.has(file)
      ? undefined
      : findSourceMap(file)?.findEntry(line - 1, column - 1);
    const place =
      entry?.originalSource === undefined
        ? `${file}:${line}:${column}`
        : `${entry.originalSource.replace("file://", "")}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    return name === "" ? `    at ${place}` : `    at ${name} (${place})`;
  });
  return ["Interrupted", ...lines].join("\n");
}

/**
 * What a Jupyter client shows of a thrown value.
 * @returns {{ename: string, evalue: string, traceback: string[]}}
 */
export function describeError(thrown) {
  const isError =
    thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
  const ename = isError ? String(thrown.name || "Error") : "Thrown";
  const evalue = isError ? String(thrown.message) : inspect(thrown);
  return { ename, evalue, traceback: render(thrown, ename, evalue, 0) };
}

function render(thrown, ename, evalue, depth) {
  const frames = framesOf(thrown);
  const lines = [`${red(bold(ename))}: ${evalue}`];
  const inCell = frames.find((place) => place.cell !== undefined);
  if (inCell !== undefined) {
    lines.push(
      gray(`  at cell ${inCell.cell.number}, line ${inCell.line}, column ${inCell.column}`),
      ...codeFrame(inCell.cell.source, inCell.line, inCell.column),
    );
  }
  const others = frames.filter((place) => place !== inCell);
  if (others.length > 0)
    lines.push(...others.slice(0, 12).map(({ text }) => gray(`    at ${text}`)));
  for (const [name, value] of Object.entries(extraFields(thrown))) {
    lines.push(`  ${name}: ${inspect(value, { depth: 2 })}`);
  }
  const causes = [thrown?.cause, ...(Array.isArray(thrown?.errors) ? thrown.errors : [])];
  for (const cause of causes.filter((one) => one !== undefined).slice(0, MAX_CAUSES)) {
    if (depth >= MAX_CAUSES) break;
    const { ename: name, evalue: text } = describeHead(cause);
    lines.push("", gray("caused by"), ...render(cause, name, text, depth + 1));
  }
  return lines;
}

const describeHead = (thrown) =>
  thrown instanceof Error
    ? { ename: String(thrown.name), evalue: String(thrown.message) }
    : { ename: "Thrown", evalue: inspect(thrown) };

/** Own fields that somebody added to an error, such as `code` and `path`. */
function extraFields(thrown) {
  if (!(thrown instanceof Error)) return {};
  const known = new Set(["name", "message", "stack", "cause", "errors"]);
  return Object.fromEntries(Object.entries(thrown).filter(([name]) => !known.has(name)));
}

/** The frames of an error that are neither the kernel's nor Node's, in the user's own lines. */
function framesOf(thrown) {
  if (typeof thrown?.stack !== "string") return [];
  return thrown.stack
    .split("\n")
    .map((line) => /^\s+at (?:(.*) \()?(.*?):(\d+):(\d+)\)?$/.exec(line))
    .filter((match) => match !== null && isUsers(match[2]))
    .map(([, name, file, line, column]) => {
      const cell = cells.get(file);
      if (cell === undefined) {
        const place = `${file.replace(process.cwd() + sep, "")}:${line}:${column}`;
        return { text: name ? `${tidy(name)} (${place})` : place };
      }
      const entry = cell.map.findEntry(Number(line) - 1, Number(column) - 1);
      // The first line of a cell's module holds the kernel's own declarations.
      const at = { line: entry.originalLine ?? 1, column: (entry.originalColumn ?? 0) + 1 };
      const place = `cell ${cell.number}:${at.line}:${at.column}`;
      return { cell, ...at, text: name ? `${tidy(name)} (${place})` : place };
    });
}

const isUsers = (file) =>
  !file.startsWith("node:") && !file.replace(/^file:\/\//, "").startsWith(kernelFolder);

/** Names as the user wrote them: variables of cells are properties of one object. */
const tidy = (name) => name.replace(/\$cells\./g, "").replace(/ \[as [^\]]*\]$/, "");
