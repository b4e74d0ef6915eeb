/**
 * The safetensors format: an 8-byte header length, a JSON header, then the tensors' bytes end to end, little-endian.
 * https://github.com/huggingface/safetensors#format
 *
 * Reading goes by the header, so that a checkpoint of many gigabytes can be taken tensor by tensor. Whatever is stored,
 * the lab computes in float32; narrower floats are widened exactly.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { fault } from "./errors";
import { writeChunksAtomic } from "./files";

/** A tensor in memory, row-major. */
export interface HostTensor {
  shape: number[];
  data: Float32Array;
}

/** A tensor to be written, whose values may be made when their turn comes. */
export interface TensorToWrite {
  shape: readonly number[];
  data: Float32Array | (() => Float32Array);
}

/** What a header says of one tensor. */
export interface TensorInfo {
  /** As the file spells it: `F32`, `BF16`, … */
  dtype: string;
  shape: number[];
  /** Size in the file, in bytes. */
  bytes: number;
}

/** An open file or sharded checkpoint. Close it when done. */
export interface TensorReader {
  /** Sorted. */
  names: string[];
  metadata: Record<string, string>;
  /** @throws LabError when there is no such tensor */
  info(name: string): TensorInfo;
  /** The tensor's values as float32. @throws LabError when there is no such tensor or its dtype cannot be read */
  read(name: string): Float32Array;
  /** As many of the values as `into` has room for, from the `start`-th on. @throws LabError as `read` */
  readInto(name: string, start: number, into: Float32Array): void;
  close(): void;
}

/** What a whole file or checkpoint holds. */
export interface TensorFile {
  tensors: Record<string, HostTensor>;
  metadata: Record<string, string>;
}

const BYTES_PER_ELEMENT: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};
/** The official library refuses longer headers too. */
const MAX_HEADER_BYTES = 100_000_000;
const CHUNK_ELEMENTS = 1 << 20;
const AGAIN = "copy or download the file again";

interface Entry extends TensorInfo {
  /** First byte, from the start of the file. */
  start: number;
}

/**
 * Opens one `.safetensors` file and checks its header against the file's size, without reading any tensor.
 * @throws LabError when the file is missing, truncated or not a safetensors file
 */
export function openSafetensors(path: string): TensorReader {
  if (!existsSync(path)) {
    throw fault("openSafetensors", `no file at ${path}`, {
      expected: "a .safetensors file",
      try: "check the path, or download the checkpoint again",
    });
  }
  const handle = openSync(path, "r");
  try {
    const { entries, metadata } = readHeader(path, handle);
    const entryOf = (name: string): Entry => {
      const entry = entries.get(name);
      if (entry === undefined) throw missingTensor(name, path, [...entries.keys()]);
      return entry;
    };
    return {
      names: [...entries.keys()].sort(),
      metadata,
      info: (name) => {
        const { dtype, shape, bytes } = entryOf(name);
        return { dtype, shape: shape.slice(), bytes };
      },
      read: (name) => {
        const entry = entryOf(name);
        const values = new Float32Array(product(entry.shape));
        readValues(path, handle, name, entry, 0, values);
        return values;
      },
      readInto: (name, start, into) => readValues(path, handle, name, entryOf(name), start, into),
      close: () => closeSync(handle),
    };
  } catch (error) {
    closeSync(handle);
    throw error;
  }
}

/**
 * Opens a checkpoint folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
 * @throws LabError when the folder holds neither, or a shard is missing or lacks a tensor that the index promises
 */
export function openCheckpoint(dir: string): TensorReader {
  const single = join(dir, "model.safetensors");
  if (existsSync(single)) return openSafetensors(single);
  const indexPath = join(dir, "model.safetensors.index.json");
  if (!existsSync(indexPath)) {
    throw fault("openCheckpoint", `no weights in ${dir}`, {
      expected: "model.safetensors or model.safetensors.index.json",
      try: "name the folder that holds config.json and the weights",
    });
  }
  const weightMap = readWeightMap(indexPath);
  const shards = new Map<string, TensorReader>();
  const close = () => shards.forEach((shard) => shard.close());
  try {
    for (const [name, file] of Object.entries(weightMap)) {
      if (!shards.has(file)) shards.set(file, openSafetensors(join(dir, file)));
      shards.get(file)?.info(name);
    }
  } catch (error) {
    close();
    throw error;
  }
  const shardOf = (name: string): TensorReader => {
    const shard = Object.hasOwn(weightMap, name) ? shards.get(weightMap[name]) : undefined;
    if (shard === undefined) throw missingTensor(name, indexPath, Object.keys(weightMap));
    return shard;
  };
  return {
    names: Object.keys(weightMap).sort(),
    metadata: Object.assign({}, ...[...shards.values()].map((shard) => shard.metadata)),
    info: (name) => shardOf(name).info(name),
    read: (name) => shardOf(name).read(name),
    readInto: (name, start, into) => shardOf(name).readInto(name, start, into),
    close,
  };
}

/** Reads all tensors of one file. @throws LabError as {@link openSafetensors} */
export function readSafetensors(path: string): TensorFile {
  return readAll(openSafetensors(path));
}

/** Reads all tensors of a checkpoint folder, sharded or not. @throws LabError as {@link openCheckpoint} */
export function readCheckpointTensors(dir: string): TensorFile {
  return readAll(openCheckpoint(dir));
}

/**
 * Writes float32 tensors, sorted by name, so that equal tensors make equal files. Written aside and renamed; the
 * tensors' memory is written as it lies, not copied, and what is made when its turn comes is in memory one at a time.
 * @param metadata strings only; `transformers` wants `format`, whose default is `pt`
 * @throws LabError when a tensor's length is not the product of its shape, or the disk is full
 */
export function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): void {
  const names = Object.keys(tensors).sort();
  const header: Record<string, unknown> = Object.create(null);
  header["__metadata__"] = metadata;
  let end = 0;
  for (const name of names) {
    const { shape, data } = tensors[name];
    if (typeof data !== "function") checkLength(name, shape, data);
    header[name] = { dtype: "F32", shape, data_offsets: [end, (end += 4 * product(shape))] };
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces after the JSON put the first tensor on a multiple of 8 bytes, as the official library does.
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + headerBytes, " ");
  head.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(head, 8);
  const chunks = function* (): Generator<Uint8Array> {
    yield head;
    for (const name of names) {
      const { shape, data } = tensors[name];
      const values = typeof data === "function" ? data() : data;
      checkLength(name, shape, values);
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    }
  };
  writeChunksAtomic(path, chunks());
}

function checkLength(name: string, shape: readonly number[], data: Float32Array): void {
  if (data.length === product(shape)) return;
  throw fault("writeSafetensors", `tensor ${name} does not fill its shape [${shape}]`, {
    got: data.length,
    expected: `${product(shape)} values`,
  });
}

function readAll(reader: TensorReader): TensorFile {
  try {
    const tensors: Record<string, HostTensor> = {};
    for (const name of reader.names) {
      tensors[name] = { shape: reader.info(name).shape, data: reader.read(name) };
    }
    return { tensors, metadata: reader.metadata };
  } finally {
    reader.close();
  }
}

function readHeader(
  path: string,
  handle: number,
): { entries: Map<string, Entry>; metadata: Record<string, string> } {
  const fileBytes = fstatSync(handle).size;
  const broken = (what: string, got?: unknown, expected?: string, hint = AGAIN) =>
    fault("openSafetensors", `${what} in ${path}`, { got, expected, try: hint });

  if (fileBytes < 8) throw broken("no header length", `${fileBytes} bytes`, "at least 8 bytes");
  const lead = Buffer.alloc(8);
  readSync(handle, lead, 0, 8, 0);
  const headerBytes = Number(lead.readBigUInt64LE(0));
  if (headerBytes > MAX_HEADER_BYTES) {
    throw broken("impossible header length", headerBytes, `at most ${MAX_HEADER_BYTES}`);
  }
  if (8 + headerBytes > fileBytes) {
    throw broken("truncated header", `${fileBytes} bytes`, `at least ${8 + headerBytes}`);
  }
  const text = Buffer.alloc(headerBytes);
  readSync(handle, text, 0, headerBytes, 8);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text.toString("utf8"));
  } catch {
    throw broken("the header is not JSON", text.toString("utf8", 0, 40));
  }
  if (header === null || typeof header !== "object" || Array.isArray(header)) {
    throw broken("the header is not a JSON object", header);
  }

  const entries = new Map<string, Entry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      metadata = value as Record<string, string>;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
      throw broken(`malformed entry for tensor ${name}`, value, "dtype, shape and data_offsets");
    }
    const bytes = offsets[1] - offsets[0];
    const needed = product(shape) * (BYTES_PER_ELEMENT[dtype] ?? Number.NaN);
    if (bytes < 0 || (!Number.isNaN(needed) && needed !== bytes)) {
      throw broken(`offsets of tensor ${name} do not fit ${dtype} [${shape}]`, offsets);
    }
    entries.set(name, { dtype, shape, bytes, start: 8 + headerBytes + offsets[0] });
  }

  // The format wants the tensors to fill the data area exactly: no overlap, no hole, nothing behind the last.
  let end = 8 + headerBytes;
  const inOrder = [...entries].sort(([, a], [, b]) => a.start - b.start || a.bytes - b.bytes);
  for (const [name, { start, bytes }] of inOrder) {
    if (start < end) throw broken(`tensor ${name} overlaps the one before it`, start, `${end}`);
    if (start > end) throw broken(`hole before tensor ${name}`, start, `${end}`);
    end = start + bytes;
    if (end > fileBytes) {
      throw broken(`truncated at tensor ${name}`, `${fileBytes} bytes`, `at least ${end}`);
    }
  }
  if (end < fileBytes) throw broken("bytes after the last tensor", fileBytes, `${end} bytes`);
  return { entries, metadata };
}

/** Typed arrays see the file's little-endian bytes directly: every platform that Node and TensorFlow run on is. */
function readValues(
  path: string,
  handle: number,
  name: string,
  entry: Entry,
  start: number,
  out: Float32Array,
): void {
  const size = BYTES_PER_ELEMENT[entry.dtype];
  const first = entry.start + start * size;
  if (entry.dtype === "F32") {
    readBytes(path, handle, new Uint8Array(out.buffer, out.byteOffset, out.byteLength), first);
    return;
  }
  const widen = WIDEN[entry.dtype];
  if (widen === undefined) {
    throw fault("readTensor", `tensor ${name} of ${path} has a dtype that is not read`, {
      got: entry.dtype,
      expected: `F32, ${Object.keys(WIDEN).join(", ")}`,
      try: "save the checkpoint with torch_dtype float32 or bfloat16; quantised ones are not supported",
    });
  }
  const count = out.length;
  const chunk = new Uint8Array(Math.min(count, CHUNK_ELEMENTS) * size);
  for (let at = 0; at < count; at += CHUNK_ELEMENTS) {
    const part = chunk.subarray(0, Math.min(CHUNK_ELEMENTS, count - at) * size);
    readBytes(path, handle, part, first + at * size);
    if (!widen(part, out.subarray(at, at + part.length / size))) {
      throw fault("readTensor", `tensor ${name} of ${path} holds integers beyond float32`, {
        expected: "magnitudes up to 2^24",
      });
    }
  }
}

/** Each turns a chunk's bytes into float32; false when a value would not survive. */
const WIDEN: Readonly<Record<string, (from: Uint8Array, to: Float32Array) => boolean>> = {
  F64: (from, to) => {
    to.set(new Float64Array(from.buffer, 0, to.length));
    return true;
  },
  BF16: (from, to) => {
    const words = new Uint16Array(from.buffer, 0, to.length);
    const bits = new Uint32Array(to.buffer, to.byteOffset, to.length);
    for (let i = 0; i < words.length; i++) bits[i] = words[i] << 16;
    return true;
  },
  F16: (from, to) => {
    const words = new Uint16Array(from.buffer, 0, to.length);
    const table = halfTable();
    for (let i = 0; i < words.length; i++) to[i] = table[words[i]];
    return true;
  },
  I64: (from, to) => {
    const words = new BigInt64Array(from.buffer, 0, to.length);
    return words.every((word, i) => BigInt((to[i] = Math.fround(Number(word)))) === word);
  },
  I32: (from, to) => {
    const words = new Int32Array(from.buffer, 0, to.length);
    return words.every((word, i) => (to[i] = Math.fround(word)) === word);
  },
};

let halves: Float32Array | undefined;

/** The value of every IEEE 754 half-precision pattern. */
function halfTable(): Float32Array {
  if (halves !== undefined) return halves;
  halves = new Float32Array(65536);
  for (let word = 0; word < 65536; word++) {
    const [sign, exponent, fraction] = [word >>> 15 ? -1 : 1, (word >>> 10) & 31, word & 1023];
    if (exponent === 31) halves[word] = fraction ? Number.NaN : sign * Infinity;
    else if (exponent === 0) halves[word] = sign * fraction * 2 ** -24;
    else halves[word] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return halves;
}

function readBytes(path: string, handle: number, into: Uint8Array, position: number): void {
  for (let at = 0; at < into.length;) {
    const length = Math.min(into.length - at, 1 << 30);
    const got = readSync(handle, into, at, length, position + at);
    if (got === 0) {
      throw fault("readTensor", `${path} ended while it was read`, { try: AGAIN });
    }
    at += got;
  }
}

function readWeightMap(indexPath: string): Record<string, string> {
  let map: unknown;
  try {
    map = JSON.parse(readFileSync(indexPath, "utf8")).weight_map;
  } catch (error) {
    throw fault("openCheckpoint", `${indexPath} is not JSON (${(error as Error).message})`, {
      try: AGAIN,
    });
  }
  const files = Object.values((map ?? {}) as Record<string, unknown>);
  // A shard lies beside its index; anything else would read files elsewhere on the machine.
  const good = files.every((file) => typeof file === "string" && basename(file) === file);
  if (files.length === 0 || !good) {
    throw fault("openCheckpoint", `weight_map of ${indexPath} is not usable`, {
      expected: "tensor names, each with the name of a file beside the index",
      try: AGAIN,
    });
  }
  return map as Record<string, string>;
}

function missingTensor(name: string, path: string, names: string[]) {
  return fault("readTensor", `no tensor ${name} in ${path}`, {
    got: `${names.length} tensors: ${names.slice(0, 3).join(", ")}…`,
    try: "check that config.json and the weights belong together",
  });
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1);
}
