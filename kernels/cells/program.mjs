// One TypeScript program that holds every cell as a module, beside the project's sources and the packages' types.
import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { compiledOf, isFresh, sourceOf } from "../session/modules.mjs";

/** The module name by which one cell imports from another. */
const cellName = (run) => `./__cell_${run}`;

/**
 * @param {typeof import("typescript")} ts
 * @param {{root: string, folder: string, strict?: boolean}} options root: the clone; folder: the notebook's own
 */
export function createProgram(ts, { root, folder, strict = false }) {
  const globals = join(root, "kernels", "cells", "globals.d.mts");
  const fileOf = (run) => join(folder, `__cell_${run}.ts`);
  /** The cell that is asked about now. Its name never changes: with the same roots, TypeScript reuses a program. */
  const current = fileOf("now");
  /** File → the text of a cell's module. */
  const cells = new Map([[current, "export {};"]]);
  const versions = new Map();
  let changes = 0;
  /** Which sources are newer than their compiled form decides what an import means; it is looked at once a cell. */
  let moved = false;

  const options = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    customConditions: ["node", "require"],
    moduleDetection: ts.ModuleDetectionKind.Force,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
    strict,
    esModuleInterop: true,
    resolveJsonModule: true,
    allowJs: false,
    experimentalDecorators: true,
    jsx: ts.JsxEmit.React,
    skipLibCheck: true,
    noErrorTruncation: false,
    removeComments: true,
    sourceMap: true,
    baseUrl: root,
    // For completions of relative names, which are meant from either folder.
    rootDirs: [folder, root],
    paths: { "srpo-lab": ["./dist/lib/index"], "srpo-lab/*": ["./*"] },
    outDir: join(root, ".cache", "cells"),
  };

  /** A compiled declaration file stands for its source while it is fresh: it is read ten times as fast. */
  const preferred = (file) => {
    const source = sourceOf(root, file);
    if (source === undefined) return file;
    const compiled = compiledOf(root, source);
    if (compiled === undefined) return file;
    return isFresh(compiled, source) ? compiled.replace(/\.js$/, ".d.ts") : source;
  };

  /** What names mean to the files of a folder; hundreds of files are asked about for every cell. */
  const meanings = new Map();
  const resolveOne = (name, from) => {
    const run = /^\.\/__cell_(\d+)$/.exec(name)?.[1];
    if (run !== undefined) return { resolvedFileName: fileOf(run), extension: ".ts" };
    const key = `${cells.has(from) ? "cell" : dirname(from)}\0${name}`;
    const known = meanings.get(key) ?? resolveAnew(name, from);
    if (known !== undefined) meanings.set(key, known);
    return known;
  };
  const resolveAnew = (name, from) => {
    const resolve = (origin) =>
      ts.resolveModuleName(name, origin, options, host, resolutions).resolvedModule;
    // A cell's relative imports are meant from the notebook's folder, or from the project's root, where it runs.
    const found = resolve(from) ?? (cells.has(from) ? resolve(join(root, "cell.ts")) : undefined);
    if (found === undefined) return undefined;
    const file = preferred(found.resolvedFileName);
    if (file === found.resolvedFileName) return found;
    return {
      ...found,
      resolvedFileName: file,
      extension: file.endsWith(".d.ts") ? ".d.ts" : ".ts",
    };
  };

  const exists = (file) => cells.has(file) || existsSync(file);
  /** @type {import("typescript").LanguageServiceHost} */
  const host = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [globals, current],
    getProjectVersion: () => String(changes),
    getScriptVersion: (file) => versions.get(file) ?? "0",
    getScriptSnapshot: (file) => {
      const text = read(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (own) => ts.getDefaultLibFilePath(own),
    fileExists: exists,
    readFile: read,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    readDirectory: ts.sys.readDirectory,
    realpath: ts.sys.realpath,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    resolveModuleNameLiterals: (literals, from) =>
      literals.map(({ text }) => ({ resolvedModule: resolveOne(text, from) })),
    hasInvalidatedResolutions: () => moved,
  };
  const resolutions = ts.createModuleResolutionCache(root, (file) => file, options);
  const service = ts.createLanguageService(host, ts.createDocumentRegistry(true));

  function read(file) {
    return cells.get(file) ?? (existsSync(file) ? readFileSync(file, "utf8") : undefined);
  }

  /** Looks which of the project's files were saved since the last look. */
  let seen = new Map();
  function lookAtSources() {
    const now = new Map();
    for (const { fileName } of service.getProgram()?.getSourceFiles() ?? []) {
      const source = cells.has(fileName) ? undefined : sourceOf(root, fileName);
      if (source === undefined) continue;
      now.set(source, `${preferred(source)} ${savedAt(source)}`);
      versions.set(fileName, String(savedAt(source)));
    }
    moved = [...now].some(([source, state]) => seen.has(source) && seen.get(source) !== state);
    if (moved) {
      resolutions.clear();
      meanings.clear();
      changes += 1;
    }
    seen = now;
  }

  function set(file, text) {
    cells.set(file, text);
    changes += 1;
    versions.set(file, String(changes));
  }

  /** Saved sources that the program reads and that nobody has checked as they are now; afterwards they count as checked. */
  function unchecked() {
    const files = service
      .getProgram()
      .getSourceFiles()
      .filter(({ fileName, isDeclarationFile }) => {
        if (isDeclarationFile || cells.has(fileName) || !/\.tsx?$/.test(fileName)) return false;
        return sourceOf(root, fileName) === fileName && checked.get(fileName) !== savedAt(fileName);
      });
    return {
      files,
      accept: () => files.forEach(({ fileName }) => checked.set(fileName, savedAt(fileName))),
    };
  }
  const checked = new Map();
  const savedAt = (file) => ts.sys.getModifiedTime(file)?.getTime();

  return {
    service,
    current,
    unchecked,
    cellName,
    program: () => {
      const made = service.getProgram();
      moved = false;
      return made;
    },
    lookAtSources,
    /** Gives the cell that is asked about its module. */
    setCurrent: (text) => set(current, text),
    /** Keeps a cell's module, so that later ones can import from it. */
    keep: (run, text) => set(fileOf(run), text),
    text: (run) => cells.get(fileOf(run)),
    /** The file that a relative name of a cell means, by its source; undefined for a package. */
    resolveFile(specifier) {
      if (!specifier.startsWith(".") && !isAbsolute(specifier)) return undefined;
      const found = resolveOne(specifier, current);
      if (found === undefined) return undefined;
      return sourceOf(root, found.resolvedFileName) ?? found.resolvedFileName;
    },
  };
}
