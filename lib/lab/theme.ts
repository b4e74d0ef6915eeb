/**
 * Colours and type of HTML that stand on whatever page shows it, light or dark: JupyterLab's, else VS Code's, else those of paper.
 *
 * A notebook that is not trusted loses them, because JupyterLab's sanitizer drops `var()`; text is then the page's own
 * colour, so nothing may depend on these to be read.
 */

/** Text of less weight. */
export const FAINT = "var(--jp-content-font-color2,var(--vscode-descriptionForeground,#5F6368))";

/** Thin lines: borders, the track of a bar. */
export const EDGE = "var(--jp-border-color2,var(--vscode-panel-border,#D0D4D9))";

/** What the page's own text is set in. */
export const FONT = "var(--jp-content-font-family,var(--vscode-font-family,sans-serif))";
