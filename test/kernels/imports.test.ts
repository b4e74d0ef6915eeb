import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needJupyter, openSession, plain, root, type Session } from "./jupyter";

const name = `imports-${process.pid}`;
const folder = join(root, ".cache", name);

describe("kernels: imports", () => {
  let session: Session;
  let ticks = Math.floor(Date.now() / 1000) - 1000;

  /** Saves a source; file systems that count whole seconds would take two saves for one. */
  function save(file: string, text: string): void {
    const { utimesSync } = require("node:fs") as typeof import("node:fs");
    writeFileSync(join(folder, file), text);
    utimesSync(join(folder, file), ++ticks, ticks);
  }

  before(async function () {
    needJupyter(this);
    mkdirSync(join(folder, "deep"), { recursive: true });
    save(
      "top.ts",
      'import { middle } from "./deep/middle";\nexport const top = (): string => `top ${middle()}`;\n',
    );
    save(
      "deep/middle.ts",
      'import { leaf } from "./leaf";\nexport const middle = (): string => `middle ${leaf}`;\n',
    );
    save("deep/leaf.ts", 'export const leaf = "one";\n');
    save("other.ts", "export const state = { made: Math.random() };\n");
    session = await openSession();
  });
  after(async () => {
    await session?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function value(code: string): Promise<unknown> {
    const { status, result, error } = await session.run(code);
    assert.equal(status, "ok", plain(error));
    return result?.["text/plain"];
  }

  it("take sources anywhere in the project, from its root and from the notebook's folder", async () => {
    assert.equal(
      await value(`import { top } from "./.cache/${name}/top"; top()`),
      "'top middle one'",
    );
    assert.equal(await value(`import { leaf } from "../.cache/${name}/deep/leaf"; leaf`), "'one'");
  });

  it("see a saved edit in the next cell through any depth, without importing again", async () => {
    await value(`import { state } from "./.cache/${name}/other"; const before = state;`);
    save("deep/leaf.ts", 'export const leaf = "two";\n');
    assert.equal(await value("top()"), "'top middle two'");
    assert.equal(await value("before === state"), "true", "what did not change stays what it is");
  });

  it("see the edit's types as well", async () => {
    save("deep/leaf.ts", "export const leaf = 3;\nexport const added: number[] = [4];\n");
    const code = `import { leaf as number, added } from "./.cache/${name}/deep/leaf"; number.toFixed(1) + added`;
    assert.equal(await value(code), "'3.04'");
    const { error } = await session.run("added.toFixed()");
    assert.match(plain(error), /TS2339: Property 'toFixed' does not exist on type 'number\[\]'/);
  });

  it("say which name a module does not have", async () => {
    const { error } = await session.run(`import { nothing } from "./.cache/${name}/top";`);
    assert.match(plain(error), /TS2305: .*no exported member 'nothing'/);
  });

  it("give the library under its own name, with types", async () => {
    const code = 'import { renderEngine } from "srpo-lab/dist/lib/engine/backend";';
    const typed = await session.run(`${code} renderEngine({ backend: "abacus" } as const);`);
    assert.match(plain(typed.error), /TS2322: Type '"abacus"' is not assignable/);
    assert.equal(
      await value(
        `import { ready, tf } from "srpo-lab/dist/lib/engine/backend";
         await ready();
         tf.topk(tf.tensor1d([1, 3, 2]), 2).values.arraySync().join()`,
      ),
      "'3,2'",
    );
  });

  it("take a package that is only ES modules by its name, with its types", async () => {
    const manifest = readFileSync(join(root, "node_modules", "hyparquet", "package.json"), "utf8");
    const { type, exports } = JSON.parse(manifest) as { type: string; exports: object };
    assert.equal(type, "module");
    assert.doesNotMatch(JSON.stringify(exports), /"require"/);
    const code = 'import { parquetMetadata } from "hyparquet"; parquetMetadata';
    assert.match(String(await value(code)), /^\[Function: parquetMetadata\]/);
    assert.equal(await value('import * as all from "hyparquet"; "parquetMetadata" in all'), "true");
    const typed = await session.run("parquetMetadata(7);");
    assert.match(plain(typed.error), /TS2345: Argument of type 'number'.*ArrayBuffer/);
  });

  it("take ES modules by their path, with an await at their top, JSON, types alone, and import() with a name", async () => {
    const esm = join(folder, "node_modules", "only-esm");
    mkdirSync(esm, { recursive: true });
    const manifest = { name: "only-esm", version: "1.0.0", exports: { import: "./index.mjs" } };
    writeFileSync(join(esm, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(esm, "index.mjs"), "export const here = await Promise.resolve(7);\n");
    assert.equal(
      await value(`(await import("./.cache/${name}/node_modules/only-esm/index.mjs")).here`),
      "7",
    );
    assert.equal(
      await value('import manifest from "../package.json"; manifest.name'),
      "'srpo-lab'",
    );
    assert.equal(
      await value(
        'import type { Spec } from "srpo-lab"; const partial: Partial<Spec> = {}; partial',
      ),
      "{}",
    );
    assert.equal(await value('(await import("node:path")).basename("/a/b")'), "'b'");
  });
});
