/** Widgets for the library: what this project's kernel offers, and nothing under stock tslab or in a terminal. */
import {
  createDisplay,
  currentSurface,
  jupyterDisplay,
  type MimeBundle,
  type Surface,
} from "./display";

/** A view in the notebook's page, and its state, which both sides change; `kernels/cells/globals.d.mts` has it whole. */
export interface Widget<State extends object> {
  set(changes: Partial<State>): void;
  onChange(listener: (changes: Partial<State>, state: State) => void): void;
  close(): void;
  [jupyterDisplay](): MimeBundle;
}

/** The makers of widgets that the kernel has. */
export interface Widgets {
  /** @param options.esm source of an ES module with `export default { render({ model, el }) { … } }` */
  anywidget<State extends object>(options: {
    esm: string;
    css?: string;
    state: State;
    text?: (state: State) => string;
  }): Widget<State>;
  button(options: { label: string; interrupts?: boolean }): Widget<{ label: string }>;
}

const kernelWidgets = Symbol.for("srpo-lab.kernel.widgets");

/** Where cells can make widgets: in this project's kernel. */
export function currentWidgets(): Widgets | undefined {
  return (globalThis as { [kernelWidgets]?: Widgets })[kernelWidgets];
}

/**
 * Shows a button that does what Interrupt does, below the cell that runs.
 * @returns takes it away again
 */
export function showStopButton({
  widgets = currentWidgets(),
  surface = currentSurface(),
}: { widgets?: Widgets; surface?: Surface } = {}): () => void {
  if (widgets === undefined || surface.kind === "terminal") return () => {};
  const button = widgets.button({ label: "Stop", interrupts: true });
  const place = createDisplay({ surface });
  place.update(button[jupyterDisplay]());
  return () => {
    // A saved notebook holds no button that leads nowhere.
    place.update({ "text/plain": "" });
    button.close();
  };
}
