/** A folder as the zip that Ray unpacks as a job's working directory. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { zipSync, type Zippable } from "fflate";
import { fault } from "../../engine/errors";
import { contentHash } from "../../engine/files";

/** Ray's own limit for what goes through its store. */
const MOST_BYTES = 500e6;
/** Never part of a job: what it wrote before, and histories. */
const LEFT_OUT = new Set(["output", ".git", "node_modules", "__pycache__"]);
/** Zip knows no time before 1980; with a fixed one equal folders give equal packages, which are uploaded once. */
const TIME = new Date(Date.UTC(1980, 0, 2));

/**
 * @returns the package and its name, which follows from the content
 * @throws LabError when the folder is too large for an upload
 */
export function packFolder(folder: string): { name: string; bytes: Uint8Array } {
  const files: Zippable = {};
  let size = 0;
  for (const path of filesOf(folder)) {
    size += lstatSync(path).size;
    if (size > MOST_BYTES) {
      throw fault("packFolder", `${folder} is too large to upload`, {
        expected: `at most ${MOST_BYTES / 1e6} MB`,
        try: "put the export on a disk that all nodes share, and run its launch.sh there",
      });
    }
    const name = relative(folder, path).split(sep).join("/");
    // Parquet and pictures are compressed already.
    const level = /\.(parquet|png|jpe?g|webp)$/.test(name) ? 0 : 6;
    const mode = name.endsWith(".sh") ? 0o755 : 0o644;
    files[name] = [
      readFileSync(path),
      { level, mtime: TIME, os: 3, attrs: (mode | 0o100000) << 16 },
    ];
  }
  const bytes = zipSync(files);
  return { name: `_ray_pkg_${contentHash(bytes, 32)}.zip`, bytes };
}

/** Files below a folder in order; links are not followed. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !LEFT_OUT.has(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesOf(path);
      return entry.isFile() ? [path] : [];
    });
}
