// The modules that cells import. Sources of this project are loaded as TypeScript where they are newer than what tsc made
// of them, and loaded anew, with everything that imports them, once they were saved again.
import { existsSync, readFileSync, statSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { isAbsolute, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";

const dist = (root) => join(root, "dist") + sep;
const inside = (folder, file) => file.startsWith(folder + sep);

/** When a file was last saved; -1 where there is none. */
const savedAt = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;

/**
 * The source behind a compiled file, or the file itself where it is a source of the project.
 * @returns {string | undefined} undefined for what belongs to a package
 */
export function sourceOf(root, file) {
  if (!inside(root, file) || file.includes(`${sep}node_modules${sep}`)) return undefined;
  if (!file.startsWith(dist(root))) return file;
  const source = join(root, relative(dist(root), file)).replace(/(\.d\.ts|\.js)$/, ".ts");
  return existsSync(source) ? source : undefined;
}

/** The compiled counterpart of a source, where tsc made one: both are one module. */
export function compiledOf(root, source) {
  if (!inside(root, source) || source.startsWith(dist(root)) || !source.endsWith(".ts")) return;
  const compiled = join(dist(root), relative(root, source)).replace(/\.ts$/, ".js");
  return existsSync(compiled) ? compiled : undefined;
}

/** Whether the compiled file is what its source says now. */
export function isFresh(compiled, source) {
  return savedAt(compiled) >= savedAt(source);
}

/**
 * Takes over Node's loading of the project's own modules.
 * @param {{root: string}} options root: the clone
 */
export function createModules({ root }) {
  const require = createRequire(join(root, "cell.js"));
  /** File of a loaded module → its source, and when that was saved. */
  const loaded = new Map();
  let compiler;

  const transpile = (source, text) => {
    compiler ??= require("typescript");
    const { outputText } = compiler.transpileModule(text, {
      fileName: source,
      compilerOptions: {
        target: compiler.ScriptTarget.ES2022,
        module: compiler.ModuleKind.CommonJS,
        esModuleInterop: true,
        experimentalDecorators: true,
        inlineSourceMap: true,
        jsx: compiler.JsxEmit.React,
      },
    });
    return outputText;
  };

  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    // The clone under its own name is this clone, wherever node_modules comes from.
    const own = /^srpo-lab(?:\/(.*))?$/.exec(request);
    if (own !== null) request = own[1] === undefined ? root : join(root, own[1]);
    const found = resolveFilename.call(this, request, ...rest);
    return isAbsolute(found) ? (compiledOf(root, found) ?? found) : found;
  };

  const loadJs = Module._extensions[".js"];
  Module._extensions[".js"] = function (module, file) {
    const source = sourceOf(root, file);
    if (source === undefined || source === file) {
      if (source !== undefined) loaded.set(file, { source, saved: savedAt(source) });
      return loadJs(module, file);
    }
    loaded.set(file, { source, saved: savedAt(source) });
    if (isFresh(file, source)) return loadJs(module, file);
    return module._compile(transpile(source, readFileSync(source, "utf8")), file);
  };
  Module._extensions[".ts"] = function (module, file) {
    loaded.set(file, { source: file, saved: savedAt(file) });
    return module._compile(transpile(file, readFileSync(file, "utf8")), file);
  };

  /** Forgets the project's modules that were saved since they were loaded, and all that import them. */
  function refresh() {
    const stale = new Set();
    for (const [file, { source, saved }] of loaded) if (savedAt(source) !== saved) stale.add(file);
    if (stale.size === 0) return;
    const importers = new Map();
    for (const file of loaded.keys()) {
      for (const child of require.cache[file]?.children ?? []) {
        importers.set(child.filename, [...(importers.get(child.filename) ?? []), file]);
      }
    }
    for (const file of stale) for (const importer of importers.get(file) ?? []) stale.add(importer);
    for (const file of stale) {
      delete require.cache[file];
      loaded.delete(file);
    }
  }

  /**
   * A module by the name that a cell imports it under.
   * @returns {Promise<() => any>} looks the module up: another object once it was loaded anew
   */
  async function load(name) {
    try {
      require(name);
      return () => require(name);
    } catch (error) {
      // Packages that only have an ES module's entry, and modules that await at their top.
      const esm = ["ERR_PACKAGE_PATH_NOT_EXPORTED", "ERR_REQUIRE_ESM", "ERR_REQUIRE_ASYNC_MODULE"];
      if (!esm.includes(error?.code)) throw error;
      const module = await import(isAbsolute(name) ? pathToFileURL(name).href : name);
      return () => module;
    }
  }

  return { load, refresh, require };
}
