/**
 * Files written aside and renamed, JSON lines, and content hashes. A reader never sees half a file.
 *
 * Rows of JSON Lines are read one at a time, so that a file of gigabytes takes no more memory than its longest row: the text of
 * such a file would be longer than V8's strings may be.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fault } from "./errors";

/** Bytes read at a time. */
const CHUNK = 1 << 18;
const NEWLINE = 0x0a;

/**
 * Writes `data` beside `path` and renames it into place, so that a crash or a full disk leaves the old file whole.
 * @throws LabError naming the file when the disk is full or the folder cannot be written
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  writeChunksAtomic(path, [typeof data === "string" ? Buffer.from(data) : data]);
}

/**
 * {@link writeFileAtomic} for content that comes piece by piece and need not be in memory as a whole.
 * @throws LabError naming the file when the disk is full or the folder cannot be written
 */
export function writeChunksAtomic(path: string, chunks: Iterable<Uint8Array>): void {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const handle = openSync(aside, "wx");
    try {
      for (const bytes of chunks) writeWhole(handle, bytes);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw writeFault(path, error);
  }
}

/** Where a row stands in its file, in bytes. */
export interface JsonlPlace {
  start: number;
  length: number;
}

export interface JsonlEntry<T> extends JsonlPlace {
  row: T;
  /** From 1. */
  line: number;
}

/**
 * The rows of a JSON Lines file with their places, read anew whenever they are gone through. A last line that a crash cut short is
 * left out.
 * @throws LabError when there is no such file, and naming the line that is no JSON when it is reached
 */
export function jsonlEntries<T>(path: string): Iterable<JsonlEntry<T>> {
  if (!existsSync(path)) {
    throw fault("readJsonl", `no file at ${path}`, { expected: "a JSON Lines file" });
  }
  return { [Symbol.iterator]: () => entriesIn<T>(path) };
}

/** The rows of a JSON Lines file; see {@link jsonlEntries}. */
export function jsonlRows<T>(path: string): Iterable<T> {
  const entries = jsonlEntries<T>(path);
  return {
    *[Symbol.iterator]() {
      for (const { row } of entries) yield row;
    },
  };
}

/** All rows at once, of a file that is known to be small. @throws LabError naming file and line */
export function readJsonl<T>(path: string): T[] {
  return [...jsonlRows<T>(path)];
}

function* entriesIn<T>(path: string): Generator<JsonlEntry<T>> {
  let line = 0;
  for (const { text, start, length, whole } of linesIn(path)) {
    line++;
    if (text.trim() === "") continue;
    let row: T;
    try {
      row = JSON.parse(text) as T;
    } catch {
      // A line without its newline is the last one, cut short by a crash while it was appended.
      if (!whole) return;
      throw fault("readJsonl", `line ${line} of ${path} is not JSON`, {
        got: text.slice(0, 80),
        expected: "JSON Lines: an object a line",
      });
    }
    yield { row, line, start, length };
  }
}

/** `whole`: its newline is there. */
function* linesIn(
  path: string,
): Generator<{ text: string; start: number; length: number; whole: boolean }> {
  const handle = openSync(path, "r");
  try {
    let [start, length] = [0, 0];
    let parts: Buffer[] = [];
    const take = (whole: boolean) => {
      const taken = { text: Buffer.concat(parts, length).toString("utf8"), start, length, whole };
      start += length + 1;
      length = 0;
      parts = [];
      return taken;
    };
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const size = readSync(handle, chunk, 0, CHUNK, null);
      if (size === 0) break;
      for (let from = 0; from < size;) {
        const newline = chunk.subarray(0, size).indexOf(NEWLINE, from);
        const end = newline < 0 ? size : newline;
        parts.push(chunk.subarray(from, end));
        length += end - from;
        if (newline >= 0) yield take(true);
        from = end + 1;
      }
    }
    if (length > 0) yield take(false);
  } finally {
    closeSync(handle);
  }
}

/** A row of a file by its place. @throws LabError when the file has changed since */
export function rowAt<T>(path: string, { start, length }: JsonlPlace): T {
  const handle = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(length);
    readSync(handle, bytes, 0, length, start);
    return JSON.parse(bytes.toString("utf8")) as T;
  } catch {
    throw fault("rowAt", `${path} has changed while it was read`, { try: "the command again" });
  } finally {
    closeSync(handle);
  }
}

/** Appends one JSON object as a line. @throws LabError naming the file when it cannot be written */
export function appendJsonl(path: string, row: unknown): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const handle = openSync(path, "a");
    try {
      writeWhole(handle, lineOf(row));
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw writeFault(path, error);
  }
}

/**
 * Makes a file that a crash may have left with half a line ready for {@link appendJsonl}, which would add to that half. A last row
 * that only lacks its newline, as editors leave it, stays.
 */
export function mendJsonl(path: string): void {
  if (!existsSync(path)) return;
  const handle = openSync(path, "r+");
  try {
    const { size } = fstatSync(handle);
    let tail = Buffer.alloc(0);
    while (tail.length < size && !tail.includes(NEWLINE)) {
      const bytes = Buffer.alloc(Math.min(size - tail.length, CHUNK));
      readSync(handle, bytes, 0, bytes.length, size - tail.length - bytes.length);
      tail = Buffer.concat([bytes, tail]);
    }
    const last = tail.subarray(tail.lastIndexOf(NEWLINE) + 1);
    if (last.length === 0) return;
    if (isJson(last.toString("utf8"))) writeSync(handle, "\n", size);
    else ftruncateSync(handle, size - last.length);
  } finally {
    closeSync(handle);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Writes rows as JSON Lines, atomically. @throws LabError naming the file when it cannot be written */
export function writeJsonl(path: string, rows: Iterable<unknown>): void {
  writeChunksAtomic(path, chunksOf(rows));
}

const lineOf = (row: unknown): Buffer => Buffer.from(JSON.stringify(row) + "\n");

/** Lines in pieces that are worth a write. */
function* chunksOf(rows: Iterable<unknown>): Generator<Buffer> {
  let lines: Buffer[] = [];
  let size = 0;
  for (const row of rows) {
    const line = lineOf(row);
    lines.push(line);
    size += line.length;
    if (size < CHUNK) continue;
    yield Buffer.concat(lines);
    lines = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(lines);
}

/**
 * Writes rows that come over hours. They go to `path.part`, which takes the file's place once `work` has ended well; a crash
 * leaves the old file, and a `.part` that the next one overwrites.
 * @throws LabError naming the file when it cannot be written, and whatever `work` throws; the old file stays then
 */
export async function writingJsonl<T>(
  path: string,
  work: (keep: (row: unknown) => void) => Promise<T>,
): Promise<T> {
  const aside = `${path}.part`;
  const guarded = <R>(step: () => R): R => {
    try {
      return step();
    } catch (error) {
      throw writeFault(path, error);
    }
  };
  const handle = guarded(() => {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(aside, "w");
  });
  let result: T;
  try {
    result = await work((row) => guarded(() => writeWhole(handle, lineOf(row))));
    guarded(() => fsyncSync(handle));
  } catch (error) {
    closeSync(handle);
    rmSync(aside, { force: true });
    throw error;
  }
  closeSync(handle);
  guarded(() => renameSync(aside, path));
  return result;
}

/** JSON with object keys sorted at every depth, so that equal content has equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The first `length` hex digits of a SHA-256. */
export function contentHash(value: string | Uint8Array, length = 12): string {
  return createHash("sha256").update(value).digest("hex").slice(0, length);
}

/** On a disk that is nearly full a write may take less than it is given, and only the next one says why. */
function writeWhole(handle: number, bytes: Uint8Array): void {
  // One write call takes less than 2 GiB.
  for (let at = 0; at < bytes.length;) {
    at += writeSync(handle, bytes, at, Math.min(bytes.length - at, 1 << 30));
  }
}

function writeFault(path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const hint =
    code === "ENOSPC"
      ? "free some disk space, then run again; what was written before is intact"
      : code === "EACCES" || code === "EROFS"
        ? "make the folder writable or choose another run folder"
        : "check the path";
  return fault("writeFileAtomic", `cannot write ${path} (${code ?? String(error)})`, { try: hint });
}
