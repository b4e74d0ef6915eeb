/**
 * Replies on disk, so that none is paid for twice: a file a request, named by the request's hash, and a ledger of what was paid.
 * Everything is written the moment it arrives; a crash loses the replies that were under way and no other.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { appendJsonl, jsonlRows, mendJsonl, writeFileAtomic } from "../../engine/files";
import type { Usage } from "./cost";

/** What is kept of a server's reply. */
export interface StoredReply {
  text: string;
  /** `stop`, `length`, or what else the server says. */
  finishReason: string;
  /** The model that the server says has answered. */
  model: string;
  usage: Usage;
}

export interface ReplyCache {
  get(key: string): StoredReply | null;
  put(key: string, reply: StoredReply): void;
  /** What all replies in the folder have used, those of earlier processes included. */
  paid(): Usage & { calls: number };
}

/** @param folder made on the first reply */
export function openReplyCache(folder: string): ReplyCache {
  const ledger = join(folder, "paid.jsonl");
  const place = (key: string): string => join(folder, key.slice(0, 2), `${key}.json`);
  const { count, total } = createTally();
  if (existsSync(ledger)) {
    mendJsonl(ledger);
    for (const row of jsonlRows<Usage>(ledger)) count(row);
  }
  return {
    get: (key) => {
      const path = place(key);
      return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as StoredReply) : null;
    },
    put: (key, reply) => {
      // The reply first: what is paid and not counted is better than what is counted and lost.
      writeFileAtomic(place(key), JSON.stringify(reply) + "\n");
      appendJsonl(ledger, { key, ...reply.usage });
      count(reply.usage);
    },
    paid: () => ({ ...total }),
  };
}

/** The same without a disk: a notebook that does not name a folder still pays once a process. */
export function memoryReplyCache(): ReplyCache {
  const replies = new Map<string, StoredReply>();
  const { count, total } = createTally();
  return {
    get: (key) => replies.get(key) ?? null,
    put: (key, reply) => {
      replies.set(key, reply);
      count(reply.usage);
    },
    paid: () => ({ ...total }),
  };
}

function createTally() {
  const total = { promptTokens: 0, completionTokens: 0, calls: 0 };
  const count = ({ promptTokens, completionTokens }: Usage): void => {
    total.promptTokens += promptTokens;
    total.completionTokens += completionTokens;
    total.calls++;
  };
  return { total, count };
}
