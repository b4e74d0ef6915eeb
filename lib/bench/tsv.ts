/** Tab-separated values as pandas writes them, a record at a time: VLMEvalKit's files hold pictures and reach gigabytes. */
import { createReadStream } from "node:fs";
import { fault } from "../engine/errors";
import { linesOf } from "../engine/lines";

/** A record longer than this is the sign of a quote that never closes. */
const LONGEST = 256 << 20;

/**
 * The records of a file, by the names in its first line; every value is a text.
 * A field in double quotes may hold tabs, newlines and doubled quotes.
 * @throws LabError when a quote never closes
 */
export async function* readTsv(path: string): AsyncGenerator<Record<string, string>> {
  let header: string[] | undefined;
  let open: string[] = [];
  let length = 0;
  for await (const line of linesOf(createReadStream(path, { highWaterMark: 1 << 18 }))) {
    open.push(line);
    length += line.length;
    // Only a line with a quote in it can end a field that runs over several lines.
    if (open.length > 1 && !line.includes('"') && length <= LONGEST) continue;
    const row = splitRow(open.join("\n"));
    if (row === null) {
      if (length <= LONGEST) continue;
      throw fault("readTsv", `a record of ${path} is longer than ${LONGEST >> 20} MB`, {
        try: "a look at the file: a quote may be missing",
      });
    }
    [open, length] = [[], 0];
    if (header === undefined) {
      header = row.map((name) => name.replace(/^\ufeff/, ""));
    } else if (row.length > 1 || row[0] !== "") {
      yield Object.fromEntries(header.map((name, i) => [name, alone(row[i] ?? "")]));
    }
  }
  if (open.length > 0) throw fault("readTsv", `${path} ends within a field in quotes`);
}

/** Longer fields are pictures, which nobody keeps. */
const LONGEST_KEPT = 1 << 14;

/** A copy: as a part of its line, a short field would keep the line's picture in memory for as long as its record lives. */
function alone(field: string): string {
  return field.length > LONGEST_KEPT ? field : Buffer.from(field).toString();
}

/** The fields of a record, `null` while a field in quotes is still open. */
function splitRow(text: string): string[] | null {
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    if (text[at] === '"') {
      let end = at + 1;
      for (; ; end += 2) {
        end = text.indexOf('"', end);
        if (end < 0) return null;
        if (text[end + 1] !== '"') break;
      }
      fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (text[at] === "\r" && at === text.length - 1) at++;
      // What pandas never writes: more text behind the closing quote belongs to the field.
      const stop = fieldEnd(text, at);
      fields[fields.length - 1] += text.slice(at, stop);
      at = stop;
    } else {
      const stop = fieldEnd(text, at);
      fields.push(text.slice(at, stop).replace(/\r$/, ""));
      at = stop;
    }
    if (at >= text.length) return fields;
  }
}

function fieldEnd(text: string, from: number): number {
  const tab = text.indexOf("\t", from);
  return tab < 0 ? text.length : tab;
}
