/** The table that a whole pass through the notebooks ends with; `npm start` prints it again. */
import { join } from "node:path";
import { writeFileAtomic } from "../engine/files";
import { runsFolder } from "../paths";
import { showTable, type Row } from "./tables";

/** Shows the rows and keeps them in `runs/results.json` as `{title, columns, rows}`. */
export async function saveResults(title: string, rows: readonly Row[]): Promise<void> {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const values = rows.map((row) => columns.map((column) => row[column] ?? ""));
  const path = join(runsFolder(), "results.json");
  writeFileAtomic(path, JSON.stringify({ title, columns, rows: values }, null, 2) + "\n");
  await showTable(rows, { caption: title });
}
