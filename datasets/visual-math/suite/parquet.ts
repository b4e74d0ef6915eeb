/** Rows as a parquet file with the types that the hub's data sets have: texts, numbers, lists, records, pictures. */
import type { SchemaElement } from "hyparquet";

export type ParquetRow = Readonly<Record<string, unknown>>;

/** The bytes of a file with one column for every key of the rows; a column's type follows from all its values. */
export async function encodeParquet(rows: readonly ParquetRow[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name] ?? null) }));
  const schema: SchemaElement[] = [
    { name: "root", num_children: names.length },
    ...columnData.flatMap(({ name, data }) => elementsOf(name, data)),
  ];
  // Statistics would hold the first bytes of every picture.
  return new Uint8Array(parquetWriteBuffer({ columnData, schema, statistics: false }));
}

/** The schema of one column, its children behind it, as parquet lists them. */
function elementsOf(name: string, values: readonly unknown[]): SchemaElement[] {
  const present = values.filter((value) => value !== null && value !== undefined);
  const [sample] = present;
  const optional = { name, repetition_type: "OPTIONAL" } as const;
  if (Array.isArray(sample)) {
    return [
      { ...optional, converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      ...elementsOf("element", present.flat()),
    ];
  }
  if (sample instanceof Uint8Array) return [{ ...optional, type: "BYTE_ARRAY" }];
  if (typeof sample === "object") {
    const keys = [...new Set(present.flatMap((value) => Object.keys(value as object)))];
    const children = keys.flatMap((key) =>
      elementsOf(
        key,
        present.map((value) => (value as ParquetRow)[key]),
      ),
    );
    return [{ ...optional, num_children: keys.length }, ...children];
  }
  if (typeof sample === "boolean") return [{ ...optional, type: "BOOLEAN" }];
  if (typeof sample === "number") return [{ ...optional, type: "DOUBLE" }];
  return [{ ...optional, type: "BYTE_ARRAY", converted_type: "UTF8" }];
}
