/**
 * The reward over HTTP: one function, the lab's own, for every trainer. What cannot be scored is an error that the trainer sees;
 * no path leads from a failure to a number.
 *
 *     POST /score        the lab's contract, for the Python shims
 *     POST /get_reward   OpenRLHF's
 *     GET  /health       which reward this is, and whether requests are taken (503 while shutting down); no token needed
 *     GET  /metrics      Prometheus
 *
 * TLS is left to a proxy in front.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fault, LabError } from "../../engine/errors";
import { canonicalJson, contentHash } from "../../engine/files";
import type { Row } from "../../engine/rows";
import type { RewardConfig } from "../../reflection/reward-config";
import { scoreRow } from "../../reflection/reward-row";
import type { RewardBreakdown } from "../../reflection/rewards";
import { busy, HttpError, readJsonBody, type ByteBudget } from "./body";
import { atRow, createOpenRlhfReader, readScoreRequest, type SpecialTokens } from "./contracts";
import type { Request } from "./contracts";
import { createServerMetrics } from "./metrics";
import { createScheduler, type Client } from "./scheduler";
import { isAuthorised } from "./token";
import { warmUp } from "./warm-up";

export interface RewardServerOptions {
  config: RewardConfig;
  /** The policy's own: its token counts are part of the reward. */
  tokenizer: SpecialTokens & { countTokens(text: string): number };
  host?: string;
  /** 0 takes a free one. */
  port?: number;
  /** What clients must show; `null` asks nobody, which only the loopback interface allows. */
  token: string | null;
  /** Bytes of one body. */
  maxBodyBytes?: number;
  /** Rows that may wait before requests are refused with 503. */
  maxPendingRows?: number;
  /** Bytes of all bodies that wait. */
  maxPendingBytes?: number;
  maxConnections?: number;
  /** For a whole request to arrive. */
  requestTimeoutMs?: number;
  /** Scores made-up responses for so long before it listens; 0 unless told otherwise. */
  warmUpMs?: number;
}

export interface RewardServer {
  url: string;
  port: number;
  /** Takes no more requests, answers those that it has, and closes what is still open after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** Names a reward by everything that changes its values, so that an export and a server can be compared. */
export function rewardIdentity(config: RewardConfig): string {
  return contentHash(canonicalJson(config));
}

/** The header in which a client says which reward it expects. */
export const REWARD_HEADER = "x-srpo-reward";

/** What clients have sent by the end is read within this time and refused with a word. */
const ARRIVAL_MS = 200;

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

/** @throws LabError when the address is taken or no token guards an address that others reach */
export async function startRewardServer(options: RewardServerOptions): Promise<RewardServer> {
  const { host = "127.0.0.1", port = 0, token } = options;
  if (token === null && !LOOPBACK.has(host)) {
    throw fault("startRewardServer", "an address that other machines reach needs a token", {
      got: host,
      try: "leave --no-token out, or listen on 127.0.0.1",
    });
  }
  const context = createContext(options);
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs ?? 30_000,
      headersTimeout: Math.min(10_000, options.requestTimeoutMs ?? 30_000),
      // Longer than the pause between two steps of a trainer that is quick.
      keepAliveTimeout: 75_000,
      // Node looks for slow clients only so often.
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void context.answer(request, response),
  );
  server.maxConnections = options.maxConnections ?? 4096;
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const slow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    context.metrics.lost(slow ? "timeout" : "malformed");
    const status = slow ? "408 Request Timeout" : "400 Bad Request";
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    else socket.destroy();
  });
  server.on("drop", () => context.metrics.lost("too-many-connections"));
  await listen(server, host, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: async (graceMs = 10_000) => {
      context.drain();
      // A connection looks idle while its request is still on the way; closed now, the client would hear nothing but a reset.
      await sleep(Math.min(ARRIVAL_MS, graceMs));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const hint = "another --port, or stop what listens there";
      reject(fault("startRewardServer", `cannot listen (${error.message})`, { try: hint }));
    });
    server.listen({ host, port }, () => resolve());
  });
}

/** What all requests share. */
function createContext(options: RewardServerOptions) {
  const { config, tokenizer, token } = options;
  const { maxBodyBytes = 32e6, maxPendingRows = 16_384, maxPendingBytes = 512e6 } = options;
  const identity = rewardIdentity(config);
  const metrics = createServerMetrics();
  const scheduler = createScheduler({ maxPending: maxPendingRows });
  const budget: ByteBudget = { used: 0, limit: maxPendingBytes };
  const score = createScorer(config, tokenizer);
  warmUp(score, options.warmUpMs ?? 0);
  let draining = false;
  let inFlight = 0;

  const rewardRoutes: Readonly<Record<string, (body: unknown) => Request>> = {
    "/score": readScoreRequest,
    "/get_reward": createOpenRlhfReader(tokenizer),
  };

  const rewards = async (
    request: IncomingMessage,
    read: (body: unknown) => Request,
    client: Client,
  ): Promise<object> => {
    if (draining) throw new HttpError(503, "the server is shutting down");
    const expected = request.headers[REWARD_HEADER];
    if (expected !== undefined && expected !== identity) {
      throw new HttpError(409, `the client wants reward ${String(expected)}, this is ${identity}`);
    }
    let held = 0;
    const take = (bytes: number): void => {
      held += bytes;
      budget.used += bytes;
    };
    try {
      const body = await readJsonBody(request, { maxBytes: maxBodyBytes, budget, take });
      const { rows, reply } = read(body);
      if (!scheduler.hasRoom(rows.length)) throw busy("rows");
      const scored = await scheduler.run(
        rows.length,
        (at) => atRow(at, () => score(rows[at])),
        client,
      );
      scored.forEach(metrics.scored);
      return reply(scored);
    } finally {
      budget.used -= held;
    }
  };

  const route = async (
    path: string,
    request: IncomingMessage,
    client: Client,
  ): Promise<{ status?: number; body: object | string }> => {
    if (path === "/health") {
      const status = draining ? "draining" : "ok";
      return { status: draining ? 503 : 200, body: { status, reward: identity } };
    }
    if (token !== null && !isAuthorised(request.headers.authorization, token)) {
      throw new HttpError(401, "no valid token", { "WWW-Authenticate": "Bearer" });
    }
    if (path === "/metrics") {
      const pending = { pendingRows: scheduler.pending(), pendingBytes: budget.used };
      return { body: metrics.render({ ...pending, inFlight, draining }) };
    }
    if (!Object.hasOwn(rewardRoutes, path)) {
      throw new HttpError(404, `there is /score, /get_reward, /health and /metrics`);
    }
    if (request.method !== "POST") {
      throw new HttpError(405, `${path} takes POST`, { Allow: "POST" });
    }
    return { body: await rewards(request, rewardRoutes[path], client) };
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const began = performance.now();
    const path = (request.url ?? "/").split("?", 1)[0];
    const client: Client = { gone: false };
    inFlight++;
    response.once("close", () => {
      inFlight--;
      if (!response.writableFinished) client.gone = true;
    });
    let result: { status?: number; body: object | string };
    let headers: Readonly<Record<string, string>> = {};
    try {
      result = await route(path, request, client);
    } catch (error) {
      if (client.gone) {
        metrics.lost("client-gone");
        return;
      }
      const failure = asHttpError(error);
      headers = failure.headers;
      result = { status: failure.status, body: { error: failure.message } };
    }
    const { status = 200, body } = result;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    // What was not read of the request must not be taken for the next one.
    const close = draining || !request.complete;
    response.writeHead(status, {
      "Content-Type": typeof body === "string" ? "text/plain; version=0.0.4" : "application/json",
      "Content-Length": Buffer.byteLength(text),
      ...(close ? { Connection: "close" } : {}),
      ...headers,
    });
    response.end(text);
    const known = Object.hasOwn(rewardRoutes, path) || path === "/health" || path === "/metrics";
    metrics.answered(known ? path : "other", status, (performance.now() - began) / 1000);
  };

  return { answer, metrics, drain: () => void (draining = true) };
}

/** Scores a row; a tokenizer that fails is an error here, where {@link scoreRow} would take f_len as 0. */
function createScorer(
  config: RewardConfig,
  { countTokens }: RewardServerOptions["tokenizer"],
): (row: Row) => RewardBreakdown {
  return (row) => {
    let failure: unknown;
    const reward = scoreRow(row, {
      config,
      countTokens: (text) => {
        try {
          return countTokens(text);
        } catch (error) {
          failure = error;
          throw error;
        }
      },
    });
    if (failure === undefined) return reward;
    throw new HttpError(500, `the tokens could not be counted (${String(failure)})`);
  };
}

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof LabError) return new HttpError(422, error.message);
  return new HttpError(500, error instanceof Error ? error.message : String(error));
}
