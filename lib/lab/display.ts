/**
 * Sends whole MIME bundles to the notebook, or their text to the terminal when there is no notebook.
 *
 * tslab's own `display` sends one MIME type a message; a figure needs its interactive, its picture and its text form in
 * one message, so that each reader (JupyterLab, GitHub, a screen reader, a test) takes the best it can show.
 */
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fault } from "../engine/errors";

/** MIME type → content. JSON types hold objects, pictures base64 text; `text/plain` is always there. */
export interface MimeBundle {
  "text/plain": string;
  [mime: string]: unknown;
}

/** The symbol under which an object offers its bundle; Deno's Jupyter kernel asks for the same one. */
export const jupyterDisplay: unique symbol = Symbol.for("Jupyter.display");

/** An object that knows how it is shown; as the last value of a cell or through {@link display}. */
export interface Displayable {
  [jupyterDisplay](): MimeBundle | Promise<MimeBundle>;
}

/** Where displays go. */
export type Surface =
  | {
      kind: "notebook";
      /** Sends `display_data`, or `update_display_data` with `update`; `id` is the display_id. */
      send(bundle: MimeBundle, options: { id?: string; update: boolean }): void;
    }
  | { kind: "terminal"; out(text: string): void; progress(text: string): void; live: boolean };

/** One place in a notebook that is drawn again and again. */
export interface LiveDisplay {
  readonly id: string;
  /** Draws the bundle: the first time as a new display, then in place. In a terminal nothing is drawn. */
  update(bundle: MimeBundle): void;
  /** The last update; in a terminal its text goes to stderr, as stdout may carry JSON lines. */
  finish(bundle: MimeBundle): void;
}

interface TslabMessage {
  data: MimeBundle;
  metadata: Record<string, unknown>;
  transient: { display_id?: string };
}

type TslabWriter = (message: TslabMessage, update?: boolean) => void;

/** What this project's kernel offers to the code that runs in it. */
const kernelWriter = Symbol.for("srpo-lab.kernel.write");

/**
 * The notebook when this process runs the cells of one, else the terminal.
 * Under stock tslab its module is looked up among the modules already loaded and never imported: outside a kernel it would cost a second and
 * a TypeScript compiler.
 */
export function currentSurface(): Surface {
  const write = tslabWriter();
  if (write === null) {
    return {
      kind: "terminal",
      out: (text) => void process.stdout.write(text),
      progress: (text) => void process.stderr.write(text),
      live: process.stderr.isTTY === true,
    };
  }
  return {
    kind: "notebook",
    send: (bundle, { id, update }) =>
      write(
        {
          data: bundle,
          metadata: {},
          transient: id === undefined ? {} : { display_id: id },
        },
        update,
      ),
  };
}

/**
 * Shows a bundle or a displayable object. In a terminal its `text/plain` goes to stdout.
 * A plain bundle is sent before this function returns; a displayable that draws a picture is sent when it is drawn.
 * @throws LabError when the value offers no bundle with a `text/plain`
 */
export async function display(
  value: MimeBundle | Displayable,
  options: { id?: string; surface?: Surface } = {},
): Promise<void> {
  const surface = options.surface ?? currentSurface();
  const offered = isDisplayable(value) ? value[jupyterDisplay]() : value;
  const bundle = offered instanceof Promise ? await offered : offered;
  if (typeof bundle?.["text/plain"] !== "string") {
    throw fault("display", "the value has no text to show", {
      got: bundle,
      expected:
        'a MIME bundle with "text/plain", or an object with [Symbol.for("Jupyter.display")]()',
    });
  }
  if (surface.kind === "notebook") surface.send(bundle, { id: options.id, update: false });
  else surface.out(withNewline(bundle["text/plain"]));
}

/** Makes one display that is updated in place under one display_id. */
export function createDisplay(options: { id?: string; surface?: Surface } = {}): LiveDisplay {
  const id = options.id ?? randomBytes(8).toString("hex");
  let shown = false;
  const send = (bundle: MimeBundle): boolean => {
    // Asked anew at each update: a client only reads messages that belong to the cell that runs now.
    const surface = options.surface ?? currentSurface();
    if (surface.kind === "terminal") return false;
    surface.send(bundle, { id, update: shown });
    shown = true;
    return true;
  };
  return {
    id,
    update: (bundle) => void send(bundle),
    finish: (bundle) => {
      if (send(bundle)) return;
      const surface = options.surface ?? currentSurface();
      if (surface.kind === "terminal") surface.progress(withNewline(bundle["text/plain"]));
    },
  };
}

/** True for an object with a `[Symbol.for("Jupyter.display")]()` method. */
export function isDisplayable(value: unknown): value is Displayable {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<Displayable>)[jupyterDisplay] === "function"
  );
}

/** Wraps a way to make a bundle as an object that a cell can end with and {@link display} can show. */
export function displayable(make: () => MimeBundle | Promise<MimeBundle>): Displayable {
  return { [jupyterDisplay]: make };
}

/** Text made safe inside HTML and SVG, attributes included. */
export function escapeMarkup(text: string): string {
  return withoutControls(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** XML knows no control characters and no half of a surrogate pair; a policy may well produce them. */
export function withoutControls(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu,
    "\ufffd",
  );
}

function tslabWriter(): TslabWriter | null {
  const own = (globalThis as { [kernelWriter]?: TslabWriter })[kernelWriter];
  if (own !== undefined) return own;
  // A cell's own `require` has no cache; one made here shows the process-wide one.
  const loaded = createRequire(join(process.cwd(), "cell.js")).cache;
  for (const [path, module] of Object.entries(loaded)) {
    if (!/[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(path)) continue;
    const { lastWriteDisplayData: write } = (module?.exports ?? {}) as {
      lastWriteDisplayData?: TslabWriter;
    };
    if (write) return write;
  }
  return null;
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
