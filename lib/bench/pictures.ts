/**
 * The pictures of benchmark records: paths, base64 in VLMEvalKit's TSV, bytes in the hub's parquet. Pictures from inside a record
 * become files, and the record keeps their paths, so that it is plain data from here on.
 */
import { extractPicture, locatePicture } from "../../datasets/sources/images";
import { pictureRefs } from "../../datasets/sources/fields";
import type { PictureRef } from "../../datasets/sources/source";
import { fault } from "../engine/errors";
import type { BenchRecord } from "./benchmark";
import { NUMBERED_IMAGES } from "./fields";
import { parseLiteral } from "./python-literal";

export interface PictureFolders {
  /** Where relative paths begin; a path that leads out of it is refused. */
  images: string;
  /** Where pictures from inside the file are written, each once, named by its content. */
  cache: string;
}

/** Base64 of a picture's first bytes: PNG, JPEG, WebP, GIF. */
const PICTURE = /^(?:iVBOR|\/9j\/|UklGR|R0lGOD)/;

/** No path is longer; whatever is, is a picture or nothing. */
const LONGEST_PATH = 4096;

/** Fields that hold a record's pictures, the first that has one counts. The hub's copies keep a path beside the picture itself. */
const SINGLE = ["decoded_image", "image", "image_path", "images"];

export interface PicturedRecord {
  record: BenchRecord;
  /** Paths in the record's order. */
  images: string[];
}

/** Reads the pictures of a file's records. VLMEvalKit writes the index of another record where the picture is that one's. */
export function createPictureReader({ images, cache }: PictureFolders) {
  const byIndex = new Map<string, string[]>();
  const place = async (ref: PictureRef): Promise<string> => {
    const embedded =
      typeof ref === "string" && (PICTURE.test(ref) || ref.length > LONGEST_PATH)
        ? Buffer.from(ref, "base64")
        : ref;
    const located =
      typeof embedded === "string"
        ? locatePicture(images, embedded)
        : await extractPicture(cache, embedded);
    if ("path" in located) return located.path;
    throw fault(
      "loadBenchmark",
      `a picture is ${located.fault} (${located.detail.slice(0, 120)})`,
      {
        expected: `a file under ${images}`,
        try: "--images with the folder that the records' paths begin in",
      },
    );
  };
  return async (record: BenchRecord): Promise<PicturedRecord> => {
    const fields = fieldsOf(record);
    const placed: Record<string, unknown> = {};
    const paths: string[] = [];
    for (const field of fields) {
      const value = record[field];
      const known = typeof value === "string" ? byIndex.get(value) : undefined;
      const own = known ?? (await Promise.all(refsOf(value).map(place)));
      paths.push(...own);
      placed[field] = own.length === 1 ? own[0] : own;
    }
    if (typeof record.index === "string" && paths.length > 0) byIndex.set(record.index, paths);
    return { record: { ...record, ...placed }, images: paths };
  };
}

function fieldsOf(record: BenchRecord): readonly string[] {
  const numbered = NUMBERED_IMAGES.filter((field) => refsOf(record[field]).length > 0);
  if (numbered.length > 0) return numbered;
  const single = SINGLE.find((field) => refsOf(record[field]).length > 0);
  return single === undefined ? [] : [single];
}

/** Pictures of a field; a TSV writes several as a Python list. */
function refsOf(value: unknown): PictureRef[] {
  if (typeof value !== "string" || !value.startsWith("[")) return pictureRefs(value);
  try {
    return pictureRefs(parseLiteral(value));
  } catch {
    return [];
  }
}
