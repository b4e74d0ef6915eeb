/** Geometry3K (Inter-GPS): a folder a problem as its authors published it, or the hub's parquet copy. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fault } from "../../lib/engine/errors";
import { picturesOf, requiredText, textOf, textsOf } from "./fields";
import { readParquet } from "./parquet";
import type { Row, RowResult, Source } from "./source";
import { questionAndAnswer } from "./text";

export const geometry3k: Source = {
  name: "geometry3k",
  title: "Geometry3K",
  licence: "MIT",
  path: "the folder of problem folders, which is the pictures' root too, or a parquet file",
  rows: (path) => (isFolder(path) ? readFolders(path) : readParquet(path)),
  draftOf: (row) => {
    return {
      id: textOf(row, "id"),
      images: picturesOf(row),
      ...questionAndAnswer({
        ask: requiredText(row, "problem", "compact_text", "problem_text"),
        answer: requiredText(row, "answer"),
        choices: textsOf(row, "compact_choices", "choices"),
      }),
      family: textsOf(row, "problem_type_graph")?.[0] ?? "Geometry3K",
      subject: "geometry",
      level: 1,
    };
  },
};

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** `data.json` of each folder, in the order of their numbers, with its clean diagram as the picture. */
async function* readFolders(path: string): AsyncGenerator<RowResult> {
  const names = readdirSync(path).filter((name) => existsSync(join(path, name, "data.json")));
  if (names.length === 0) {
    throw fault("readSources", `${path} holds no folder with a data.json`, {
      expected: "Geometry3K's folders, one a problem",
    });
  }
  for (const name of names.sort((a, b) => Number(a) - Number(b))) {
    try {
      const row = JSON.parse(readFileSync(join(path, name, "data.json"), "utf8")) as Row;
      yield { row: { ...row, images: [join(name, "img_diagram.png")] } };
    } catch (error) {
      yield { error: `${name}/data.json: ${(error as Error).message}` };
    }
  }
}
