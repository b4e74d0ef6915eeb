// The variables of all cells, as properties of one object; a name that a cell imports is looked up in its module each time.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** @param {{load(name: string): Promise<() => any>}} modules */
export function createScope(modules) {
  /** @type {Record<string, unknown>} */
  const variables = Object.create(null);

  return {
    variables,

    /** What `import.meta` is to a cell. */
    meta: { dirname: process.cwd(), url: pathToFileURL(join(process.cwd(), "cell.ts")).href },

    /**
     * Takes the names that a cell declares out of sight, so that afterwards one can tell which of them it has set.
     * @param {string[]} names
     */
    begin(names) {
      const old = names.flatMap((name) => {
        const property = Object.getOwnPropertyDescriptor(variables, name);
        delete variables[name];
        return property === undefined ? [] : [[name, property]];
      });
      return {
        /** @returns {string[]} the names set; the others are again what they were */
        end() {
          const set = names.filter((name) => name in variables);
          for (const [name, property] of old) {
            if (!(name in variables)) Object.defineProperty(variables, name, property);
          }
          return set;
        },
      };
    },

    /**
     * Binds names of a module, as an `import` does.
     * @param {[local: string, exported: string][]} names exported: `default`, `*` for the module itself, or a name
     */
    async import(specifier, names) {
      const lookUp = await modules.load(specifier);
      for (const [local, exported] of names) {
        const get = () => pick(lookUp(), exported);
        if (exported !== "*" && exported !== "default" && !(exported in Object(lookUp()))) {
          throw new SyntaxError(`the module "${specifier}" has no export named "${exported}"`);
        }
        Object.defineProperty(variables, local, { get, configurable: true, enumerable: true });
      }
    },

    /** A module as `import()` gives it. */
    async load(specifier) {
      return namespace((await modules.load(specifier))());
    },
  };
}

/** As TypeScript's esModuleInterop has it: a CommonJS module is its own default export. */
function pick(module, exported) {
  if (exported === "*") return module;
  if (exported === "default") return isModule(module) ? module.default : module;
  return module[exported];
}

const isModule = (value) => value?.__esModule === true || value?.[Symbol.toStringTag] === "Module";

function namespace(module) {
  if (isModule(module)) return module;
  return Object.assign(Object.create(null), typeof module === "object" ? module : {}, {
    default: module,
  });
}
