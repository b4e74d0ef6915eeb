/** The body of a request as JSON, within limits. */
import type { IncomingMessage } from "node:http";

/** An answer that is no success; its message goes to the client. */
export class HttpError extends Error {
  override name = "HttpError";
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Bytes of bodies that are being read or scored, over all requests. */
export interface ByteBudget {
  used: number;
  readonly limit: number;
}

/** Throws at bytes that are no UTF-8: they would become replacement characters, and the reward that of another text. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads and parses a body.
 * @param take called with the bytes that the body holds on to in `budget`, which the caller gives back
 * @throws HttpError 400 for what is no JSON, 413 for more than `maxBytes`, 503 when all bodies together are too large
 */
export async function readJsonBody(
  request: IncomingMessage,
  limits: { maxBytes: number; budget: ByteBudget; take: (bytes: number) => void },
): Promise<unknown> {
  const bytes = await readBody(request, limits);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new HttpError(400, "the body is no UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, `the body is no JSON (${(error as Error).message})`);
  }
}

function readBody(
  request: IncomingMessage,
  { maxBytes, budget, take }: { maxBytes: number; budget: ByteBudget; take: (n: number) => void },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let held = 0;
    /** What was announced is held at once; chunked bodies announce nothing. */
    const fits = (bytes: number): boolean => {
      const more = Math.max(0, bytes - held);
      const tooMuch = bytes > maxBytes;
      if (tooMuch || budget.used + more > budget.limit) {
        request.pause();
        request.removeAllListeners("data");
        reject(tooMuch ? tooLarge(maxBytes) : busy("bytes"));
        return false;
      }
      held += more;
      take(more);
      return true;
    };
    if (!fits(Number(request.headers["content-length"] ?? 0))) return;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (fits(size)) chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => {
      if (!request.complete) reject(new HttpError(400, "the body ended early"));
    });
  });
}

/** Too much waits already: the client is to come back. */
export function busy(what: "bytes" | "rows"): HttpError {
  return new HttpError(503, `too many ${what} are waiting; try again`, { "Retry-After": "1" });
}

const tooLarge = (limit: number): HttpError =>
  new HttpError(413, `the body is larger than ${limit} bytes; send fewer rows at a time`);
