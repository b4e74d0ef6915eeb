/** Widgets as a person sees them: dragged, clicked, and still there after the page was loaded anew. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Locator } from "playwright-core";
import {
  findChromium,
  openBrowser,
  openNotebook,
  PATIENCE_MS,
  startLab,
  takeScreenshots,
  type Lab,
} from "../lab/browser";
import { needJupyter, notebookOf, root } from "./jupyter";

const CELLS = [
  `import { showRewardSliders } from "srpo-lab";
import { group, scoring } from "srpo-lab/test/lab/group-of-eight";
await showRewardSliders(group, scoring);`,
  `import { watch } from "srpo-lab";
import { interruptible } from "srpo-lab/lib/engine/interrupt";
const watcher = watch("stage");
let reached = 0;
watcher.begin(600, []);
await interruptible(async (signal) => {
  for (reached = 1; reached <= 600 && !signal.aborted; reached++) {
    const end = Date.now() + 100;
    while (Date.now() < end);
    watcher.step(reached, { loss: 1 / reached });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await watcher.end("asked to");
  throw new Error(\`stopped at step \${reached}\`);
});`,
  `const bytes = anywidget({
  esm: \`export default { render({ model, el }) {
    const draw = () => { el.textContent = "sum " + new Uint8Array(model.get("data").buffer).reduce((a, b) => a + b, 0); };
    model.on("change:data", draw);
    draw();
    el.addEventListener("click", () => { model.set("data", new DataView(new Uint8Array([5, 6]).buffer)); model.save_changes(); });
  } };\`,
  state: { data: new Uint8Array([1, 2, 3]) },
});
bytes`,
  'Array.from(bytes.get("data")).join()',
];

describe("kernels: widgets in Chromium", function () {
  this.timeout(2 * PATIENCE_MS);
  let folder: string;
  let browser: Browser | undefined;
  let lab: Lab | undefined;

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
    folder = mkdtempSync(join(root, ".cache", "widgets-"));
    const notebooks = join(folder, "notebooks");
    mkdirSync(notebooks);
    writeFileSync(join(notebooks, "widgets.ipynb"), notebookOf(CELLS));
    const env = {
      JUPYTERLAB_SETTINGS_DIR: join(folder, "settings"),
      JUPYTERLAB_WORKSPACES_DIR: join(folder, "workspaces"),
    };
    [lab, browser] = await Promise.all([startLab(notebooks, env), openBrowser(chromium)]);
  });
  afterEach(async function () {
    if (browser !== undefined && this.currentTest?.state === "failed") {
      console.log(`      screenshots: ${await takeScreenshots(browser)}`);
    }
  });
  after(async () => {
    await browser?.close();
    await lab?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** Drags a slider's handle with the mouse; `heard` is told while the button is still down. */
  async function drag(slider: Locator, to: number, heard: () => Promise<void>): Promise<void> {
    const { x, y, width, height } = (await slider.boundingBox()) ?? assert.fail("no slider");
    const mouse = slider.page().mouse;
    const place = (at: number): [number, number] => [x + width * at, y + height / 2];
    await mouse.move(...place(0.1));
    await mouse.down();
    for (let step = 1; step <= 10; step++)
      await mouse.move(...place(0.1 + (to - 0.1) * (step / 10)));
    await heard();
    await mouse.up();
  }

  it("score a group anew while they are dragged, carry bytes, stop a stage, and survive a reload", async () => {
    const { page, run, start, cell } = await openNotebook(
      browser as Browser,
      lab as Lab,
      "widgets.ipynb",
    );
    await run(0);
    const sliders = cell(0).locator(".srpo-sliders");
    const figure = sliders.locator("figure");
    const alpha = sliders.locator('input[name="alpha"]');
    await alpha.waitFor();
    const words = (): Promise<string | null> => figure.getAttribute("aria-label");
    const trained = await words();
    assert.match(trained ?? "", /as trained/);
    await drag(alpha, 0.9, async () => {
      await page.waitForFunction(
        (old) => document.querySelector(".srpo-sliders figure")?.getAttribute("aria-label") !== old,
        trained,
      );
    });
    const set = Number(await alpha.inputValue());
    assert.ok(set > 0.6, String(set));
    assert.equal(await figure.locator("svg").count(), 1);

    await run(2);
    const bytes = cell(2).locator(".jp-OutputArea-output", { hasText: "sum" });
    await bytes.getByText("sum 6").click();
    await bytes.getByText("sum 11").waitFor();
    await run(3);
    assert.match((await cell(3).locator(".jp-OutputArea-output").textContent()) ?? "", /'5,6'/);

    const { ended } = await start(1);
    await cell(1).getByRole("button", { name: "Stop" }).click();
    await ended;
    assert.match(
      (await cell(1).locator(".jp-OutputArea").textContent()) ?? "",
      /Error: stopped at step \d+/,
    );
    assert.equal(await cell(1).getByRole("button", { name: "Stop" }).count(), 0);

    const before = await words();
    await page.keyboard.press("Control+s");
    await page.waitForSelector(".jp-NotebookPanel:not(.jp-mod-dirty)");
    await page.reload();
    await alpha.waitFor();
    assert.equal(Number(await alpha.inputValue()), set);
    assert.equal(await words(), before);
    await drag(alpha, 0.3, async () => {
      await page.waitForFunction(
        (old) => document.querySelector(".srpo-sliders figure")?.getAttribute("aria-label") !== old,
        before,
      );
    });
    // JupyterLab draws what is out of sight when it is scrolled to.
    await cell(2).scrollIntoViewIfNeeded();
    await bytes.getByText("sum 11").waitFor();
  });
});
