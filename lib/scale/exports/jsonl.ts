/** JSON Lines as a stream in both directions: with pictures inside, a file may be larger than memory. */
import { once } from "node:events";
import { createReadStream, createWriteStream, renameSync, rmSync } from "node:fs";
import { finished } from "node:stream/promises";
import { fault } from "../../engine/errors";
import { linesOf } from "../../engine/lines";
import { isRow, type Row } from "../../engine/rows";

/** The rows of a file. @throws LabError naming the line that is no object */
export async function* jsonlRows(path: string): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of linesOf(createReadStream(path) as AsyncIterable<Buffer>)) {
    number++;
    if (line.trim() === "") continue;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      row = undefined;
    }
    if (!isRow(row)) throw fault("jsonlRows", `line ${number} of ${path} is no JSON object`);
    yield row;
  }
}

/** Writes rows, aside first. @throws LabError naming the file when it cannot be written */
export async function writeJsonlRows(path: string, rows: AsyncIterable<object>): Promise<void> {
  const aside = `${path}.tmp`;
  const file = createWriteStream(aside);
  try {
    for await (const row of rows) {
      if (!file.write(JSON.stringify(row) + "\n")) await once(file, "drain");
    }
    file.end();
    await finished(file);
    renameSync(aside, path);
  } catch (error) {
    file.destroy();
    rmSync(aside, { force: true });
    throw error;
  }
}
