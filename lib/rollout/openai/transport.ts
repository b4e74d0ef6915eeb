/**
 * One POST to an OpenAI-compatible server, and what its outcome means: an answer, a reason to try again, or a reason not to. Node's
 * own `fetch` does the rest; the official client would add its own retries, which know neither the cache nor the budget.
 */

export type Outcome =
  | { kind: "answer"; body: unknown }
  /** Another attempt may succeed. `lost`: the server may have done the work, and may charge for it. */
  | { kind: "again"; message: string; lost: boolean; waitMs?: number; limited?: boolean }
  /** This request will never succeed; others may. */
  | { kind: "refused"; message: string }
  /** No request will succeed until the user has changed something. */
  | { kind: "fatal"; message: string };

export interface Post {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** From the first byte sent to the last one received. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** @throws the signal's reason when it aborts; everything else is an outcome */
export async function post({ url, headers, body, timeoutMs, signal }: Post): Promise<Outcome> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const timer = setTimeout(stop, timeoutMs);
  signal?.addEventListener("abort", stop);
  let status: number | undefined;
  try {
    const response = await fetch(url, {
      ...{ method: "POST", headers, body, signal: controller.signal },
      // A redirect to another host would carry the request, pictures included, to where the user has not sent it.
      redirect: "error",
    });
    status = response.status;
    const text = await response.text();
    return response.ok ? readAnswer(text) : readRefusal(status, text, response.headers);
  } catch (error) {
    signal?.throwIfAborted();
    // No status: nothing came back. Whether the server has begun its work nobody knows.
    if (controller.signal.aborted) {
      return { kind: "again", message: `no whole reply within ${timeoutMs} ms`, lost: true };
    }
    const lost = status !== undefined || !isRefusedConnection(error);
    return { kind: "again", message: networkMessage(error), lost };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function readAnswer(text: string): Outcome {
  try {
    return { kind: "answer", body: JSON.parse(text) };
  } catch {
    const message = `the reply is no JSON: ${JSON.stringify(text.slice(0, 80))}`;
    return { kind: "again", message, lost: true };
  }
}

/** Statuses after which the same request may succeed. 529 is what some servers call overloaded. */
const PASSING = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529]);

function readRefusal(status: number, text: string, headers: Headers): Outcome {
  const said = errorText(text);
  const message = `status ${status}${said === "" ? "" : `: ${said}`}`;
  // Out of credit is not out of turn: waiting does not help.
  if (/insufficient_quota|billing_hard_limit/i.test(text)) return { kind: "fatal", message };
  if (PASSING.has(status)) {
    const waitMs = retryAfter(headers, Date.now());
    return { kind: "again", message, lost: false, waitMs, limited: status === 429 };
  }
  return {
    kind: status === 401 || status === 403 || status === 404 ? "fatal" : "refused",
    message,
  };
}

function errorText(text: string): string {
  try {
    const { error, message, detail } = JSON.parse(text) as Record<string, unknown>;
    const said =
      (error as { message?: unknown } | undefined)?.message ?? error ?? message ?? detail;
    if (said === undefined) return "";
    return (typeof said === "string" ? said : JSON.stringify(said)).slice(0, 300);
  } catch {
    return text.replace(/\s+/g, " ").trim().slice(0, 300);
  }
}

/**
 * How long a server asks to wait, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, section
 * 10.2.3); `undefined` where it does not say.
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const exact = headers.get("retry-after-ms");
  if (exact !== null && Number(exact) >= 0) return Number(exact);
  const given = headers.get("retry-after");
  if (given === null || given.trim() === "") return undefined;
  const seconds = Number(given);
  const wait = Number.isNaN(seconds) ? Date.parse(given) - now : seconds * 1000;
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

/**
 * How long to wait before attempt `attempt + 1`: what the server asked for, else doubling from half a second up to a minute, of
 * which chance takes up to a half away, so that requests that failed together do not come back together.
 * @param attempt attempts made, from 1
 * @param chance in [0, 1)
 */
export function backoff(
  attempt: number,
  { waitMs, baseMs = 500, chance }: { waitMs?: number; baseMs?: number; chance: number },
): number {
  return waitMs ?? Math.min(60_000, baseMs * 2 ** (attempt - 1)) * (1 - chance / 2);
}

const causeOf = (error: unknown): NodeJS.ErrnoException | undefined =>
  (error as { cause?: NodeJS.ErrnoException }).cause;

/** Nobody listened: nothing was sent. */
const isRefusedConnection = (error: unknown): boolean =>
  ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"].includes(causeOf(error)?.code ?? "");

function networkMessage(error: unknown): string {
  const cause = causeOf(error);
  return cause?.code ?? cause?.message ?? (error as Error).message;
}
