/**
 * Files of a data set on the hub, on disk: resumed where a connection broke, and under their name only once size and hash are those
 * that the hub's listing says.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fault, LabError } from "../../lib/engine/errors";
import { interrupted } from "../../lib/engine/interrupt";
import { hubCache } from "../../lib/paths";
import { backoff, retryAfter } from "../../lib/rollout/openai/transport";
import { listRepository, type HubFile, type HubRepository } from "./repository";
import { hubEndpoint, hubGet, piecesOf, refusal, type HubAccess } from "./request";

export interface DownloadOptions {
  /** A branch, tag or commit; `main` unless told otherwise. */
  revision?: string;
  /** Where data sets are kept, each in a folder of its own. */
  folder?: string;
  /** The hub or a mirror; `HF_ENDPOINT`, else huggingface.co. The token is in `HF_TOKEN`. */
  endpoint?: string;
  /** A file that did not grow in so many attempts is given up. */
  attempts?: number;
  /** First wait after a failure; it doubles. */
  retryBaseMs?: number;
  /** An attempt in which nothing comes for so long is over. */
  timeoutMs?: number;
  /** More than this is not fetched unasked; 20 GB unless told otherwise. */
  maxBytes?: number;
  signal?: AbortSignal;
  /** Bytes that are on disk, of all that are wanted. */
  onProgress?: (done: number, total: number) => void;
}

export interface Downloaded {
  commit: string;
  /** In the listing's order. */
  files: string[];
}

/**
 * The files of a data set whose path matches, fetched unless they are there.
 * @throws LabError when none matches, one may not be read, or its content is not what the hub says; Interrupted. What had
 * come is kept, and the next call goes on from there
 */
export async function downloadFiles(
  name: string,
  wanted: RegExp,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const { revision = "main", folder = hubCache, maxBytes = 20e9, signal } = options;
  const access: HubAccess = {
    endpoint: hubEndpoint(options.endpoint),
    ...{ timeoutMs: options.timeoutMs ?? 60_000, signal },
  };
  const repository = await persist(name, options, () => listRepository(name, revision, access));
  const files = repository.files.filter(({ path }) => wanted.test(path));
  if (files.length === 0) {
    throw fault("downloadFiles", `${name} has no file that is wanted`, {
      got: repository.files.slice(0, 12).map(({ path }) => path),
      expected: String(wanted),
      try: "download the files by hand and name them",
    });
  }
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes) {
    throw fault("downloadFiles", `${files.length} files of ${name} are ${gigabytes(total)} GB`, {
      ...{ expected: `${gigabytes(maxBytes)} GB at most`, try: "maxBytes" },
    });
  }
  const root = join(folder, name.replace("/", "--"), repository.commit);
  const places: string[] = [];
  let before = 0;
  for (const file of files) {
    const place = join(root, file.path);
    const report = (bytes: number): void => options.onProgress?.(before + bytes, total);
    if (!existsSync(place) || statSync(place).size !== file.size) {
      await fetchFile(repository, file, { place, access, options, report });
    }
    before += file.size;
    report(0);
    places.push(place);
  }
  return { commit: repository.commit, files: places };
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

interface Fetch {
  place: string;
  access: HubAccess;
  options: DownloadOptions;
  report: (bytes: number) => void;
}

/** Fetches into `<place>.part`, checks, renames. A part that an earlier run left may be of anything: it gets one fresh start. */
async function fetchFile(repository: HubRepository, file: HubFile, fetch: Fetch): Promise<void> {
  const part = `${fetch.place}.part`;
  mkdirSync(dirname(part), { recursive: true });
  for (let fresh = !existsSync(part); ; fresh = true) {
    await persist(
      file.path,
      fetch.options,
      () => continueFile(repository, file, part, fetch),
      () => sizeOf(part),
    );
    if (await isWhole(part, file)) break;
    rmSync(part);
    if (fresh) {
      throw fault("downloadFiles", `${file.path} of ${repository.name} is not what the hub says`, {
        expected: `${file.size} bytes with the hash of the listing`,
        try: "again later; a proxy or a mirror may have changed the content",
      });
    }
  }
  renameSync(part, fetch.place);
}

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

/** One request for what is missing. @throws when the connection broke before the end */
async function continueFile(
  { name, commit }: HubRepository,
  file: HubFile,
  part: string,
  { access, report }: Fetch,
): Promise<void> {
  let at = sizeOf(part);
  if (at > file.size) {
    rmSync(part);
    at = 0;
  }
  if (at === file.size && at > 0) return;
  const path = `/datasets/${name}/resolve/${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
  const { response, touch, release } = await hubGet(
    path,
    at === 0 ? {} : { range: `bytes=${at}-` },
    access,
  );
  const handle = await open(part, "a");
  try {
    const refused = refusal(response.status, `file ${file.path} in ${name}`);
    if (refused !== null) throw refused;
    // The hub has less than what lies here.
    if (response.status === 416) await handle.truncate(0);
    if (!response.ok)
      throw new Failed(`status ${response.status}`, retryAfter(response.headers, Date.now()));
    // A server that does not know ranges, or means another one, sends from the start.
    if (at > 0 && !(response.status === 206 && startOf(response) === at)) {
      await handle.truncate(0);
      at = 0;
      if (response.status === 206) throw new Failed("another part of the file came");
    }
    for await (const bytes of piecesOf(response)) {
      touch();
      if (at + bytes.length > file.size) {
        await handle.truncate(0);
        throw new Failed("more came than the file has");
      }
      await handle.write(bytes);
      at += bytes.length;
      report(at);
    }
  } finally {
    release();
    await handle.close();
  }
  if (at < file.size) throw new Failed(`the connection ended at byte ${at} of ${file.size}`);
}

const startOf = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? -1);

/** An attempt that another may follow. */
class Failed extends Error {
  constructor(
    message: string,
    readonly waitMs?: number,
  ) {
    super(message);
  }
}

/** A wait longer than this is not worth staying for. */
const LONGEST_WAIT_MS = 600_000;

/**
 * Tries until it succeeds, is refused, or has failed `attempts` times without getting any further.
 * @param reached how far it has come
 */
async function persist<T>(
  what: string,
  { attempts = 6, retryBaseMs, signal }: DownloadOptions,
  work: () => Promise<T>,
  reached: () => number = () => 0,
): Promise<T> {
  let most = reached();
  for (let made = 1; ; made++) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw interrupted(`fetching ${what}`);
      if (error instanceof LabError) throw error;
      if (reached() > most) made = 1;
      most = Math.max(most, reached());
      const { waitMs } = error as Failed;
      if (made >= attempts || (waitMs ?? 0) > LONGEST_WAIT_MS) {
        const cause = (error as { cause?: { code?: string } }).cause?.code;
        throw fault(
          "downloadFiles",
          `${what} did not come (${cause ?? (error as Error).message})`,
          {
            try: "again: what has come is kept; without network, name files of your own",
          },
        );
      }
      const wait = backoff(made, { waitMs, baseMs: retryBaseMs, chance: Math.random() });
      await sleep(wait, undefined, { signal }).catch(() => {
        throw interrupted(`fetching ${what}`);
      });
    }
  }
}

/** Whether a file has the size and the hash of the listing. */
async function isWhole(path: string, { size, sha256, blob }: HubFile): Promise<boolean> {
  if (sizeOf(path) !== size) return false;
  if (sha256 !== undefined) return (await digest(path, createHash("sha256"))) === sha256;
  // Without either hash nothing vouches for the content.
  return (await digest(path, createHash("sha1").update(`blob ${size}\0`))) === blob;
}

async function digest(path: string, hash: Hash): Promise<string> {
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}
