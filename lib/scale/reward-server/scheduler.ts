/**
 * Scores many requests on one thread without letting any of them stop the server: a few rows of each in turn, and a breath for
 * the network between two slices. What waits is bounded; more is refused at once, so that clients slow down.
 */
import { yieldToEvents } from "../../engine/interrupt";

/** How long rows are scored before the network is looked at, in milliseconds. */
const SLICE_MS = 4;
/** Rows of one request in a row, so that a request of thousands does not hold up those of one. */
const TURN = 8;

interface Job {
  left: number;
  /** Scores the next row. */
  next(): void;
  done(): void;
  fail(error: unknown): void;
  client: Client;
}

/** Whoever waits for the rows. */
export interface Client {
  /** It has gone: nobody would read the rest. */
  gone: boolean;
}

export interface Scheduler {
  /** Rows that wait or are being scored. */
  pending(): number;
  /** Whether so many more rows may wait. */
  hasRoom(rows: number): boolean;
  /** Calls `score` for each index below `count`, in order. @throws what `score` throws, or an error once the client has gone */
  run<T>(count: number, score: (at: number) => T, client: Client): Promise<T[]>;
}

export function createScheduler({ maxPending }: { maxPending: number }): Scheduler {
  const queue: Job[] = [];
  let pending = 0;
  let running = false;

  /** Scores some rows of a job; true when it is over. */
  const advance = (job: Job): boolean => {
    try {
      if (job.client.gone) throw new Error("the client has gone");
      for (let turn = 0; turn < TURN && job.left > 0; turn++) {
        job.next();
        job.left--;
        pending--;
      }
      if (job.left > 0) return false;
      job.done();
    } catch (error) {
      pending -= job.left;
      job.fail(error);
    }
    return true;
  };

  const work = async (): Promise<void> => {
    running = true;
    while (queue.length > 0) {
      const until = performance.now() + SLICE_MS;
      while (queue.length > 0 && performance.now() < until) {
        const job = queue.shift() as Job;
        if (!advance(job)) queue.push(job);
      }
      await yieldToEvents();
    }
    running = false;
  };

  return {
    pending: () => pending,
    // A request that is larger than the limit by itself may have the server to itself.
    hasRoom: (rows) => pending === 0 || pending + rows <= maxPending,
    run: <T>(count: number, score: (at: number) => T, client: Client) =>
      new Promise<T[]>((resolve, reject) => {
        const results: T[] = [];
        queue.push({
          left: count,
          next: () => results.push(score(results.length)),
          done: () => resolve(results),
          fail: reject,
          client,
        });
        pending += count;
        if (!running) void work();
      }),
  };
}
