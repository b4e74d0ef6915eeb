/** JSON lines in and out. Rows go to stdout, one at a time; words for people go to stderr. */
import { once } from "node:events";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fault } from "../engine/errors";
import { linesOf } from "../engine/lines";
import { isRow, type Row } from "../engine/rows";

/** What a shell says of a program whose reader went away (128 + SIGPIPE). */
const READER_GONE = 141;

/** A command that was called wrongly: it ends with status 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A command that did its work and found something wrong, which it has written out already: status 1. */
export class Unsuccessful extends Error {
  override name = "Unsuccessful";
}

/** A line of words on stderr. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** One JSON line on stdout; resolves when the reader can take more. */
export async function writeRow(row: unknown): Promise<void> {
  if (!process.stdout.write(JSON.stringify(row) + "\n")) await once(process.stdout, "drain");
}

/**
 * Keeps stdout for rows. What a library logs there goes to stderr, and a reader that goes away (`| head`) ends the
 * command without a stack trace.
 */
export function reserveStdout(): void {
  console.log = console.info = console.debug = console.error;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(READER_GONE);
    throw error;
  });
  // Words that nobody reads any more are no reason to stop.
  process.stderr.on("error", () => undefined);
}

/**
 * The lines of a file, or of stdin for `-`, one at a time and without their newline.
 * @throws LabError naming the file when it cannot be read
 */
export function readLines(path: string): AsyncIterable<string> {
  return linesOf(openInput(path) as AsyncIterable<Buffer>);
}

/**
 * A file for `work` that can be gone through more than once: the given one, or what comes on stdin, written aside for that time.
 * @throws LabError naming the file when it cannot be read
 */
export async function withInput<T>(path: string, work: (file: string) => Promise<T>): Promise<T> {
  const stream = openInput(path);
  if (path !== "-") return work(path);
  const folder = mkdtempSync(join(tmpdir(), "srpo-stdin-"));
  try {
    const file = join(folder, "rows.jsonl");
    await pipeline(stream, createWriteStream(file));
    return await work(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openInput(path: string): NodeJS.ReadableStream {
  if (path === "-") return process.stdin;
  if (!existsSync(path)) {
    throw fault("--in", `no file at ${path}`, { expected: "a JSON Lines file, or - for stdin" });
  }
  if (statSync(path).isDirectory()) {
    throw fault("--in", `${path} is a folder`, { expected: "a JSON Lines file, or - for stdin" });
  }
  return createReadStream(path, { highWaterMark: 1 << 18 });
}

/**
 * Writes one row of output for every row of input, in order. A row that cannot be used gives `{"error": …, "line": …}` in its
 * place and loses no other.
 * @throws Unsuccessful at the end when there were such rows
 */
export async function mapRows(path: string, map: (row: Row) => unknown): Promise<void> {
  let [count, bad, number] = [0, 0, 0];
  for await (const line of readLines(path)) {
    number++;
    const text = number === 1 ? line.replace(/^\ufeff/, "") : line;
    if (text.trim() === "") continue;
    count++;
    let result: unknown;
    try {
      result = map(parseRow(text));
    } catch (error) {
      bad++;
      result = { error: (error as Error).message, line: number };
    }
    await writeRow(result);
  }
  if (bad > 0) {
    throw new Unsuccessful(
      `${bad} of ${count} rows could not be used; each has an {"error": …} in its place.`,
    );
  }
}

function parseRow(text: string): Row {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (error) {
    throw fault("row", `not JSON (${(error as Error).message})`);
  }
  if (isRow(row)) return row;
  throw fault("row", "not a JSON object", { got: row });
}
