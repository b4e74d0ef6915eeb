/**
 * What a source of problems is: a published data set that a user has a copy of. A source's file exports one {@link Source};
 * `index.ts` lists them.
 *
 * A source only says how its records become problems. What every source needs (streaming, pictures under a root, sampling,
 * duplicates, contamination) is in `read.ts`, once.
 */
import type { Problem } from "../../lib/types";

/** A record as the file has it: a JSON object or a parquet row whose fields nobody has checked. */
export type Row = Record<string, unknown>;

/** A record, or what is in its place and why it cannot be read. */
export type RowResult = { row: Row } | { error: string };

/** A picture as a record gives it: a path that is yet to be resolved, or the file's content. */
export type PictureRef = string | Uint8Array;

/** A problem whose pictures have not been looked for yet; `id` only where the record has one. */
export type Draft = Omit<Problem, "id" | "images" | "source"> & {
  id?: string;
  images: PictureRef[];
};

export interface Source {
  /** Goes into each problem's `source` and into the command line, e.g. `llava-cot`. */
  name: string;
  /** As people call it. */
  title: string;
  /** As the source states it. */
  licence: string;
  /** What the user's path has to be, for the command's help. */
  path: string;
  /** Every record in the file's order, one at a time. */
  rows(path: string): AsyncGenerator<RowResult>;
  /** @throws LabError saying why the record is no problem */
  draftOf(row: Row): Draft;
}
