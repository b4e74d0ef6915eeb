/** What a reward of the user's own is given: the same in training and on the reward bench. */
import type { Completion, Problem, Response } from "../types";
import type { RewardBreakdown } from "./rewards";

export interface RewardSample {
  problem: Problem;
  /** The completion taken apart. */
  response: Response;
  /** The completion as it was sampled. On the bench its ids only count words, and nothing has log-probabilities. */
  completion: Completion;
  /** The parts, verdicts and transition by the run's reward configuration; on the bench by the paper's. */
  reward: RewardBreakdown;
  /** Tokens of a text by the policy's tokenizer, without special ones; on the bench words and tags. */
  countTokens: (text: string) => number;
  /** Share of right first answers, of the last steps or as the bench supposes; absent where nobody knows it. */
  firstAccuracy?: number;
  /** Fires when the time is over or the run is stopped; hand it to `fetch`. */
  signal: AbortSignal;
}
