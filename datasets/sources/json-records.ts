/**
 * The records of a JSON file, one at a time, whatever the file's size: a JSON array (MathV360K's has 175 MB), a JSON object of
 * records by id, or JSON Lines.
 *
 * Only the borders between records are looked for here; each record then goes to `JSON.parse`. That takes half the time
 * of a parser in JavaScript, and a record that is no JSON loses no other.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { fault } from "../../lib/engine/errors";
import { linesOf } from "../../lib/engine/lines";
import type { Row, RowResult } from "./source";

const [QUOTE, BACKSLASH, COMMA, NEWLINE] = [0x22, 0x5c, 0x2c, 0x0a];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** Bytes read at a time. */
const CHUNK = 1 << 18;

/** A record longer than this is the sign of a file that is not what it seems, and would fill the memory. */
const LONGEST = 64 << 20;

/**
 * Rows in the file's order. A record that is not a JSON object gives an error in its place; where an array breaks off, the
 * last thing is an error that says so.
 * @throws LabError when there is no such file, or it is none of the three kinds
 */
export async function* readJsonRecords(path: string): AsyncGenerator<RowResult> {
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw fault("readJsonRecords", `no file at ${path}`, { expected: "a JSON or JSON Lines file" });
  }
  switch (await kindOf(path)) {
    case "array":
      for await (const text of pieces(path)) yield parsed(text, (value) => value);
      return;
    case "map":
      for await (const text of pieces(path)) yield parsed(text && `{${text}}`, entryAsRow);
      return;
    case "lines":
      for await (const line of linesOf(bytesOf(path))) {
        const text = line.replace(/^\ufeff/, "");
        if (text.trim() !== "") yield parsed(text, (value) => value);
      }
  }
}

const bytesOf = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: CHUNK });

/** `{"7": {…}}` as the row `{id: "7", …}`; an id of the record's own wins. */
function entryAsRow(value: unknown): unknown {
  const [[id, record]] = Object.entries(value as Row);
  return isRow(record) ? { id, ...record } : record;
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string | null, rowOf: (value: unknown) => unknown): RowResult {
  if (text === null) return { error: "the file ends within a record" };
  let row: unknown;
  try {
    row = rowOf(JSON.parse(text));
  } catch {
    return { error: `not JSON: ${text.trim().slice(0, 60)}` };
  }
  return isRow(row) ? { row } : { error: `not an object: ${text.trim().slice(0, 60)}` };
}

async function kindOf(path: string): Promise<"array" | "map" | "lines"> {
  let head = Buffer.alloc(0);
  for await (const chunk of bytesOf(path)) {
    head = Buffer.concat([head, chunk]);
    if (head.includes(NEWLINE) || head.length > 4 * CHUNK) break;
  }
  const start = head.toString("utf8").replace(/^\ufeff/, "");
  const [first] = start.trimStart();
  if (first === undefined) throw fault("readJsonRecords", `${path} is empty`);
  if (first === "[") return "array";
  if (first !== "{") {
    throw fault("readJsonRecords", `${path} is neither JSON nor JSON Lines`, {
      got: start.slice(0, 40),
      expected: "an array of records, an object of records by id, or a record a line",
    });
  }
  try {
    // The first line of JSON Lines is a whole record; that of an object of records is not, unless all of it is one line.
    const values = Object.values(JSON.parse(start.trimStart().split("\n")[0]) as Row);
    return values.length > 0 && values.every(isRow) ? "map" : "lines";
  } catch {
    return "map";
  }
}

/**
 * The text between the commas of the outermost array or object, `null` at the end when its bracket never came. Works on bytes:
 * every sign that it looks for is ASCII, which UTF-8 uses for nothing else.
 */
async function* pieces(path: string): AsyncGenerator<string | null> {
  let [depth, inString, escaped, count] = [0, false, false, 0];
  let parts: Buffer[] = [];
  for await (const chunk of bytesOf(path)) {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (++depth === 1) start = at + 1;
      } else if (
        byte === CLOSE_BRACE ||
        byte === CLOSE_BRACKET ||
        (byte === COMMA && depth === 1)
      ) {
        if (byte !== COMMA) depth--;
        if (byte !== COMMA && depth > 0) continue;
        const text = Buffer.concat([...parts, chunk.subarray(start, at)]).toString("utf8");
        parts = [];
        start = at + 1;
        // `[]` has no records, and what follows the last comma of `[1,]` is none.
        if (text.trim() !== "" || byte === COMMA) yield text;
        if (depth === 0) return;
        count++;
      }
    }
    if (depth > 0) parts.push(chunk.subarray(start));
    if (parts.reduce((sum, part) => sum + part.length, 0) > LONGEST) {
      throw fault("readJsonRecords", `record ${count + 1} of ${path} is longer than 64 MB`, {
        try: "a look at the file: a bracket or a quote may be missing",
      });
    }
  }
  yield null;
}
