/** What a data set on the hub holds: its commit, and its files with the sizes and hashes that the hub vouches for. */
import { fault } from "../../lib/engine/errors";
import { hubGet, piecesOf, refusal, type HubAccess } from "./request";

export interface HubFile {
  /** Within the data set, e.g. `data/test-00000-of-00001.parquet`. */
  path: string;
  /** In bytes. */
  size: number;
  /** Of the content, for large files; small ones have git's hash only. */
  sha256?: string;
  /** git's hash of a blob: SHA-1 of `blob <size>\0` and the content. */
  blob?: string;
}

export interface HubRepository {
  /** `owner/name`. */
  name: string;
  /** The commit that `revision` meant; every file is fetched of this one. */
  commit: string;
  files: HubFile[];
}

/** The listing of a data set with thousands of files has some megabytes. */
const LONGEST_LISTING = 64 << 20;

/** @throws LabError when the data set is not there, may not be read, or the answer makes no sense */
export async function listRepository(
  name: string,
  revision: string,
  access: HubAccess,
): Promise<HubRepository> {
  if (!/^[\w.-]+\/[\w.-]+$/.test(name)) {
    throw fault("hub", "no name of a data set", { got: name, expected: "owner/name" });
  }
  const path = `/api/datasets/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const { response, touch, release } = await hubGet(path, { accept: "application/json" }, access);
  try {
    const refused = refusal(response.status, `data set ${name}`);
    if (refused !== null) throw refused;
    if (!response.ok) throw new Error(`status ${response.status}`);
    return repositoryOf(name, JSON.parse(await textOf(response, touch)));
  } finally {
    release();
  }
}

async function textOf(response: Response, touch: () => void): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of piecesOf(response)) {
    touch();
    parts.push(part);
    length += part.length;
    if (length > LONGEST_LISTING) throw fault("hub", "the listing is longer than 64 MB");
  }
  return Buffer.concat(parts).toString("utf8");
}

function repositoryOf(name: string, body: unknown): HubRepository {
  const { sha, siblings } = (body ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha) || !Array.isArray(siblings)) {
    throw fault("hub", `the listing of ${name} cannot be read`, {
      expected: "a commit and a list of files",
    });
  }
  return { name, commit: sha, files: siblings.map(fileOf) };
}

function fileOf(entry: Record<string, unknown>): HubFile {
  const { rfilename, size, blobId, lfs } = entry ?? {};
  const large = lfs as { sha256?: unknown; size?: unknown } | undefined | null;
  const bytes = large?.size ?? size;
  const inside =
    typeof rfilename === "string" &&
    !/^\/|\\|\0|(?:^|\/)\.{1,2}(?:\/|$)|\/\//.test(rfilename) &&
    rfilename !== "";
  if (!inside || typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw fault("hub", "the listing names a file that cannot be", {
      got: { rfilename, size: bytes },
      expected: "a path within the data set, and a size",
    });
  }
  return {
    ...{ path: rfilename, size: bytes },
    ...(typeof large?.sha256 === "string" ? { sha256: large.sha256 } : {}),
    ...(typeof blobId === "string" ? { blob: blobId } : {}),
  };
}
