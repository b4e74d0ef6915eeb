// The state of a widget on its way between page and cell: JSON, with binary values beside it.

/**
 * Takes the binary values out of a state and says where they were.
 * @param {object} state
 * @returns {{state: object, paths: (string | number)[][], buffers: Uint8Array[]}}
 */
export function takeBuffers(state) {
  const paths = [];
  const buffers = [];
  /** Without what is binary: of an object the key goes, while a list keeps its length. */
  const strip = (value, path) => {
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      paths.push(path);
      buffers.push(bytes);
      return undefined;
    }
    if (Array.isArray(value)) return value.map((one, at) => strip(one, [...path, at]) ?? null);
    const isPlain = value?.constructor === Object || value?.constructor === undefined;
    if (typeof value !== "object" || value === null || !isPlain) return value;
    const entries = Object.entries(value).map(([key, one]) => [key, strip(one, [...path, key])]);
    return Object.fromEntries(entries.filter(([, one]) => one !== undefined));
  };
  return { state: strip(state, []), paths, buffers };
}

/**
 * Puts binary values back to where they were.
 * @param {object} state is changed
 * @param {(string | number)[][]} paths
 * @param {Uint8Array[]} buffers
 */
export function putBuffers(state, paths, buffers) {
  paths.forEach((path, at) => {
    const holder = path.slice(0, -1).reduce((inner, key) => inner?.[key], state);
    if (typeof holder === "object" && holder !== null) holder[path.at(-1)] = buffers[at];
  });
  return state;
}

function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!ArrayBuffer.isView(value)) return undefined;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
