/** The containers in which people keep a benchmark: the authors' JSON, the hub's parquet, VLMEvalKit's TSV. */
import { join } from "node:path";
import sharp from "sharp";
import { letter } from "../../../lib/bench/fields";
import { pythonStr } from "../../../lib/bench/python-literal";
import { writeFileAtomic } from "../../../lib/engine/files";
import { mapBounded } from "../../../lib/engine/lists";
import type { SuiteFormat, SuitePicture, SuiteRecord } from "./format";
import { encodeParquet } from "./parquet";

/** How one benchmark's records become files. @returns the files' names */
type Container = (
  format: SuiteFormat,
  records: readonly SuiteRecord[],
  folder: string,
) => Promise<string[]>;

export const containers = {
  /** JSON as in the authors' repository, with a folder of pictures. */
  repository: ({ json }, records, folder) =>
    eachFile(records, async (file, own) => {
      const rows = await mapBounded(own, 4, async ({ fields, pictures }) => {
        const row: Record<string, unknown> = { ...fields };
        for (const [field, picture] of Object.entries(pictures)) {
          row[field] = `images/${picture.name}`;
          writeFileAtomic(join(folder, "images", picture.name), await png(picture));
        }
        return row;
      });
      if (json === "lines") {
        const lines = rows.map((row) => JSON.stringify(row) + "\n").join("");
        return put(folder, `${file}.jsonl`, lines);
      }
      const whole =
        json === "list" ? rows : Object.fromEntries(rows.map((row) => [row[json.by], row]));
      return put(folder, `${file}.json`, JSON.stringify(whole, null, 1) + "\n");
    }),

  /** Parquet as on the hub, pictures inside. */
  hub: ({ decoded }, records, folder) =>
    eachFile(records, async (file, own) => {
      const rows = await mapBounded(own, 4, async ({ fields, pictures }) => {
        const row: Record<string, unknown> = { ...fields };
        for (const [field, picture] of Object.entries(pictures)) {
          const image = { bytes: await png(picture), path: picture.name };
          row[decoded ?? field] = image;
          if (decoded !== undefined) row[field] = `images/${picture.name}`;
        }
        return row;
      });
      return put(folder, `${file}.parquet`, await encodeParquet(rows));
    }),

  /** VLMEvalKit's TSV: `index`, the picture in base64, options in columns `A`, `B`, …, everything else as Python's text. */
  vlmevalkit: (_format, records, folder) =>
    eachFile(records, async (file, own) => {
      const images = await mapBounded(own, 4, ({ pictures }) => png(Object.values(pictures)[0]));
      const rows = own.map(({ fields }, index) => ({
        ...{ index, image: images[index].toString("base64") },
        ...lettered(fields),
      }));
      return put(folder, `${file}.tsv`, tsv(rows));
    }),
} satisfies Record<string, Container>;

export type SuiteContainer = keyof typeof containers;

function png({ svg }: SuitePicture): Promise<Buffer> {
  return sharp(Buffer.from(svg)).removeAlpha().png().toBuffer();
}

function put(folder: string, name: string, data: string | Uint8Array): string {
  writeFileAtomic(join(folder, name), data);
  return name;
}

/** Writes the records of every file of a benchmark in turn. */
async function eachFile(
  records: readonly SuiteRecord[],
  write: (file: string, own: readonly SuiteRecord[]) => Promise<string>,
): Promise<string[]> {
  const names: string[] = [];
  for (const file of new Set(records.map((record) => record.file))) {
    const own = records.filter((record) => record.file === file);
    names.push(await write(file, own));
  }
  return names;
}

/** `options` as lettered columns; MathVista's `choices` stay beside them, with the letter of the right one. */
function lettered({
  options,
  ...fields
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const list = options ?? fields.choices;
  if (!Array.isArray(list)) return options === undefined ? fields : { ...fields, options };
  const columns = Object.fromEntries(list.map((option, i) => [letter(i), option]));
  const right = { answer_option: letter(list.indexOf(fields.answer)) };
  return { ...fields, ...columns, ...(options === undefined ? right : {}) };
}

/** As pandas writes it: quotes where a value holds a tab, a newline or a quote; nothing for what is missing. */
function tsv(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown): string => {
    if (value === null || value === undefined) return "";
    const text = pythonStr(value);
    return /[\t\n\r"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => names.map((name) => cell(row[name])).join("\t"));
  return [names.join("\t"), ...lines, ""].join("\n");
}
