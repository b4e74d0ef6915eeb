/** A person at JupyterLab: this clone's lab as `npm run lab` starts it, in Chromium without a window. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { chromium, type Browser, type Locator, type Page } from "playwright-core";
import { root } from "../kernels/jupyter";

/** A machine with two busy cores takes its time. */
export const PATIENCE_MS = 90_000;

/** Chromium: `PUPPETEER_EXECUTABLE_PATH`, else what the PATH has. */
export function findChromium(): string | undefined {
  const named = process.env.PUPPETEER_EXECUTABLE_PATH;
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...(named ? [named] : []), ...found].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function openBrowser(executablePath: string): Promise<Browser> {
  // Chromium's sandbox refuses to run as root, as containers do.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}

/** A running lab. */
export interface Lab {
  /** `http://127.0.0.1:8888` */
  origin: string;
  token: string;
  close(): Promise<void>;
}

/** Starts `npm run lab` on a folder of notebooks. */
export async function startLab(notebooks: string, env: NodeJS.ProcessEnv): Promise<Lab> {
  const script = join(root, "kernels", "lab.mjs");
  const child = spawn(process.execPath, [script, "--notebooks", notebooks], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  const stop = (): void => void child.kill("SIGTERM");
  process.once("exit", stop);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { origin, searchParams } = new URL(await addressOf(child));
  return {
    origin,
    token: searchParams.get("token") ?? "",
    close: () => {
      process.off("exit", stop);
      stop();
      return ended;
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let said = "";
  child.stderr?.on("data", (chunk) => (said += String(chunk)));
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const address = /^JupyterLab: (\S+)$/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`the lab did not start: ${said.slice(-2000)}`);
}

/** A notebook in its tab. */
export interface OpenNotebook {
  page: Page;
  /** The code cell number `at`, from 0. */
  cell(at: number): Locator;
  /** Runs a cell and waits until it has ended. */
  run(at: number): Promise<void>;
  /** Starts a cell; the promise of the promise is fulfilled when it has ended. */
  start(at: number): Promise<{ ended: Promise<void> }>;
  /** A button of the notebook's toolbar. */
  press(command: string): Promise<void>;
}

/** Opens a notebook in a page of its own and waits for its kernel. */
export async function openNotebook(
  browser: Browser,
  lab: Lab,
  name: string,
): Promise<OpenNotebook> {
  const page = await newPage(browser);
  // JupyterLab calls a notebook idle also before it has a kernel, and drops what is run then.
  const connected = page.waitForEvent("websocket", async (socket) => {
    if (!socket.url().includes("/channels")) return false;
    await socket.waitForEvent("framereceived", {
      predicate: ({ payload }) => String(payload).includes("kernel_info_reply"),
      timeout: PATIENCE_MS,
    });
    return true;
  });
  await visit(page, lab, `/lab/tree/${name}`);
  await connected;
  await page.waitForSelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]');
  const cell = (at: number): Locator => page.locator(".jp-Notebook .jp-CodeCell").nth(at);
  const start = async (at: number): Promise<{ ended: Promise<void> }> => {
    const prompt = cell(at).locator(".jp-InputPrompt").first();
    const before = await prompt.textContent();
    await prompt.click();
    await page.keyboard.press("Shift+Enter");
    const ended = page.waitForFunction(
      ([i, old]) => {
        const cells = document.querySelectorAll(".jp-Notebook .jp-CodeCell");
        const now = cells[Number(i)].querySelector(".jp-InputPrompt")?.textContent ?? "";
        return /\[\d+\]/.test(now) && now !== old;
      },
      [String(at), before] as const,
    );
    return { ended: ended.then(() => undefined) };
  };
  return {
    page,
    cell,
    start,
    run: async (at) => (await start(at)).ended,
    press: (command) =>
      page.locator(`.jp-NotebookPanel-toolbar [data-command="${command}"]`).first().click(),
  };
}

export async function newPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** Goes to a page of the lab as somebody who has the token. */
export async function visit(page: Page, lab: Lab, path: string): Promise<void> {
  // A workspace remembers the tabs of the page before.
  await page.goto(`${lab.origin}${path}?reset&token=${lab.token}`);
}

/** Pictures of all pages, for somebody who looks into a failure. @returns their folder */
export async function takeScreenshots(browser: Browser): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "jupyterlab-"));
  const pages = browser.contexts().flatMap((context) => context.pages());
  await Promise.all(pages.map((page, i) => page.screenshot({ path: join(folder, `${i}.png`) })));
  return folder;
}

/**
 * The lowest contrast (WCAG 2.2, 1.4.3) of any text in the elements, against what lies behind it, and that text.
 * Semi-transparent backgrounds are laid over each other.
 */
export function lowestContrast(elements: Locator): Promise<{ ratio: number; text: string }> {
  return elements.evaluateAll((found) => {
    type Colour = [number, number, number, number];
    const parse = (css: string): Colour => {
      const [r, g, b, a = 1] = (css.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
      return [r, g, b, a];
    };
    const over = ([r, g, b, a]: Colour, below: Colour): Colour => [
      ...([r, g, b].map((v, i) => a * v + (1 - a) * below[i]) as [number, number, number]),
      1,
    ];
    const behind = (element: Element | null): Colour => {
      if (element === null) return [255, 255, 255, 1];
      const own = parse(getComputedStyle(element).backgroundColor);
      return own[3] === 1 ? own : over(own, behind(element.parentElement));
    };
    const luminance = (colour: Colour): number => {
      const [r, g, b] = colour.slice(0, 3).map((v) => {
        const c = v / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let lowest = { ratio: Infinity, text: "" };
    for (const element of found) {
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const { textContent, parentElement } = walker.currentNode;
        if (!textContent?.trim() || parentElement === null) continue;
        const ground = behind(parentElement);
        const ink = over(parse(getComputedStyle(parentElement).color), ground);
        const [dark, light] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
        const ratio = (light + 0.05) / (dark + 0.05);
        if (ratio < lowest.ratio) lowest = { ratio, text: textContent.trim().slice(0, 80) };
      }
    }
    return lowest;
  });
}
