/** Files written aside and renamed, JSON lines, and content hashes. A reader never sees half a file. */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fault } from "./errors";

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

/** Appends one JSON object as a line. @throws LabError naming the file when it cannot be written */
export function appendJsonl(path: string, row: unknown): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const handle = openSync(path, "a");
    try {
      writeWhole(handle, Buffer.from(JSON.stringify(row) + "\n"));
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw writeFault(path, error);
  }
}

/** Reads a JSONL file; a last line that a crash cut short is dropped. @throws LabError naming file and line */
export function readJsonl<T>(path: string): T[] {
  if (!existsSync(path)) {
    throw fault("readJsonl", `no file at ${path}`, { expected: "a JSON Lines file" });
  }
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as T];
    } catch {
      // A line without its newline is the last one, cut short by a crash while it was appended.
      if (index === lines.length - 1) return [];
      throw fault("readJsonl", `line ${index + 1} of ${path} is not JSON`, {
        got: line.slice(0, 80),
      });
    }
  });
}

/** Writes rows as JSON Lines, atomically. */
export function writeJsonl(path: string, rows: readonly unknown[]): void {
  writeFileAtomic(path, rows.map((row) => JSON.stringify(row) + "\n").join(""));
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
