/** Jupyter's tools around notebooks tell which one fails and which does not; for nbclient `run-notebook.test.ts` does. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jupyterEnv, needJupyter, notebookOf, python } from "./jupyter";

const GOOD = ["const x = 20;", 'console.log("two"); x + 1'];
const BAD = ["const x = 20;", 'await 0;\nthrow new Error("no light");', "x"];

/** What a run of GOOD leaves, for the tool that compares. */
const GOOD_OUTPUTS = [
  [],
  [
    { output_type: "stream", name: "stdout", text: "two\n" },
    {
      output_type: "execute_result",
      data: { "text/plain": "21" },
      execution_count: 2,
      metadata: {},
    },
  ],
];

describe("kernels: tools around notebooks", () => {
  let folder: string;
  before(function () {
    needJupyter(this);
    for (const name of ["papermill", "nbmake", "nbval"]) {
      if (spawnSync(python, ["-c", `import ${name}`]).status === 0) continue;
      console.log(`      skipped: ${name} is not in .venv; \`npm run setup\` installs it`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "tools-"));
    writeFileSync(join(folder, "good.ipynb"), notebookOf(GOOD, GOOD_OUTPUTS));
    writeFileSync(join(folder, "bad.ipynb"), notebookOf(BAD));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  function run(...args: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn(python, ["-m", ...args], { cwd: folder, env: jupyterEnv() });
    let output = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (output += String(chunk)));
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
  }

  it("papermill", async () => {
    const good = await run("papermill", "good.ipynb", "good-out.ipynb");
    assert.equal(good.code, 0, good.output);
    const bad = await run("papermill", "bad.ipynb", "bad-out.ipynb");
    assert.equal(bad.code, 1, bad.output);
    assert.match(bad.output, /no light/);
  });

  it("papermill's parameters, which stand before the cells and keep their types", async () => {
    const names = {
      steps: 20,
      rate: 0.5,
      name: 'a "b"\n',
      loud: true,
      none: null,
      list: [1, ["x"]],
    };
    const cell = "const steps: number = 1; // how many";
    const notebook = JSON.parse(
      notebookOf([cell, "console.log(JSON.stringify({ steps, rate, name, loud, none, list }))"]),
    ) as { cells: { metadata: object }[] };
    notebook.cells[1].metadata = { tags: ["parameters"] };
    writeFileSync(join(folder, "asks.ipynb"), JSON.stringify(notebook));
    const given = await run("papermill", "asks.ipynb", "told.ipynb", "-y", JSON.stringify(names));
    assert.equal(given.code, 0, given.output);
    const told = JSON.parse(readFileSync(join(folder, "told.ipynb"), "utf8")) as {
      cells: { source: string | string[]; outputs?: { text?: string | string[] }[] }[];
    };
    assert.match([told.cells[2].source].flat().join(""), /^\/\/ Parameters\nlet steps = 20;\n/);
    const printed = [told.cells.at(-1)?.outputs?.[0].text ?? ""].flat().join("");
    assert.deepEqual(JSON.parse(printed), names);
    const help = await run("papermill", "--help-notebook", "asks.ipynb");
    assert.match(help.output, /steps: number \(default 1\)\s+how many/);
  });

  it("nbmake", async () => {
    const both = await run(
      "pytest",
      "-p",
      "no:cacheprovider",
      "--nbmake",
      "good.ipynb",
      "bad.ipynb",
    );
    assert.equal(both.code, 1, both.output);
    assert.match(both.output, /no light/);
    assert.match(both.output, /1 failed, 1 passed/);
  });

  it("nbval, which also compares what cells show with what was saved", async () => {
    const both = await run(
      "pytest",
      "-p",
      "no:cacheprovider",
      "--nbval",
      "good.ipynb",
      "bad.ipynb",
    );
    assert.equal(both.code, 1, both.output);
    assert.match(both.output, /no light/);
    const passed = /(\d+) passed/.exec(both.output)?.[1];
    assert.ok(Number(passed) >= GOOD.length, both.output);
    assert.doesNotMatch(both.output, /good\.ipynb.*F/);
  });

  it("nbconvert", async () => {
    const args = ["nbconvert", "--execute", "--to", "notebook", "--stdout"];
    const good = await run(...args, "good.ipynb");
    assert.equal(good.code, 0, good.output);
    const bad = await run(...args, "bad.ipynb");
    assert.equal(bad.code, 1, bad.output);
    assert.match(bad.output, /no light/);
  });
});
