// A few lines of source with a caret under the place that is meant, as terminals and notebooks show it.
export const red = (text) => `\u001b[31m${text}\u001b[39m`;
export const bold = (text) => `\u001b[1m${text}\u001b[22m`;
/** Dim in a terminal. JupyterLab does not know the code, and its own gray cannot be read on its dark theme. */
export const gray = (text) => `\u001b[2m${text}\u001b[22m`;

const CONTEXT_LINES = 2;

/**
 * The lines around a place, with a caret under it.
 * @param {number} line from 1
 * @param {number} column from 1
 */
export function codeFrame(source, line, column) {
  const lines = source.split("\n");
  const first = Math.max(1, line - CONTEXT_LINES);
  const last = Math.min(lines.length, line + CONTEXT_LINES);
  const width = String(last).length;
  const shown = [];
  for (let number = first; number <= last; number++) {
    const label = String(number).padStart(width);
    const text = lines[number - 1];
    shown.push(
      number === line ? `${red(">")} ${label} | ${text}` : `  ${gray(`${label} |`)} ${text}`,
    );
    if (number === line) {
      // Tabs stay tabs, so that the caret stands where the code does.
      const blank = text.slice(0, column - 1).replace(/[^\t]/g, " ");
      shown.push(`  ${" ".repeat(width)} ${gray("|")} ${blank}${red("^")}`);
    }
  }
  return shown;
}
