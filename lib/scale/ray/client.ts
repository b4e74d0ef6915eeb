/**
 * Ray's Jobs REST API: submit, list, stop, logs, and the upload of a folder as a job's working directory. Ray 2.40 to 2.60.
 *
 * The token is that of `RAY_AUTH_TOKEN`, as for Ray's own tools; it goes into a header and nowhere else.
 */
import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { fault, type LabError } from "../../engine/errors";
import { isRow } from "../../engine/rows";
import { packFolder } from "./package";

export interface RayOptions {
  /** The dashboard, e.g. `http://127.0.0.1:8265`; else `RAY_ADDRESS` where that is an address of HTTP. */
  address?: string;
  timeoutMs?: number;
}

export type JobStatus = "PENDING" | "RUNNING" | "STOPPED" | "SUCCEEDED" | "FAILED";

/** What the lab uses of Ray's job details. */
export interface RayJob {
  submission_id: string | null;
  entrypoint: string;
  status: JobStatus;
  message: string | null;
  /** Milliseconds since 1970. */
  start_time: number | null;
  end_time: number | null;
  metadata: Readonly<Record<string, string>> | null;
}

export interface Submission {
  entrypoint: string;
  /** A folder of this machine that becomes the job's working directory. */
  folder?: string;
  /** Whoever may see the dashboard can read them. */
  environment?: Readonly<Record<string, string>>;
  metadata?: Readonly<Record<string, string>>;
  submissionId?: string;
}

export interface RayClient {
  address: string;
  version(): Promise<{ ray_version: string }>;
  jobs(): Promise<RayJob[]>;
  job(id: string): Promise<RayJob>;
  /** @returns the submission's id */
  submit(submission: Submission): Promise<string>;
  /** All that the job has printed. */
  logs(id: string): Promise<string>;
  /** What the job prints, as it prints it, until it is over or the signal fires. */
  follow(id: string, options?: { signal?: AbortSignal; everyMs?: number }): AsyncGenerator<string>;
  /** @returns whether there was something to stop */
  stop(id: string): Promise<boolean>;
}

/** Whether a job is over. */
export function isOver({ status }: Pick<RayJob, "status">): boolean {
  return status === "STOPPED" || status === "SUCCEEDED" || status === "FAILED";
}

const TOKEN_VARIABLE = "RAY_AUTH_TOKEN";

/** @throws LabError for an address that is none; all methods throw LabError with what Ray answered */
export function createRayClient({ address, timeoutMs = 60_000 }: RayOptions = {}): RayClient {
  const base = rayAddress(address);
  const token = process.env[TOKEN_VARIABLE]?.trim();

  const ask = async (method: string, path: string, body?: Body): Promise<Answer> => {
    try {
      return await send(new URL(base + path), { method, body, token, timeoutMs });
    } catch (error) {
      throw fault("Ray", `${base} does not answer (${(error as Error).message})`, {
        try: "ray start --head, and the address of its dashboard",
      });
    }
  };
  const json = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, text } = await ask(method, path, body === undefined ? {} : { json: body });
    if (status !== 200) throw refusal(method, path, status, text);
    return JSON.parse(text);
  };
  const one = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;

  const upload = async (folder: string): Promise<string> => {
    const { name, bytes } = packFolder(folder);
    const path = `/api/packages/gcs/${name}`;
    const known = await ask("GET", path);
    if (known.status === 404) {
      const sent = await ask("PUT", path, { bytes });
      if (sent.status !== 200) throw refusal("PUT", path, sent.status, sent.text);
    } else if (known.status !== 200) {
      throw refusal("GET", path, known.status, known.text);
    }
    return `gcs://${name}`;
  };

  const client: RayClient = {
    address: base,
    version: () => json("GET", "/api/version") as Promise<{ ray_version: string }>,
    jobs: async () => {
      const all = await json("GET", "/api/jobs/");
      // Older versions answered with a table.
      return (Array.isArray(all) ? all : Object.values(all as object)) as RayJob[];
    },
    job: (id) => json("GET", one(id)) as Promise<RayJob>,
    submit: async ({ entrypoint, folder, environment, metadata, submissionId }) => {
      const runtime = {
        ...(folder === undefined ? {} : { working_dir: await upload(folder) }),
        ...(environment === undefined ? {} : { env_vars: environment }),
      };
      const reply = await json("POST", "/api/jobs/", {
        entrypoint,
        runtime_env: runtime,
        ...(metadata === undefined ? {} : { metadata }),
        ...(submissionId === undefined ? {} : { submission_id: submissionId }),
      });
      if (isRow(reply) && typeof reply.submission_id === "string") return reply.submission_id;
      throw fault("Ray", "the reply to a submission names no job", { got: reply });
    },
    logs: async (id) =>
      String(((await json("GET", `${one(id)}/logs`)) as { logs?: string }).logs ?? ""),
    follow: async function* (id, { signal, everyMs = 1000 } = {}) {
      let printed = 0;
      while (!signal?.aborted) {
        // Asked first, so that nothing is missed that was printed before the end.
        const over = isOver(await client.job(id));
        const logs = await client.logs(id);
        if (logs.length > printed) yield logs.slice(printed);
        printed = Math.max(printed, logs.length);
        if (over) return;
        await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      }
    },
    stop: async (id) => ((await json("POST", `${one(id)}/stop`)) as { stopped: boolean }).stopped,
  };
  return client;
}

interface Body {
  json?: unknown;
  bytes?: Uint8Array;
}

interface Answer {
  status: number;
  text: string;
}

/**
 * One request. Not by `fetch`: it says `Sec-Fetch-Mode`, and what says so is a browser to Ray, which may not submit. Redirects
 * are not followed, for they would take the token along.
 */
function send(
  url: URL,
  {
    method,
    body,
    token,
    timeoutMs,
  }: { method: string; body?: Body; token?: string; timeoutMs: number },
): Promise<Answer> {
  const payload = body?.bytes ?? (body?.json === undefined ? undefined : JSON.stringify(body.json));
  const headers = {
    ...(body?.json === undefined ? {} : { "content-type": "application/json" }),
    ...(payload === undefined ? {} : { "content-length": Buffer.byteLength(payload) }),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http;
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request(url, { method, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    sent.on("error", reject);
    sent.end(payload);
  });
}

function rayAddress(given: string | undefined): string {
  const text = given ?? process.env.RAY_ADDRESS ?? "http://127.0.0.1:8265";
  if (/^https?:\/\/[^/]+/.test(text)) return text.replace(/\/+$/, "");
  throw fault("createRayClient", "the address is none of HTTP", {
    got: text,
    expected: "the dashboard's, such as http://127.0.0.1:8265",
  });
}

/** Ray answers errors with a traceback, of which the line with the error's name says what was wrong. */
function refusal(method: string, path: string, status: number, text: string): LabError {
  const all = text.trim().split("\n");
  const said = all.filter((line) => /^[\w.]*(?:Error|Exception)\b/.test(line)).at(-1) ?? all[0];
  const last = said.slice(0, 300);
  const hint =
    status === 401 || status === 403
      ? `the token of the cluster in ${TOKEN_VARIABLE}`
      : "the dashboard's log on the head node";
  return fault("Ray", `${method} ${path} was answered with ${status}`, { got: last, try: hint });
}
