// The cells of one session: which cell declared which name last, and what a new one compiles to.
import { relative } from "node:path";
import { codeFrame, gray, red, bold } from "../code-frame.mjs";
import { createProgram } from "./program.mjs";
import { PARAMETERS, declaredNames, rewriteCell } from "./rewrite.mjs";

/** TypeScript's codes for what is right in a notebook, and wrong elsewhere. */
const FINE_IN_CELLS = new Set([
  // "'await' has no effect", of a value that may or may not be a promise.
  80007,
]);
const MAX_DIAGNOSTICS = 10;
const CANNOT_FIND_NAME = 2304;

/** What people who come from Python write, and what does it here. */
const INSTEAD = new Map(
  Object.entries({
    "%": "Magics are IPython's. A cell's time: console.time() before and console.timeEnd() after.",
    "!": 'A shell\'s command: import { execSync } from "node:child_process"; then String(execSync("ls")).',
    print: "Here it is console.log(…), or display(…) for a table or a picture.",
    help: "Here it is the name with a question mark behind it, loadSpec?, or Shift+Tab on it.",
    len: "Here it is x.length.",
  }),
);

/**
 * @param {typeof import("typescript")} ts
 * @param {{root: string, folder: string}} options root: the clone; folder: where the notebook lies
 */
export function createNotebook(ts, { root, folder }) {
  let strict = false;
  let program = createProgram(ts, { root, folder });
  /** Name → the run that declared it last, and how. */
  let names = new Map();
  let runs = 0;

  /** The module of a cell: earlier cells' names, the cell itself, and the names that later cells may use. */
  function moduleOf(source, { every = false } = {}) {
    const parsed = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ES2022, true);
    const declared = declaredNames(ts, parsed);
    const used = every ? undefined : new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
    const prefix = [];
    for (const [name, { run, kind }] of names) {
      if (declared.has(name) || (used !== undefined && !used.has(name))) continue;
      const from = program.cellName(run);
      prefix.push(
        kind === "other"
          ? `import { ${name} } from "${from}";`
          : `declare ${kind} ${name}: typeof import("${from}").${name};`,
      );
    }
    const own = [...declared].filter(([, { exported }]) => !exported).map(([name]) => name);
    const head = `export {}; ${prefix.join(" ")}\n`;
    const text = `${head}${source}\nexport { ${own.join(", ")} };\n`;
    return { text, offset: head.length, declared };
  }

  const problems = (made, file) =>
    [...made.getSyntacticDiagnostics(file), ...made.getSemanticDiagnostics(file)].filter(
      ({ category, code }) => category === ts.DiagnosticCategory.Error && !FINE_IN_CELLS.has(code),
    );

  return {
    /**
     * Compiles a cell.
     * @param {string} source
     * @returns {{errors: object[]} | {run: number, code: string, map: string, names: string[], keep(set: string[]): void}}
     *   errors: why it cannot run; keep: takes the names that the cell has set, once it ran, over for later cells
     */
    compile(source) {
      const wanted = /^\s*\/\/\s*@strict(\s+off)?\s*$/m.exec(source);
      if (wanted !== null && strict !== (wanted[1] === undefined)) {
        strict = !strict;
        const old = program;
        program = createProgram(ts, { root, folder, strict });
        for (const { run } of names.values()) program.keep(run, old.text(run));
      }
      program.lookAtSources();
      const run = ++runs;
      const { text, offset, declared } = moduleOf(source);
      program.setCurrent(text);
      const made = program.program();
      const file = made.getSourceFile(program.current);
      const found = problems(made, file).map((error) => diagnostic(ts, error, { source, offset }));
      // A source that was edited fails the cell that would run it, at its own line.
      const edited = program.unchecked();
      for (const other of edited.files) {
        const at = { source: other.text, offset: 0, name: relative(root, other.fileName) };
        found.push(...problems(made, other).map((error) => diagnostic(ts, error, at)));
      }
      const foreign = INSTEAD.get(/^\s*([%!])[\w%!]/.exec(source)?.[1]);
      if (found.length > 0 && foreign !== undefined) found[0].lines.push(foreign);
      if (found.length > 0) return { errors: found };
      edited.accept();
      const output = {};
      const rewrite = rewriteCell(ts, made.getTypeChecker(), {
        from: offset,
        to: offset + source.length,
        resolve: (specifier) => program.resolveFile(specifier) ?? specifier,
      });
      made.emit(
        file,
        (name, content) => (output[name.endsWith(".map") ? "map" : "js"] = content),
        undefined,
        false,
        { before: [rewrite] },
      );
      const body = output.js
        .replace(/^export \{\};$/m, "")
        .replace(/^\/\/# sourceMappingURL=.*$/m, "");
      return {
        run,
        code: `(async (${PARAMETERS.join(", ")}) => {\n${body}\n})`,
        map: output.map,
        names: [...declared.keys()],
        keep(set) {
          const values = new Set(set);
          if (declared.size > 0) program.keep(run, text);
          for (const [name, { kind }] of declared) {
            if (values.has(name) || isType(ts, made, file, name)) names.set(name, { run, kind });
          }
        },
      };
    },

    /** A module for questions about unfinished code; every earlier name is in it. */
    scratch(source) {
      program.lookAtSources();
      const { text, offset } = moduleOf(source, { every: true });
      program.setCurrent(text);
      program.program();
      return { service: program.service, file: program.current, offset };
    },

    /** Forgets every cell: the process that held their variables is gone. */
    forget() {
      names = new Map();
    },
  };
}

function isType(ts, program, file, name) {
  const symbol = file.locals?.get(name);
  if (symbol === undefined) return false;
  const checker = program.getTypeChecker();
  const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (meant.flags & ts.SymbolFlags.Value) === 0;
}

/**
 * A diagnostic as the client shows an error.
 * @returns {{message: string, code: string, lines: string[]}}
 */
function diagnostic(ts, error, { source, offset, name }) {
  const message = ts.flattenDiagnosticMessageText(error.messageText, "\n  ");
  const start = Math.max(0, Math.min(source.length, (error.start ?? 0) - offset));
  const before = source.slice(0, start).split("\n");
  const [line, column] = [before.length, before.at(-1).length + 1];
  const word = source.slice(start, start + error.length);
  const instead = error.code === CANNOT_FIND_NAME ? INSTEAD.get(word) : undefined;
  return {
    message: `${name === undefined ? "" : `${name}:`}${line}:${column} - ${message}`,
    code: `TS${error.code}`,
    lines: [
      `${red(bold(`TS${error.code}`))}: ${message}`,
      gray(`  at ${name === undefined ? "" : `${name}, `}line ${line}, column ${column}`),
      ...codeFrame(source, line, column),
      ...(instead === undefined ? [] : [instead]),
    ],
  };
}

/** At most so many diagnostics, as the traceback of one error. */
export function diagnosticsAsError(errors) {
  const shown = errors.slice(0, MAX_DIAGNOSTICS).flatMap(({ lines }) => [...lines, ""]);
  const rest = errors.length - MAX_DIAGNOSTICS;
  if (rest > 0) shown.push(`… and ${rest} more`);
  return {
    ename: errors[0].code,
    evalue: errors.map(({ message }) => message).join("\n"),
    traceback: shown.slice(0, rest > 0 ? undefined : -1),
  };
}
