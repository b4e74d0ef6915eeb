/** Rows with pictures as parquet, a few at a time. The writer is hyparquet-writer; nothing else knows it. */
import { renameSync, rmSync } from "node:fs";
import type { SchemaElement } from "hyparquet";
import type * as ParquetWriter from "hyparquet-writer/types/node";
import { readParquet } from "../../../datasets/sources/parquet";
import { fault } from "../../engine/errors";
import type { Row } from "../../engine/rows";

/** Rows that are in memory at once; with a picture in each, some ten megabytes. */
const GROUP = 64;

/** A column: a text, a whole number, bytes, a list of one of them or of structs, or a struct. */
export type Column =
  "text" | "int" | "bytes" | readonly [Column] | { readonly [field: string]: Column };

/** The pictures of a row, in the one form that every Python reader takes: bytes and a name. */
export const IMAGES: Column = [{ bytes: "bytes", path: "text" }];
/** Chat messages. */
export const MESSAGES: Column = [{ role: "text", content: "text" }];

/**
 * Writes rows, aside first.
 * @param metadata of the file; Hugging Face's `datasets` reads its features there
 */
export async function writeParquet(
  path: string,
  columns: Readonly<Record<string, Column>>,
  rows: AsyncIterable<Row>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  // The package's types name its file writer only for newer ways of resolving them.
  const writer = (await import("hyparquet-writer")) as unknown as typeof ParquetWriter;
  const aside = `${path}.tmp`;
  const names = Object.keys(columns);
  try {
    await writer.parquetWriteRows({
      writer: writer.fileWriter(aside),
      rows,
      columns: names.map((name) => ({ name })),
      schema: [
        { name: "schema", num_children: names.length, repetition_type: "REQUIRED" },
        ...names.flatMap((name) => elements(name, columns[name])),
      ],
      rowGroupSize: GROUP,
      // Pictures are compressed already.
      codec: "UNCOMPRESSED",
      statistics: false,
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      createdBy: "srpo-lab",
    });
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw fault("writeParquet", `cannot write ${path} (${(error as Error).message})`);
  }
}

/** A column as parquet spells it: lists of three levels, as Arrow writes them. */
function elements(
  name: string,
  column: Column,
  repetition: "OPTIONAL" | "REQUIRED" = "OPTIONAL",
): SchemaElement[] {
  const at = { name, repetition_type: repetition };
  if (column === "text") return [{ ...at, type: "BYTE_ARRAY", converted_type: "UTF8" }];
  if (column === "bytes") return [{ ...at, type: "BYTE_ARRAY" }];
  if (column === "int") return [{ ...at, type: "INT32" }];
  if (Array.isArray(column)) {
    const [item] = column as readonly [Column];
    return [
      { ...at, converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      ...elements("element", item),
    ];
  }
  const fields = Object.entries(column as Record<string, Column>);
  return [
    { ...at, num_children: fields.length },
    ...fields.flatMap(([key, inner]) => elements(key, inner)),
  ];
}

/** The rows of a parquet file. @throws LabError at a row that cannot be read */
export async function* parquetRows(path: string): AsyncGenerator<Row> {
  for await (const result of readParquet(path)) {
    if (!("row" in result)) throw fault("readExport", `a row of ${path} cannot be read`);
    yield result.row as Row;
  }
}
