/** The rows of a parquet file, a row group at a time. The reader is hyparquet; nothing else knows it. */
import { existsSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { fault } from "../../lib/engine/errors";
import type { Row, RowResult } from "./source";

/** A row group of at most so many bytes is decoded at once. Without an index of its pages, every part of it would cost all of it. */
const WHOLE = 256 << 20;
/** Rows of a larger one that are decoded at once. */
const ROWS = 64;

/**
 * Rows in the file's order, binary columns as `Uint8Array`.
 * @throws LabError when there is no such file or it is no parquet that can be read
 */
export async function* readParquet(path: string): AsyncGenerator<RowResult> {
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw fault("readParquet", `no file at ${path}`, { expected: "a .parquet file" });
  }
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const handle = await open(path);
  try {
    const file = {
      byteLength: (await handle.stat()).size,
      slice: async (start: number, end?: number): Promise<ArrayBuffer> => {
        const bytes = new Uint8Array((end ?? file.byteLength) - start);
        await handle.read(bytes, 0, bytes.length, start);
        return bytes.buffer;
      },
    };
    const metadata = await parquetMetadataAsync(file);
    let end = 0;
    for (const group of metadata.row_groups) {
      const start = end;
      end += Number(group.num_rows);
      const part = group.total_byte_size <= WHOLE ? end - start : ROWS;
      for (let at = start; at < end; at += part) {
        // Text columns carry their type; a picture's bytes do not, and must not be read as text.
        const rows = await parquetReadObjects({
          ...{ file, metadata, rowStart: at, rowEnd: Math.min(end, at + part) },
          ...{ utf8: false, useOffsetIndex: true },
        });
        for (const row of rows) yield { row: plain(row) as Row };
      }
    }
  } catch (error) {
    throw fault("readParquet", `${path} cannot be read (${(error as Error).message})`, {
      expected: "a parquet file, uncompressed or compressed with Snappy",
    });
  } finally {
    await handle.close();
  }
}

/** Parquet's 64-bit integers as numbers, so that a row looks as it would in JSON. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof Date) return value.toISOString();
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
