/** The lab as a person sees it: JupyterLab in Chromium, on copies of notebook 3. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { needJupyter, notebookOf, root } from "../kernels/jupyter";
import {
  findChromium,
  lowestContrast,
  newPage,
  openBrowser,
  openNotebook,
  PATIENCE_MS,
  startLab,
  takeScreenshots,
  visit,
  type Lab,
} from "./browser";

interface Cell {
  cell_type: string;
  id: string;
  metadata: object;
  source: string | string[];
  outputs?: object[];
  execution_count?: number | null;
}

interface Notebook {
  cells: Cell[];
  metadata: object;
}

const STEPS = 10;
/** What the copy keeps of notebook 3: what runs here, a table, the cold start, the training. */
const KEPT = ["3001", "3003", "3019", "3021"];

/** Small things that a person does. */
const CELLS = [
  'import { loadSpec } from "srpo-lab";',
  '`Hello ${await input("Name? ")}`',
  "loadSpec",
  "for (let i = 0; i < 10_000; i++) console.log(`line ${i}`);",
  'console.log("before"); clearOutput({ wait: true }); console.log("after");',
];

const code = (id: string, source: string, outputs: object[] = []): Cell => ({
  ...{ cell_type: "code", id, metadata: {}, source, outputs, execution_count: null },
});

function notebook3(): Notebook {
  return JSON.parse(readFileSync(join(root, "notebooks/3-srpo.ipynb"), "utf8")) as Notebook;
}

/** Notebook 3 up to its first training, which is made long enough to be stopped, and a cell that uses a library file. */
function shortened(): Notebook {
  const whole = notebook3();
  const cells = whole.cells
    .filter(({ id }) => KEPT.includes(id))
    .map(({ id, source }) => code(id, [source].flat().join("")));
  assert.deepEqual(
    cells.map(({ id }) => id),
    KEPT,
  );
  cells[0].source = String(cells[0].source).replace(
    "loadSpec()",
    `loadSpec({ grpo: { steps: ${STEPS} } })`,
  );
  const library =
    'import { greeting } from "./words";\n`${greeting()}, step ${srpo.summary.steps}`';
  return { ...whole, cells: [...cells, code("library", library)] };
}

/** Notebook 3 as saved, with an output that would rename the page if it were allowed to do anything. */
function saved(): Notebook {
  const whole = notebook3();
  const html = '<img src="none" onerror="document.title = \'it ran\'"><b id="canary">canary</b>';
  const data = { "text/html": html, "text/plain": "canary" };
  const canary = code("canary", "1", [{ output_type: "display_data", data, metadata: {} }]);
  return { ...whole, cells: [canary, ...whole.cells] };
}

describe("JupyterLab in Chromium", function () {
  this.timeout(4 * PATIENCE_MS);
  let folder: string;
  let browser: Browser | undefined;
  let lab: Lab;

  before(async function () {
    needJupyter(this);
    const chromium = findChromium();
    if (chromium === undefined) {
      console.log(
        "      skipped: there is no Chromium (PUPPETEER_EXECUTABLE_PATH, or on the PATH)",
      );
      this.skip();
    }
    mkdirSync(join(root, ".cache"), { recursive: true });
    // In the clone: sources that notebooks import are those of the project.
    folder = mkdtempSync(join(root, ".cache", "browser-"));
    const notebooks = join(folder, "notebooks");
    mkdirSync(notebooks);
    writeFileSync(join(notebooks, "short.ipynb"), JSON.stringify(shortened()));
    writeFileSync(join(notebooks, "cells.ipynb"), notebookOf(CELLS));
    writeFileSync(join(notebooks, "saved.ipynb"), JSON.stringify(saved()));
    writeFileSync(
      join(notebooks, "words.ts"),
      'import { word } from "./word";\nexport const greeting = (): string => `Good ${word}`;\n',
    );
    writeFileSync(join(notebooks, "word.ts"), 'export const word = "morning";\n');
    const env = {
      LAB_PRESET: "smoke",
      SRPO_RUNS: join(folder, "runs"),
      // The theme that this chooses is not the user's.
      JUPYTERLAB_SETTINGS_DIR: join(folder, "settings"),
      JUPYTERLAB_WORKSPACES_DIR: join(folder, "workspaces"),
    };
    browser = await openBrowser(chromium);
    lab = await startLab(notebooks, env);
  });
  afterEach(async function () {
    if (browser === undefined) return;
    if (this.currentTest?.state === "failed") {
      console.log(`      screenshots: ${await takeScreenshots(browser)}`);
    }
    for (const context of browser.contexts()) await context.close();
  });
  after(async () => {
    await browser?.close();
    await lab?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it("asks for its token, has the kernel's logo in its launcher, and shows no pop-up", async () => {
    assert.equal(new URL(lab.origin).hostname, "127.0.0.1");
    assert.equal((await fetch(`${lab.origin}/api/contents`)).status, 403);
    const page = await newPage(browser as Browser);
    await visit(page, lab, "/lab");
    const logo = page.locator('.jp-LauncherCard[title*="TypeScript (SRPO Lab)"] img').first();
    await logo.waitFor();
    await page.waitForFunction(
      (img) => (img as HTMLImageElement).naturalWidth > 0,
      await logo.elementHandle(),
    );
    assert.equal(await page.locator(".jp-Dialog, .Toastify__toast").count(), 0);
  });

  it("shows the figures, tables and samples of a saved notebook that is not trusted", async () => {
    const { page } = await openNotebook(browser as Browser, lab, "saved.ipynb");
    await page.locator("text=canary").last().waitFor();
    const figures = page.locator(".jp-RenderedPlotly img.plot-img");
    const expected = notebook3().cells.flatMap(({ outputs = [] }) =>
      outputs.filter((output) => JSON.stringify(output).includes("vnd.plotly")),
    ).length;
    assert.ok(expected > 3);
    await page.waitForFunction((count) => {
      const pictures = Array.from(document.querySelectorAll<HTMLImageElement>("img.plot-img"));
      return pictures.length === count && pictures.every(({ naturalWidth }) => naturalWidth > 300);
    }, expected);
    // Outputs far below are rendered when the browser has time for them.
    await page.locator(".jp-RenderedHTML table").nth(5).waitFor({ state: "attached" });
    const samples = page.locator('.jp-RenderedHTML img[src^="data:image/png"]');
    await samples.nth(2).waitFor({ state: "attached" });
    // What a stranger's notebook would do stays undone.
    assert.doesNotMatch(await page.title(), /it ran/);
    assert.equal(await page.locator("[onerror]").count(), 0);

    // The browser of rollouts opens and closes without a script.
    const drawer = page
      .locator(".jp-RenderedHTML details", { hasText: "wrong, turns right" })
      .first();
    const card = drawer.locator("text=gold answer").first();
    await drawer.waitFor();
    assert.equal(await card.isVisible(), false);
    await drawer.locator("summary").first().click();
    await drawer.locator("details summary").first().click();
    await card.waitFor();

    // The graph takes the place of the picture under the mouse, and it may lie there already.
    await figures.first().dispatchEvent("mouseenter");
    await page.locator(".jp-RenderedPlotly .plot-container").first().waitFor();
  });

  it("asks a question, explains a name, completes it, prints ten thousand lines, and clears", async () => {
    const { page, cell, run, start } = await openNotebook(browser as Browser, lab, "cells.ipynb");
    await run(0);
    const { ended } = await start(1);
    const question = cell(1).locator(".jp-Stdin-input");
    await question.fill("Ada");
    await question.press("Enter");
    await ended;
    assert.match((await cell(1).locator(".jp-OutputArea").textContent()) ?? "", /'Hello Ada'/);

    const editor = cell(2).locator(".cm-content");
    await editor.click();
    await page.keyboard.press("End");
    await page.keyboard.press("Shift+Tab");
    await page.locator(".jp-Tooltip", { hasText: "A preset with changes" }).waitFor();
    // A click puts the explanation away.
    await editor.click();
    await page.keyboard.press("End");
    await page.keyboard.type("().grp");
    await page.keyboard.press("Tab");
    await page.locator(".jp-Completer-item", { hasText: "grpo" }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForFunction(
      (element) => element?.textContent === "loadSpec().grpo",
      await editor.elementHandle(),
    );

    await run(3);
    const lines = cell(3).locator(".jp-OutputArea-output");
    await lines.getByText("line 9999").waitFor({ state: "attached" });
    const saved = page.waitForResponse(
      (response) => response.request().method() === "PUT" && response.url().includes("cells.ipynb"),
    );
    await page.keyboard.press("Control+s");
    await saved;
    const file = readFileSync(join(folder, "notebooks", "cells.ipynb"), "utf8");
    assert.equal(file.match(/"line \d+\\n"/g)?.length, 10_000, "none is lost in the file");
    await run(4);
    assert.equal(await cell(4).locator(".jp-OutputArea-output").textContent(), "after\n");
  });

  it("trains in a cell: live in place, stopped, gone on with, interactive at the end", async () => {
    const { page, cell, run, start, press } = await openNotebook(
      browser as Browser,
      lab,
      "short.ipynb",
    );
    for (const at of [0, 1, 2]) await run(at);
    assert.match((await cell(0).locator(".jp-OutputArea").textContent()) ?? "", /presetsmoke/);
    assert.equal(await cell(1).locator("table tbody tr").count(), 4);

    const [table] = await Promise.all([
      page.waitForEvent("download"),
      cell(1).locator("a", { hasText: "CSV" }).click(),
    ]);
    assert.equal(table.suggestedFilename(), "reward-by-transition-preset-paper.csv");
    const csv = readFileSync(await table.path(), "utf8");
    assert.match(csv, /^transition,format,accuracy.*\nRR,0\.5,/);

    const training = cell(3);
    const { ended } = await start(3);
    const frames = new Set<string>();
    let most = 0;
    while (frames.size < 3) {
      const live = training.locator(".jp-RenderedHTML").first();
      frames.add((await live.innerHTML()).replace(/[\d.]+m?s elapsed/, ""));
      most = Math.max(most, await training.locator(".jp-OutputArea-child").count());
      await page.waitForTimeout(100);
    }
    // The button that stops, the curves, and the last rollouts below them.
    assert.ok(most <= 3, `${most} outputs`);
    await press("notebook:interrupt-kernel");
    await ended;
    const said = (await training.locator(".jp-OutputArea").textContent()) ?? "";
    const stopped = Number(/Stopped GRPO at step (\d+) of/.exec(said)?.[1]);
    assert.ok(stopped >= 1 && stopped < STEPS, said.slice(-500));
    const before = metricRows();

    await run(3);
    await training.locator(`text=${STEPS} steps in`).waitFor();
    const after = metricRows();
    assert.equal(after.length, STEPS);
    assert.deepEqual(after.slice(0, stopped), before.slice(0, stopped), "steps are done once");

    const picture = training.locator("img.plot-img");
    await picture.dispatchEvent("mouseenter");
    const graph = training.locator(".js-plotly-plot");
    await graph.locator(".plot-container").waitFor();
    const drawn = await graph.evaluate(
      (element) => (element as HTMLElement & { data: { x: number[] }[] }).data.at(-1)?.x.length,
    );
    assert.equal(drawn, STEPS);
    const camera = graph.locator('.modebar-btn[data-title="Download plot"]');
    const [figure] = await Promise.all([
      page.waitForEvent("download"),
      camera.click({ force: true }),
    ]);
    assert.match(readFileSync(await figure.path(), "utf8"), /^<svg [^]*clip ratio/);
    assert.ok((await training.locator('.jp-RenderedHTML img[src^="data:"]').count()) >= 1);

    // A file that the notebook's file imports is edited elsewhere and saved.
    const result = cell(4).locator(".jp-OutputArea-executeResult");
    await run(4);
    assert.match((await result.textContent()) ?? "", /'Good morning, step 10'/);
    const word = join(folder, "notebooks", "word.ts");
    writeFileSync(word, 'export const word = "evening, all";\n');
    await run(4);
    assert.match((await result.textContent()) ?? "", /'Good evening, all, step 10'/);

    for (const theme of ["JupyterLab Dark", "JupyterLab Light"]) {
      await page.locator(".lm-MenuBar-itemLabel", { hasText: /^Settings$/ }).click();
      await page.locator(".lm-Menu-itemLabel", { hasText: /^Theme$/ }).hover();
      await page.locator(".lm-Menu-itemLabel", { hasText: new RegExp(`^${theme}$`) }).click();
      await page.waitForSelector(`body[data-jp-theme-name="${theme}"]`, { state: "attached" });
      const { ratio, text } = await lowestContrast(page.locator(".jp-RenderedHTML"));
      assert.ok(ratio >= 3, `${theme}: ${ratio.toFixed(2)} to 1 for "${text}"`);
    }
  });

  /** The rows of the training's `metrics.jsonl`. */
  function metricRows(): string[] {
    const runs = join(folder, "runs");
    const [name] = readdirSync(runs).filter((one) => one.startsWith("grpo-"));
    return readFileSync(join(runs, name, "metrics.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
  }
});
