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
