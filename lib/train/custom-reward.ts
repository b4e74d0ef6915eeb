/**
 * Rewards of the user's own: plain functions, called once a completion and added to what the reward configuration pays.
 *
 * A function that fails stops the step with the sample named and written down; it never becomes a silent 0 or NaN. `null`
 * says that a reward does not apply to a sample, as `None` does in TRL: it pays 0 and stays out of the means.
 */
import { fault, LabError } from "../engine/errors";
import { PART_NAMES } from "../reflection/reward-parts";
import type { RewardSample } from "../reflection/reward-sample";

export interface CustomReward {
  /** What it is called in `rewards/<name>/mean`. */
  name: string;
  /** What its values are multiplied with in the total; 1 unless told otherwise, 0 only measures. */
  weight?: number;
  /**
   * Seconds that a call may take; 10 unless told otherwise. A function that computes without ever awaiting cannot be
   * stopped, for nothing else runs meanwhile.
   */
  timeout?: number;
  /**
   * Names what the function depends on beside its own text: the values that it closes over, a model, a prompt. A run is
   * named by the text and this.
   */
  version?: string;
  /** @returns any finite number, or `null` where the reward does not apply */
  reward: (sample: RewardSample) => number | null | Promise<number | null>;
}

/** What a run's name must hold of a reward: everything that changes its values. */
export function customRewardIdentity({ name, weight = 1, version, reward }: CustomReward): object {
  return { name, weight, source: reward.toString(), ...(version === undefined ? {} : { version }) };
}

/** The failure of a user's reward on a sample; the run keeps its last whole step. */
export class RewardFailure extends LabError {
  override name = "RewardFailure";
  constructor(
    message: string,
    readonly sample: Pick<RewardSample, "problem" | "completion" | "reward">,
  ) {
    super(message);
  }
}

/** @throws LabError for a name that is no name, is taken or comes twice, or a weight or timeout that cannot be */
export function checkCustomRewards(rewards: readonly CustomReward[]): void {
  const seen = new Set<string>([...PART_NAMES, "overlong", "kl"]);
  for (const { name, weight = 1, timeout = TIMEOUT, reward } of rewards) {
    const must = (ok: boolean, what: string, got: unknown, expected: string): void => {
      if (!ok) throw fault("trainGrpo", `reward "${name}" ${what}`, { got, expected });
    };
    must(/^[\w.-]+$/.test(name), "has a bad name", name, "letters, digits, _, . and -");
    must(!seen.has(name), "has a name that is taken", name, `none of ${[...seen].join(", ")}`);
    must(Number.isFinite(weight), "has a bad weight", String(weight), "a finite number");
    must(timeout > 0, "has a bad timeout", timeout, "seconds, more than 0");
    must(typeof reward === "function", "has no function", typeof reward, "reward: (sample) => …");
    seen.add(name);
  }
}

/**
 * Calls every reward on one sample, all at the same time.
 * @param place where the sample stands, e.g. `completion 3 of problem bars-12 at step 7`
 * @returns the values by name, not yet weighted
 * @throws RewardFailure naming reward and sample when a call throws, takes too long, or gives no finite number;
 * `AbortError` when `signal` fires
 */
export async function callRewards(
  rewards: readonly CustomReward[],
  sample: Omit<RewardSample, "signal">,
  place: string,
  signal?: AbortSignal,
): Promise<Record<string, number | null>> {
  const calls = rewards.map(async (custom): Promise<[string, number | null]> => {
    const failure = (what: string, hint: string, got?: unknown): RewardFailure => {
      const detail = got === undefined ? { try: hint } : { got, try: hint };
      return new RewardFailure(
        fault(`reward "${custom.name}"`, `${what} on ${place}`, detail).message,
        sample,
      );
    };
    let value: unknown;
    try {
      value = await withinTime(custom, sample, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw failure(`failed (${why})`, "call the function on the sample that was written down");
    }
    signal?.throwIfAborted();
    if (value === OVERTIME) {
      throw failure(
        `took longer than ${custom.timeout ?? TIMEOUT} s`,
        "a larger timeout, or return null where the value cannot be had in time",
      );
    }
    if (value !== null && !Number.isFinite(value)) {
      const hint = "return a number, or null where the reward does not apply";
      throw failure("gave no finite number", hint, String(value));
    }
    return [custom.name, value as number | null];
  });
  return Object.fromEntries(await Promise.all(calls));
}

/** Seconds that a call may take unless the reward says otherwise. */
const TIMEOUT = 10;

const OVERTIME = Symbol("overtime");

/** The reward's value, or {@link OVERTIME} when its time is over or `outer` fires. */
async function withinTime(
  { reward, timeout = TIMEOUT }: CustomReward,
  sample: Omit<RewardSample, "signal">,
  outer?: AbortSignal,
): Promise<unknown> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const timer = setTimeout(stop, timeout * 1000);
  outer?.addEventListener("abort", stop);
  try {
    const { signal } = controller;
    const stopped = new Promise((resolve) =>
      signal.addEventListener("abort", () => resolve(OVERTIME)),
    );
    return await Promise.race([(async () => reward({ ...sample, signal }))(), stopped]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", stop);
    // Whatever the function has started and not finished may end now.
    stop();
  }
}
