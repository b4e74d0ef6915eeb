// What every cell can call without an import.

declare global {
  /** MIME type to content: text, an object for JSON types, base64 for pictures. */
  interface MimeBundle {
    [mime: string]: unknown;
  }

  /** A place in the notebook that can be drawn again. */
  interface DisplayHandle {
    readonly id: string;
    /** Shows another value in the same place. */
    update(value: unknown, options?: DisplayOptions): Promise<DisplayHandle>;
  }

  interface DisplayOptions {
    /** Name of the place, for `updateDisplay`. */
    id?: string;
    /** The value is a MIME bundle already. */
    raw?: boolean;
    metadata?: Record<string, unknown>;
  }

  /** Shows a value below the cell, as the cell's last value is shown. */
  function display(value: unknown, options?: DisplayOptions): Promise<DisplayHandle>;
  /** Draws another value where `display(…, { id })` has drawn one, also in an earlier cell. */
  function updateDisplay(
    id: string,
    value: unknown,
    options?: DisplayOptions,
  ): Promise<DisplayHandle>;
  /** HTML as a value to end a cell with, or to `display`. */
  function html(text: string | TemplateStringsArray, ...values: unknown[]): object;
  /** Markdown as a value to end a cell with, or to `display`. */
  function md(text: string | TemplateStringsArray, ...values: unknown[]): object;
  /** Clears what the cell has shown; with `wait`, not before it shows something new. */
  function clearOutput(options?: { wait?: boolean }): void;
  /** Asks the person at the notebook for a line of text. */
  function input(prompt?: string, options?: { password?: boolean }): Promise<string>;

  /** A channel to a widget in the notebook's page. */
  interface Comm {
    readonly id: string;
    readonly target: string;
    send(data: unknown, options?: CommOptions): void;
    onMessage(listener: (data: any, buffers: Uint8Array[]) => void): void;
    onClose(listener: (data: any) => void): void;
    close(data?: unknown): void;
  }

  interface CommOptions {
    /** Binary data beside the JSON. */
    buffers?: Uint8Array[];
    metadata?: Record<string, unknown>;
  }

  /** A view in the notebook's page, and its state, which both sides change. Shown as a cell's last value or by `display`. */
  interface Widget<State extends object> {
    readonly id: string;
    get<Name extends keyof State>(name: Name): State[Name];
    /** Changes the state here and in every page that shows it. */
    set(changes: Partial<State>): void;
    /** Hears what a page changed, and the whole state after it. Returns what stops the listening. */
    onChange(listener: (changes: Partial<State>, state: State) => void): () => void;
    /** Hears `model.send(…)` of the page. */
    onMessage(listener: (content: any, buffers: Uint8Array[]) => void): () => void;
    /** Sends to `model.on("msg:custom", …)` of the page. */
    send(content: unknown, buffers?: Uint8Array[]): void;
    close(): void;
  }

  /**
   * A widget whose part in the page is an ES module of one's own, as anywidget runs it.
   * @param options.esm source of a module with `export default { render({ model, el }) { … } }`
   * @param options.css styles of it
   * @param options.state what both sides know: JSON, and binary values as typed arrays, which arrive as bytes
   * @param options.text the state in words, for readers without widgets and for the saved file
   */
  function anywidget<State extends object>(options: {
    esm: string;
    css?: string;
    state?: State;
    text?: (state: State) => string;
  }): Widget<State>;

  /** A number between `min` (0) and `max` (1) that is dragged; `value` is where it stands. */
  function slider(options?: {
    label?: string;
    min?: number;
    max?: number;
    step?: number;
    value?: number;
  }): Widget<{ label: string; min: number; max: number; step: number; value: number }> & {
    readonly value: number;
  };

  /** A button. With `interrupts` a click stops the cell that runs, as Interrupt does, however busy it is. */
  function button(options: {
    label: string;
    interrupts?: boolean;
    disabled?: boolean;
    onClick?: (button: Widget<{ label: string; disabled: boolean }>) => void;
  }): Widget<{ label: string; disabled: boolean; interrupts: boolean }>;

  const comms: {
    /** Opens a channel to a page that knows the target. */
    open(target: string, data?: unknown, options?: CommOptions & { id?: string }): Comm;
    /** Says who answers when a page opens a channel to this target. */
    register(
      target: string,
      listener: (comm: Comm, data: any, buffers: Uint8Array[]) => void,
    ): void;
  };
}

export {};
