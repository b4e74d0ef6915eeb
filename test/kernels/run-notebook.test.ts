import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jupyterEnv, needJupyter, notebookOf, python, root } from "./jupyter";

interface Cell {
  outputs: {
    output_type: string;
    text?: string | string[];
    data?: Record<string, string | string[]>;
    traceback?: string[];
  }[];
}

/** What a cell's outputs say, whichever way they came. */
function textOf({ outputs }: Cell): string {
  const texts = outputs.map(
    ({ text, data, traceback }) => text ?? data?.["text/plain"] ?? traceback ?? [],
  );
  return texts.map((lines) => [lines].flat().join("")).join("");
}

describe("kernels/run_notebook", () => {
  let folder: string;
  before(function () {
    needJupyter(this);
  });
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "notebook-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs a notebook headless; `interruptAt` sends Ctrl-C once progress shows the text. */
  async function run(sources: string[], interruptOnceSaved = false) {
    const source = join(folder, "in.ipynb");
    const target = join(folder, "out", "in.ipynb");
    writeFileSync(source, notebookOf(sources));
    const before = readFileSync(source, "utf8");
    const runner = join(root, "kernels", "run_notebook.py");
    const child = spawn(python, [runner, "notebook 1/1", source, target], { env: jupyterEnv() });
    let progress = "";
    child.stderr.on("data", (chunk) => {
      progress += String(chunk);
      if (interruptOnceSaved && progress.includes("cell 1/2")) {
        interruptOnceSaved = false;
        // The second cell has started by then; it takes ten seconds unless it is stopped.
        setTimeout(() => child.kill("SIGINT"), 1500);
      }
    });
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    assert.equal(readFileSync(source, "utf8"), before, "the source is left alone");
    assert.deepEqual(readdirSync(join(folder, "out")), ["in.ipynb"], "nothing half-written");
    const saved = JSON.parse(readFileSync(target, "utf8")) as { cells: Cell[] };
    const texts = saved.cells.slice(1).map(textOf);
    return { code, progress, texts };
  }

  it("runs every cell, tells which, and saves what they printed", async () => {
    const { code, progress, texts } = await run(["// Add up\n1 + 1", 'console.log("two")']);
    assert.equal(code, 0, progress);
    assert.deepEqual(texts, ["2", "two\n"]);
    assert.match(progress, /notebook 1\/1 · cell 1\/2 · \d\d:\d\d {2}Add up/);
    assert.match(progress, /notebook 1\/1 · cell 2\/2 · \d\d:\d\d {2}First light/);
  });

  it("stops at a cell that fails, shows its error, and saves what there is", async () => {
    const { code, progress, texts } = await run(["1 + 1", 'throw new Error("no light");', "3"]);
    assert.equal(code, 1);
    assert.match(progress, /FAILED/);
    assert.match(progress, /Error: no light/);
    assert.equal(texts[0], "2");
    assert.match(texts[1], /no light/);
    assert.equal(texts[2], "");
  });

  it("stops the stage that trains when it is interrupted, and saves what there is", async () => {
    const stage = `
      import { interruptible } from "srpo-lab/dist/lib/engine/interrupt";
      await interruptible(async (signal) => {
        for (let i = 0; i < 500 && !signal.aborted; i++) await new Promise((r) => setTimeout(r, 20));
        console.log(signal.aborted ? "checkpoint written" : "ran to its end");
      });`;
    const { code, progress, texts } = await run(["1 + 1", stage], true);
    assert.equal(code, 130, progress);
    assert.deepEqual(texts, ["2", "checkpoint written\n"]);
  });
});
