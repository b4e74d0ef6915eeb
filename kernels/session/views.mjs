// How values look as a cell's result: the bundle that they offer themselves, or a view for the kinds that the lab works with.
import { inspect } from "node:util";
import { describeError } from "./traceback.mjs";

/** The symbol under which an object offers its MIME bundle; Deno's Jupyter kernel asks for the same one. */
const JUPYTER_DISPLAY = Symbol.for("Jupyter.display");
const ROWS = 20;
const THUMBNAIL_PX = 160;
/** A batch of pictures shows so many side by side. */
const THUMBNAILS = 8;
/** Tensors of more values show the first few of them. */
const MAX_VALUES = 100;
const FIRST_VALUES = 8;

/** Kinds of values and their views; the first that fits makes the bundle. */
const VIEWS = [
  [(value) => value instanceof Error, viewError],
  [(value) => value instanceof Promise, viewPromise],
  [isTensor, viewTensor],
  [isFrame, viewFrame],
  [(value) => imageType(value) !== undefined, viewImage],
  [(value) => ArrayBuffer.isView(value) && !(value instanceof DataView), viewTypedArray],
  [(value) => value instanceof Map, viewMap],
];

/**
 * The MIME bundle of any value. It is there at once unless the value needs time to draw itself.
 * @returns {Record<string, unknown> | Promise<Record<string, unknown>>}
 */
export function bundleOf(value, { require }) {
  if (typeof value?.[JUPYTER_DISPLAY] === "function") return value[JUPYTER_DISPLAY]();
  const view = VIEWS.find(([fits]) => fits(value))?.[1];
  return view === undefined ? { "text/plain": inspect(value) } : view(value, require);
}

function viewError(error) {
  return { "text/plain": describeError(error).traceback.join("\n") };
}

/** What a promise has come to; one that failed is shown as its error is, and counts as looked at. */
async function viewPromise(promise) {
  const pending = Symbol("pending");
  const state = await Promise.race([promise, pending]).then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if ("error" in state) {
    const { traceback } = describeError(state.error);
    return { "text/plain": ["Promise { <rejected> }", ...traceback].join("\n") };
  }
  const hint = state.value === pending ? "  (write `await` before it to see its value)" : "";
  return { "text/plain": inspect(promise) + hint };
}

function isTensor(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    Array.isArray(value.shape) &&
    typeof value.dtype === "string" &&
    typeof value.dataSync === "function"
  );
}

/** Shape, type and range of a tensor, its values where they are few, and a picture where it is one. */
async function viewTensor(tensor, require) {
  const { shape, dtype } = tensor;
  const head = `Tensor [${shape.join(", ")}] ${dtype}`;
  if (tensor.isDisposed) return { "text/plain": `${head}, disposed` };
  if (dtype === "string" || dtype === "complex64") {
    return { "text/plain": `${head}\n${inspect(tensor.arraySync())}` };
  }
  const values = tensor.dataSync();
  const shown =
    values.length <= MAX_VALUES
      ? inspect(rounded(tensor.arraySync()), { depth: null })
      : `${Array.from(values.slice(0, FIRST_VALUES), short).join(", ")}, …`;
  const text = `${head}  ${summary(values)}\n${shown}`;
  const picture = await thumbnail(shape, values, require);
  return picture === undefined ? { "text/plain": text } : { "text/plain": text, ...picture };
}

const short = (number) => Number(Number(number).toPrecision(5));
const rounded = (values) => (Array.isArray(values) ? values.map(rounded) : short(values));

/** Least, greatest and mean, and how many values are not numbers. */
function summary(values) {
  let [least, greatest, sum, strange] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(Number(value))) {
      strange += 1;
      continue;
    }
    const number = Number(value);
    if (number < least) least = number;
    if (number > greatest) greatest = number;
    sum += number;
  }
  const count = values.length - strange;
  const note = strange > 0 ? `, ${strange} not finite` : "";
  if (count === 0) return `no finite values${note}`;
  return `min ${short(least)}, max ${short(greatest)}, mean ${short(sum / count)}${note}`;
}

/** A picture of a tensor [H, W, C], or of the first of [N, H, W, C] side by side; C is 1, 3 or 4. */
async function thumbnail(shape, values, require) {
  const [height, width, channels] = shape.slice(-3);
  const isPicture = [3, 4].includes(shape.length) && [1, 3, 4].includes(channels);
  const count = Math.min(THUMBNAILS, shape.length === 4 ? shape[0] : 1);
  if (!isPicture || height < 8 || width < 8 || count === 0) return undefined;
  const row = width * channels;
  const shown = values.subarray(0, count * height * row);
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of shown) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  // Pictures come as 0 to 255, 0 to 1, or normalised by mean and deviation; their range is stretched to black and white.
  const [low, high] =
    least >= 0 ? [0, greatest <= 1 ? 1 : Math.max(255, greatest)] : [least, greatest];
  const pixels = new Uint8Array(shown.length);
  for (let at = 0; at < shown.length; at++) {
    const [picture, line] = [Math.floor(at / (height * row)), Math.floor(at / row) % height];
    const to = (line * count + picture) * row + (at % row);
    pixels[to] = (255 * (shown[at] - low)) / (high - low || 1);
  }
  const sharp = require("sharp");
  const png = await sharp(pixels, { raw: { width: count * width, height, channels } })
    .resize({
      width: count * THUMBNAIL_PX,
      height: THUMBNAIL_PX,
      fit: "inside",
      kernel: "nearest",
    })
    .png()
    .toBuffer();
  return { "image/png": png.toString("base64") };
}

function isFrame(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    Array.isArray(value.columns) &&
    Array.isArray(value.index) &&
    Array.isArray(value.values) &&
    typeof value.head === "function"
  );
}

/** The first rows of a danfo frame or series as a table. */
function viewFrame(frame) {
  const rows = frame.values.map((row) => (Array.isArray(row) ? row : [row]));
  const columns = Array.isArray(frame.values[0]) ? frame.columns : [frame.columns[0] ?? ""];
  const shown = rows.slice(0, ROWS).map((row, at) => [frame.index[at], ...row]);
  const size = `${rows.length} rows × ${columns.length} columns`;
  const note = rows.length > ROWS ? `the first ${ROWS} of ${size}` : size;
  return table(["", ...columns], shown, note);
}

function table(head, rows, note) {
  const cell = (value) => (typeof value === "string" ? value : inspect(value, { depth: 1 }));
  const text = [head, ...rows].map((row) => row.map(cell));
  const widths = head.map((_, at) => Math.max(...text.map((row) => row[at].length)));
  const lines = text.map((row) =>
    row
      .map((value, at) => value.padEnd(widths[at]))
      .join("  ")
      .trimEnd(),
  );
  const tag = (name) => (value) => `<${name}>${escape(cell(value))}</${name}>`;
  const html =
    `<table><thead><tr>${head.map(tag("th")).join("")}</tr></thead><tbody>` +
    rows.map((row) => `<tr>${row.map(tag("td")).join("")}</tr>`).join("") +
    `</tbody></table><p>${escape(note)}</p>`;
  return { "text/plain": [...lines, note].join("\n"), "text/html": html };
}

const escape = (text) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const MAGIC = [
  ["image/png", /^\x89PNG/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8/],
  ["image/webp", /^RIFF[^]{4}WEBP/],
  ["image/svg+xml", /^\s*(?:<\?xml[^>]*>\s*)?<svg[\s/>]/],
];

/** The MIME type of an encoded picture, by its first bytes. */
function imageType(value) {
  if (!(value instanceof Uint8Array)) return undefined;
  const head = Buffer.from(value.subarray(0, 200)).toString("latin1");
  return MAGIC.find(([, start]) => start.test(head))?.[0];
}

function viewImage(bytes) {
  const type = imageType(bytes);
  const text = `${type} of ${bytes.length.toLocaleString("en")} bytes`;
  const encoding = type === "image/svg+xml" ? "utf8" : "base64";
  return { "text/plain": text, [type]: Buffer.from(bytes).toString(encoding) };
}

function viewTypedArray(values) {
  if (values.length === 0 || Buffer.isBuffer(values)) return { "text/plain": inspect(values) };
  const text = inspect(values, { maxArrayLength: 12 });
  return { "text/plain": typeof values[0] === "bigint" ? text : `${text}\n${summary(values)}` };
}

function viewMap(map) {
  const text = inspect(map);
  if (map.size === 0) return { "text/plain": text };
  const rows = [...map].slice(0, ROWS);
  const { "text/html": html } = table(["key", "value"], rows, `Map of ${map.size}`);
  return { "text/plain": text, "text/html": html };
}
