/** The rows of a JSON Lines file as a stream: with pictures inside, a file may be larger than memory. */
import { createReadStream } from "node:fs";
import { fault } from "../../engine/errors";
import { linesOf } from "../../engine/lines";
import { isRow, type Row } from "../../engine/rows";

/** @throws LabError naming the line that is no object */
export async function* readLines(path: string): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of linesOf(createReadStream(path) as AsyncIterable<Buffer>)) {
    number++;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      row = undefined;
    }
    if (!isRow(row)) throw fault("readExport", `line ${number} of ${path} is no JSON object`);
    yield row;
  }
}
