/** Pictures as chat servers take them: inside the request, as `data:` URLs. */
import { readFile } from "node:fs/promises";
import { fault } from "../../engine/errors";
import type { ChatPart } from "./protocol";

/** By the first bytes of a file; its name may say anything. */
const KINDS: readonly [start: string, mime: string][] = [
  ["89504e47", "image/png"],
  ["ffd8ff", "image/jpeg"],
  ["52494646", "image/webp"],
  ["47494638", "image/gif"],
];

/** The pictures in their order, as parts of a message. @throws LabError when one cannot be read */
export function pictureParts(paths: readonly string[]): Promise<ChatPart[]> {
  return Promise.all(
    paths.map(async (path) => ({ type: "image_url", image_url: { url: await pictureUrl(path) } })),
  );
}

async function pictureUrl(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fault("rollout", `a picture cannot be read (${(error as Error).message})`);
  }
  const start = bytes.subarray(0, 4).toString("hex");
  const mime = KINDS.find(([known]) => start.startsWith(known))?.[1];
  if (mime === undefined) {
    throw fault("rollout", `${path} is no picture that servers take`, {
      expected: "PNG, JPEG, WebP or GIF",
    });
  }
  return `data:${mime};base64,${bytes.toString("base64")}`;
}
