/** GET requests to the hub, which hands files over to other hosts. The token goes to the hub itself and to nobody else. */
import { fault } from "../../lib/engine/errors";

export interface HubAccess {
  /** `HF_ENDPOINT`, else huggingface.co: where the hub or a mirror of it is. */
  endpoint: string;
  /** Ends the request when nothing has come for so long. */
  timeoutMs: number;
  signal?: AbortSignal;
}

const MOST_REDIRECTS = 5;

/** The hub's address without a path's last slash. @throws LabError when it is none */
export function hubEndpoint(given: string | undefined): string {
  const address = given ?? (process.env.HF_ENDPOINT || "https://huggingface.co");
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") {
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }
  throw fault("hub", "the hub's address cannot be used", {
    expected: "http:// or https:// without a password, in HF_ENDPOINT",
  });
}

/**
 * Asks for a path of the hub and follows where it leads. The token, `HF_TOKEN`, is sent to the hub's own host only.
 * The body has yet to be read; `release` ends its timer, `touch` starts it anew.
 * @throws LabError for a redirect that would leave encryption or goes round in circles; Error when the network fails
 */
export async function hubGet(
  path: string,
  headers: Readonly<Record<string, string>>,
  { endpoint, timeoutMs, signal }: HubAccess,
): Promise<{ response: Response; touch: () => void; release: () => void }> {
  const home = new URL(endpoint);
  const token = process.env.HF_TOKEN?.trim() ?? "";
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  let timer = setTimeout(stop, timeoutMs);
  const touch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(stop, timeoutMs);
  };
  const release = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    // An answer that nobody has read to its end would keep its connection.
    controller.abort();
  };
  signal?.addEventListener("abort", stop);
  try {
    signal?.throwIfAborted();
    let url = new URL(`${endpoint}${path}`);
    for (let turn = 0; turn <= MOST_REDIRECTS; turn++) {
      const ownHost = url.origin === home.origin;
      const response = await fetch(url, {
        headers: {
          ...headers,
          // A compressed answer would have another length than the file.
          "accept-encoding": "identity",
          ...(ownHost && token !== "" ? { authorization: `Bearer ${token}` } : {}),
        },
        ...{ redirect: "manual", signal: controller.signal },
      });
      const next = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || next === null) {
        return { response, touch, release };
      }
      await response.body?.cancel();
      const target = new URL(next, url);
      if (
        target.protocol !== "https:" &&
        (target.protocol !== "http:" || url.protocol === "https:")
      ) {
        throw fault("hub", `${home.host} sends on to an address without encryption`, {
          got: `${target.protocol}//${target.host}`,
        });
      }
      url = target;
    }
    throw fault("hub", `${home.host} sends on more than ${MOST_REDIRECTS} times`);
  } catch (error) {
    release();
    throw error;
  }
}

/** The body of an answer, piece by piece. */
export async function* piecesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
    yield next.value;
  }
}

/** What a status says that no other attempt would change. */
export function refusal(status: number, what: string): Error | null {
  if (status === 401 || status === 403) {
    return fault("hub", `${what} may not be read (status ${status})`, {
      try: "accept the data set's terms on the hub, and put a token with read access in HF_TOKEN",
    });
  }
  if (status === 404 || status === 410)
    return fault("hub", `there is no ${what} (status ${status})`);
  return null;
}
