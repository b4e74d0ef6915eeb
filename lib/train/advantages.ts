/** Advantages of the GRPO family, each with its paper and equation. Plain numbers, no tensors. */
import type { AdvantageConfig, OverlongConfig } from "./objective";

/** The mean; 0 of nothing. */
export function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

/** Standard deviation with divisor n − 1, as TRL and verl take it; 0 of fewer than two values. */
export function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = average(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}

/** What keeps a deviation near 0 from blowing small differences up. */
export interface DivisorOptions {
  /**
   * The least divisor. The papers divide by the bare deviation; where a group differs by its length term alone that
   * blows 0.1-sized differences up to full-sized advantages, so the lab sets a floor.
   */
  stdFloor: number;
  /** Added to the deviation, as the peers do against a division by 0. */
  stdEpsilon?: number;
}

/**
 * Group-relative advantages (DeepSeekMath, arXiv 2402.03300, section 4.1.2; SRPO eq 3): `(r − mean) / std` within the
 * group of one prompt. Without `scale` it is Dr.GRPO's (2503.20783, section 3.2): `r − mean`.
 * @param rewards the group's rewards `[G]`
 */
export function groupAdvantages(
  rewards: readonly number[],
  { scale = true, ...options }: DivisorOptions & { scale?: boolean },
): number[] {
  const mean = average(rewards);
  if (!scale) return rewards.map((reward) => reward - mean);
  const divisor = divisorOf(rewards, options);
  return rewards.map((reward) => (reward - mean) / divisor);
}

/**
 * Group-relative advantages divided by the deviation of all rewards of the batch ("Lite PPO", 2508.08221):
 * an easy or a hard prompt, whose group hardly differs, weighs no more than the others.
 * @param groups `[P][G]`
 */
export function batchScaledAdvantages(
  groups: readonly (readonly number[])[],
  options: DivisorOptions,
): number[][] {
  const divisor = divisorOf(groups.flat(), options);
  return groups.map((rewards) =>
    groupAdvantages(rewards, { ...options, scale: false }).map(
      (difference) => difference / divisor,
    ),
  );
}

/**
 * GDPO (2601.05242): every part of the reward is normalised within its group, the normalised parts are
 * added, and the sums are normalised over the batch. A sum hides that two groups earn the same in different ways; its
 * parts do not. As the parts are divided by their own deviations, their weights in the reward no longer matter
 * where the deviation is above the floor.
 * @param groups rewards by part `[P][G][K]`
 */
export function decoupledAdvantages(
  groups: readonly (readonly (readonly number[])[])[],
  options: DivisorOptions,
): number[][] {
  const sums = groups.map((group) => {
    const total = group.map(() => 0);
    (group[0] ?? []).forEach((_part, k) => {
      const normalised = groupAdvantages(
        group.map((parts) => parts[k]),
        options,
      );
      normalised.forEach((value, g) => (total[g] += value));
    });
    return total;
  });
  const all = sums.flat();
  const [mean, divisor] = [average(all), divisorOf(all, options)];
  return sums.map((group) => group.map((sum) => (sum - mean) / divisor));
}

/**
 * The advantages of a batch as the configuration wants them.
 * @param groups rewards by part `[P][G][K]`; their sum is the reward
 * @returns `[P][G]`
 */
export function batchAdvantages(
  groups: readonly (readonly (readonly number[])[])[],
  { scaleRewards, aggregation, stdFloor, stdEpsilon }: AdvantageConfig,
): number[][] {
  const options = { stdFloor, stdEpsilon };
  if (aggregation === "normalize_then_sum") return decoupledAdvantages(groups, options);
  const totals = groups.map((group) =>
    group.map((parts) => parts.reduce((sum, part) => sum + part, 0)),
  );
  if (scaleRewards === "batch") return batchScaledAdvantages(totals, options);
  const scale = scaleRewards === "group";
  return totals.map((rewards) => groupAdvantages(rewards, { ...options, scale }));
}

/**
 * DAPO's soft overlong punishment (2503.14476, eq 13), 0 or less: nothing up to `maxNewTokens − overlongBuffer` tokens,
 * then growing evenly to `overlongPenalty` at the limit.
 * @param length tokens of the completion
 */
export function overlongReward(
  length: number,
  { maxNewTokens, overlongBuffer, overlongPenalty }: OverlongConfig & { maxNewTokens: number },
): number {
  const over = length - (maxNewTokens - overlongBuffer);
  if (overlongBuffer === 0 || over <= 0) return 0;
  return -overlongPenalty * Math.min(1, over / overlongBuffer);
}

function divisorOf(
  rewards: readonly number[],
  { stdFloor, stdEpsilon = 0 }: DivisorOptions,
): number {
  return Math.max(deviation(rewards) + stdEpsilon, stdFloor, 1e-9);
}
