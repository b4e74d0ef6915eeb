/** Other trainers' metrics under the lab's names, so that one figure shows runs of both. */
import type { Metrics } from "../../train/metrics";

/** How a program calls what the lab measures too. */
export interface MetricNames {
  /** The lab's name by the program's. */
  names: Readonly<Record<string, string>>;
  /** What the program writes before the numbers of the reward server; absent where it does not log them. */
  rewards?: string;
}

/** The numbers of the reward server (`rewardNumbers`) as the lab's own training logs them. */
const REWARD_NAMES: Readonly<Record<string, string>> = {
  ...{ format: "rewards/format/mean", accuracy: "rewards/accuracy/mean" },
  ...{ efficacy: "rewards/efficacy/mean", length: "rewards/length/mean" },
  reflection_format: "rewards/reflection_format/mean",
  ...{ correct: "accuracy/final", first_correct: "accuracy/first" },
  ...{ rr: "reflection/rr", wr: "reflection/wr", rw: "reflection/rw", ww: "reflection/ww" },
};

/** Under which names verl and its descendants log; what the lab has no name for keeps its own. */
export const VERL_NAMES: Readonly<Record<string, string>> = {
  "critic/score/mean": "reward",
  "actor/pg_loss": "loss",
  "actor/entropy": "entropy",
  "actor/grad_norm": "grad_norm",
  "actor/lr": "learning_rate",
  "actor/ppo_kl": "approx_kl",
  "actor/kl_loss": "kl",
  "actor/pg_clipfrac": "clip_ratio/region_mean",
  "response_length/mean": "completions/mean_length",
  "response_length/min": "completions/min_length",
  "response_length/max": "completions/max_length",
  "response_length/clip_ratio": "completions/clipped_ratio",
  "timing_s/step": "step_time",
};

/** A step's metrics under the lab's names, with what the lab derives from the shares of transitions. */
export function labMetrics(
  values: Readonly<Record<string, number>>,
  { names, rewards }: MetricNames,
): Metrics {
  const renamed = Object.entries(values).map(([key, value]): [string, number] => {
    if (Object.hasOwn(names, key)) return [names[key], value];
    const part = rewards !== undefined && key.startsWith(rewards) ? key.slice(rewards.length) : "";
    return [Object.hasOwn(REWARD_NAMES, part) ? REWARD_NAMES[part] : key, value];
  });
  const metrics = Object.fromEntries(renamed);
  return { ...metrics, ...reflectionShares(metrics) };
}

/** What `lib/train/metrics.ts` measures of the transitions, from their shares among all responses. */
function reflectionShares(metrics: Metrics): Metrics {
  const [rr, wr, rw, ww] = ["rr", "wr", "rw", "ww"].map((name) => metrics[`reflection/${name}`]);
  const present = rr + wr + rw + ww;
  if (!Number.isFinite(present)) return {};
  return {
    "reflection/present": present,
    ...(present > 0 ? { "accuracy/second": (rr + wr) / present } : {}),
    ...(wr + ww > 0 ? { "reflection/fix_rate": wr / (wr + ww) } : {}),
    ...(rr + rw > 0 ? { "reflection/harm_rate": rw / (rr + rw) } : {}),
  };
}
