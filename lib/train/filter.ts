/**
 * Which groups are learned from. A group whose answers are all right, or all wrong, has nothing to say about being right;
 * what is left of its differences is format and length, which the division by the deviation then blows up.
 *
 * The filter sees right and wrong and nothing else: on a shaped reward, as the published code of SRPO feeds it, a group of
 * nothing but right answers averages 0.75 and is never dropped, while one of nothing but corrected answers is.
 */
import type { FilterConfig } from "./objective";

/**
 * Whether a group's share of right answers lies within the bounds (DAPO, arXiv 2503.14476, eq 11; the accuracy filter of
 * SRPO's published run keeps 0.1 to 0.9).
 * @param correct one a completion
 */
export function keepsGroup(
  correct: readonly boolean[],
  { filterLow, filterHigh }: Pick<FilterConfig, "filterLow" | "filterHigh">,
): boolean {
  const share = correct.filter(Boolean).length / Math.max(1, correct.length);
  return share >= filterLow && share <= filterHigh;
}

/** Whether the bounds can drop anything. */
export function isFiltering({
  filterLow,
  filterHigh,
}: Pick<FilterConfig, "filterLow" | "filterHigh">): boolean {
  return filterLow > 0 || filterHigh < 1;
}
