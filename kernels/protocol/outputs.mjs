// What a cell shows, on its way to the clients: lines that come quickly go together, and endless ones come to an end.

/** Clients draw every message; twenty a second look immediate. */
const FLUSH_MS = 50;
/** A notebook keeps what is printed in its file. */
const MAX_PRINTED = 10 * 1024 * 1024;

/** @param {(type: string, content: object, parent?: object) => void} publish */
export function createOutputs(publish) {
  /** @type {{name: string, parts: string[], parent: object} | undefined} */
  let held;
  let timer;
  /** The request printed for last, and how much. */
  let counted;
  let printed = 0;

  function flush() {
    clearTimeout(timer);
    timer = undefined;
    if (held === undefined) return;
    const { name, parts, parent } = held;
    held = undefined;
    publish("stream", { name, text: parts.join("") }, parent);
  }

  function print(name, text, parent) {
    if (parent !== counted) [counted, printed] = [parent, 0];
    if (printed > MAX_PRINTED) return;
    printed += text.length;
    if (printed > MAX_PRINTED) {
      text =
        `${text.slice(0, Math.max(0, text.length - (printed - MAX_PRINTED)))}\n` +
        `… this cell has printed ${MAX_PRINTED / 1024 / 1024} MB, and the rest is left out: ` +
        "write long logs to a file.\n";
    }
    if (held !== undefined && (held.name !== name || held.parent !== parent)) flush();
    held ??= { name, parts: [], parent };
    held.parts.push(text);
    timer ??= setTimeout(flush, FLUSH_MS);
  }

  return { print, flush };
}
