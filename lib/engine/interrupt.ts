/** Ctrl-C on the command line and Interrupt in a notebook, as the AbortSignal that trainers look at once a step. */
import { setMaxListeners } from "node:events";

/**
 * Runs `work` with a signal that aborts at the process's next SIGINT; a second SIGINT ends a command at once, and lets a
 * notebook's kernel abandon the cell.
 *
 * @param outer a signal of the caller's own, which aborts `work` as well
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  // Stock tslab runs a cell up to its first `await` with SIGINT disarmed, and a listener added in that stretch never hears
  // anything: Node thinks it armed already. So this one is added after it.
  await new Promise((resolve) => setImmediate(resolve));
  const controller = new AbortController();
  // Every request under way listens; Node takes more than ten for a leak, and says so amid a command's words.
  setMaxListeners(0, controller.signal);
  const stop = (): void => {
    if (!controller.signal.aborted) {
      controller.abort();
    } else if (process.listenerCount("SIGINT") === 1) {
      process.off("SIGINT", stop);
      process.kill(process.pid, "SIGINT");
    }
  };
  const follow = (): void => controller.abort();
  process.on("SIGINT", stop);
  outer?.addEventListener("abort", follow);
  if (outer?.aborted) follow();
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
    outer?.removeEventListener("abort", follow);
  }
}

/** Thrown by a stage that was stopped between two steps; what it had done is on disk. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/** @param where what was stopped and how far it had come, e.g. `GRPO at step 12 of 60` */
export function interrupted(where: string): Interrupted {
  return new Interrupted(`Stopped ${where}. Run it again to go on from there.`);
}

/**
 * Does `work`, which looks at `signal` itself; where it gives up because of it, that is an interrupt and no failure.
 * @throws Interrupted when the signal has fired
 */
export async function interruptedAt<T>(
  where: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw signal?.aborted ? interrupted(where) : error;
  }
}

/** Lets timers, signals and messages in; tfjs blocks the event loop while it computes. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
