/** What the tests of the sources share: folders with pictures, files of records, and a reader that collects. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { readSources, type Drop, type ReadOptions } from "../../../datasets/sources/read";
import { createRandom } from "../../../lib/engine/random";
import type { Problem } from "../../../lib/types";

/** A picture that looks like no other seed's: rectangles at random. */
export async function drawPicture(path: string, seed: string | number): Promise<void> {
  const random = createRandom(`picture/${seed}`);
  const shapes = Array.from({ length: 12 }, () => {
    const [x, y, grey] = [random.int(0, 180), random.int(0, 120), random.int(0, 200)];
    return `<rect x="${x}" y="${y}" width="40" height="30" fill="rgb(${grey},${grey},${grey})"/>`;
  });
  mkdirSync(dirname(path), { recursive: true });
  await sharp(
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="140">${shapes.join("")}</svg>`,
    ),
  )
    .flatten({ background: "white" })
    .toFile(path);
}

export function writeText(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

export const jsonl = (rows: readonly unknown[]): string =>
  rows.map((row) => JSON.stringify(row) + "\n").join("");

/** Reads one source whole. */
export async function readAll(
  source: string,
  path: string,
  options: Partial<ReadOptions> & { images?: string } = {},
) {
  const { images = dirname(path), ...others } = options;
  const dropped: Drop[] = [];
  const sample = await readSources({
    inputs: [{ source, path, images }],
    seed: 1,
    onDrop: (drop) => dropped.push(drop),
    ...others,
  });
  const problems: Problem[] = [];
  for await (const problem of sample.problems()) problems.push(problem);
  return { ...sample, problems, dropped };
}

/** The real samples, there only where the project's shared folder is. */
export const SAMPLES = join(__dirname, "../../../../../shared/samples");
