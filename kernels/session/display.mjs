// What cells show with: `display`, `updateDisplay`, `html`, `md`, `clearOutput`, and the way for the library and for tslab.
import { randomBytes } from "node:crypto";
import { bundleOf } from "./views.mjs";

/** A notebook keeps every output in its file and sends it whole to every browser. */
const MAX_BYTES = 10 * 1024 * 1024;
const JUPYTER_DISPLAY = Symbol.for("Jupyter.display");

/**
 * @param {{send(event: object): void, require: NodeJS.Require}} kernel
 */
export function createDisplay({ send, require }) {
  const show = (data, { id, update, metadata = {} }) =>
    send({
      type: "display",
      update: update === true,
      data: withinLimit(data),
      metadata,
      transient: id === undefined ? {} : { display_id: id },
    });

  /** Shows a value; the handle that it returns shows another one in the same place. */
  async function display(
    value,
    { id = randomBytes(8).toString("hex"), update, raw, metadata } = {},
  ) {
    const offered = raw === true ? value : bundleOf(value, { require });
    show(typeof offered.then === "function" ? await offered : offered, { id, update, metadata });
    return { id, update: (next, options) => display(next, { ...options, id, update: true }) };
  }

  const markup =
    (mime) =>
    (text, ...values) => {
      const whole = typeof text === "string" ? text : String.raw({ raw: text }, ...values);
      return { [JUPYTER_DISPLAY]: () => ({ "text/plain": whole, [mime]: whole }) };
    };

  return {
    show,
    globals: {
      display,
      updateDisplay: (id, value, options) => display(value, { ...options, id, update: true }),
      html: markup("text/html"),
      md: markup("text/markdown"),
      clearOutput: ({ wait = false } = {}) => send({ type: "clear", wait }),
    },
  };
}

/** The bundle, or advice in its place where it is too big for a notebook. */
export function withinLimit(data) {
  const size = (content) =>
    typeof content === "string" ? content.length : JSON.stringify(content ?? null).length;
  const bytes = Object.values(data).reduce((sum, content) => sum + size(content), 0);
  if (bytes <= MAX_BYTES) return data;
  const mb = (count) => `${(count / 1024 / 1024).toFixed(1)} MB`;
  const text =
    `This output is ${mb(bytes)} and was not sent: a notebook takes up to ${mb(MAX_BYTES)} an output.\n` +
    "Write it to a file and show its name, or show a smaller picture or fewer rows of it.";
  return { "text/plain": text };
}
