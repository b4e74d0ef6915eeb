/**
 * Pictures that records name: where they are, whether they decode, and which are copies. A record may come from anywhere, so
 * a path that it names is followed only under the root that the user has given.
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { contentHash, writeFileAtomic } from "../../lib/engine/files";
import type { PictureRef } from "./source";

export type PictureFault = "missing" | "outside" | "corrupt";

export type Located = { path: string } | { fault: PictureFault; detail: string };

/** Side of a miniature in pixels. */
const MINIATURE = 48;
/**
 * Largest difference of grey levels (of 255) between copies. Of 280 real pictures (photographs, diagrams, drawn puzzles) it finds
 * 92 % of copies that were halved, enlarged or saved as JPEG of quality 60 to 75, and takes 3 of 37,675 pairs for copies
 * that are none.
 */
const SAME = 40;

/**
 * Finds a picture under a root. `..`, absolute paths, `file://` addresses and symbolic links may lead anywhere inside the root
 * and nowhere else. Where there is no file, a folder that the path names twice over, or that the root already is, counts once:
 * the published construction code prepends the root twice, and its output is somebody's input.
 * @param root an existing folder
 * @returns the path under the root as the user has it, or why there is none
 */
export function locatePicture(root: string, given: string): Located {
  const name = given.trim();
  if (/^(?!file:)[a-z][a-z+.-]+:/i.test(name)) {
    return { fault: "missing", detail: `${name.slice(0, 80)} is an address, not a file` };
  }
  let named: string;
  try {
    named = resolve(root, name.startsWith("file:") ? fileURLToPath(name) : name);
  } catch {
    return { fault: "missing", detail: `${name.slice(0, 80)} is no path` };
  }
  if (!isWithin(resolve(root), named)) return { fault: "outside", detail: name };
  const path = existsSync(named) ? named : (onceOnly(root, named).find(existsSync) ?? named);
  try {
    if (!isWithin(realpathSync(root), realpathSync(path))) {
      return { fault: "outside", detail: `${name} is a link that leads out` };
    }
    // Opening a pipe or a device would wait for ever.
    if (!statSync(path).isFile()) return { fault: "missing", detail: `${name} is no file` };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return {
      fault: "missing",
      detail: code === "ENOENT" ? name : `${name} (${code ?? "no path"})`,
    };
  }
  return { path };
}

/** A path under the root without folders at its beginning that repeat the root's last ones, or each other. */
function onceOnly(root: string, path: string): string[] {
  const above = resolve(root).split(sep);
  const way = relative(resolve(root), path).split(sep);
  const repeats = (count: number, before: readonly string[]): boolean =>
    count <= before.length && way.slice(0, count).join(sep) === before.slice(-count).join(sep);
  return way.slice(1).flatMap((_folder, i) => {
    const count = i + 1;
    const twice = way.slice(count, 2 * count);
    const repeated = repeats(count, above) || (twice.length === count && repeats(count, twice));
    return repeated ? [join(root, ...way.slice(count))] : [];
  });
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Writes a picture that came inside a record below the root, named by its content, unless it is there already. */
export async function extractPicture(root: string, bytes: Uint8Array): Promise<Located> {
  const name = join("extracted", contentHash(bytes, 24));
  for (const extension of EXTENSIONS) {
    const found = locatePicture(root, `${name}.${extension}`);
    if ("path" in found) return found;
  }
  try {
    const { format } = await sharp(bytes).metadata();
    const extension = EXTENSIONS.find((known) => known === format);
    const path = resolve(root, `${name}.${extension ?? "png"}`);
    writeFileAtomic(path, extension === undefined ? await sharp(bytes).png().toBuffer() : bytes);
    return { path };
  } catch (error) {
    return { fault: "corrupt", detail: `embedded picture: ${(error as Error).message}` };
  }
}

/** The formats that policies and servers take; others are rewritten as PNG. */
const EXTENSIONS = ["png", "jpeg", "webp"] as const;

/** {@link locatePicture} or {@link extractPicture}, whichever the record asks for. */
export async function placePicture(root: string, ref: PictureRef): Promise<Located> {
  return typeof ref === "string" ? locatePicture(root, ref) : extractPicture(root, ref);
}

/**
 * Decodes a picture whole and makes a grey miniature of it, by which copies are known again after scaling and recompression.
 * @param picture a path, or a file's content
 * @returns `MINIATURE * MINIATURE` bytes
 * @throws Error when the picture does not decode to its end
 */
export function miniature(picture: string | Uint8Array): Promise<Uint8Array> {
  return sharp(picture, { failOn: "truncated" })
    .flatten({ background: "white" })
    .greyscale()
    .resize(MINIATURE, MINIATURE, { fit: "fill", fastShrinkOnLoad: false })
    .raw()
    .toBuffer();
}

/**
 * Whether two miniatures are of one picture: no pixel differs by more than {@link SAME}. A mean over the pixels, and hashes of
 * brightness steps too, call two drawings the same that differ in one number.
 */
export function sameMiniature(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (Math.abs(a[at] - b[at]) > SAME) return false;
  return true;
}
