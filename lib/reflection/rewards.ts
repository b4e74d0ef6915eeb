/**
 * The reward of a response: judged, scored by the paper's equations (`reward-parts.ts`) or as the published function does
 * (`official-code.ts`), then held back by whichever guards are on (`guards.ts`). What each part came from is always there.
 */
import type { Fault, Problem, Response, Transition, Verdict } from "../types";
import { judge } from "./equality";
import { applyGuards, type GuardName } from "./guards";
import { scoreByOfficialCode } from "./official-code";
import type { RewardConfig } from "./reward-config";
import {
  PART_NAMES,
  scoreByEquations,
  type LengthTerms,
  type Reasons,
  type RewardParts,
  type ScoreInput,
} from "./reward-parts";
import { relevantFaults } from "./template";
import { transitionOf } from "./transitions";

/** A reward with everything that led to it. */
export interface RewardBreakdown extends RewardParts {
  /** The sum of the five parts. */
  total: number;
  /** By the lab's own judge, whatever the configuration pays for it. */
  transition: Transition | null;
  first: Verdict;
  /** `null` where the response has one answer. */
  second: Verdict | null;
  /** The faults that count for what was asked: one solution has no reflection and lacks none. */
  faults: Fault[];
  /** What f_len was computed from, `null` where it is not defined. */
  lengths: LengthTerms | null;
  /** Why a part that the configuration pays is 0 here, or less than it would be. */
  reasons: Reasons;
  /** The guards that withheld something. */
  guards: GuardName[];
}

const SCORERS: Readonly<Record<RewardConfig["scorer"], typeof scoreByEquations>> = {
  equations: scoreByEquations,
  "official-code": scoreByOfficialCode,
};

/**
 * Scores one response. Never throws for any text, never returns NaN, and gives the reason for every part that is 0.
 * @param tokenCount tokens of a text, by the policy's tokenizer without special tokens. Where it throws or gives no number,
 * f_len is 0 and `reasons.length` says so.
 * @param firstAccuracy accuracy of the first answers lately, for the guard `sandbagging`
 */
export function scoreResponse({
  response,
  problem,
  config,
  tokenCount,
  firstAccuracy,
}: {
  response: Response;
  problem: Pick<Problem, "answer" | "answerType" | "choices">;
  config: RewardConfig;
  tokenCount: (text: string) => number;
  firstAccuracy?: number;
}): RewardBreakdown {
  const first = judge(response.first.answer, problem);
  const second = secondVerdict(response, problem, first);
  const transition = transitionOf(
    response.first.answer === null ? null : first.correct,
    second === null ? null : second.correct,
  );
  const counter = safeCounter(tokenCount);
  const input: ScoreInput = {
    ...{ response, problem, config, tokenCount: counter.count },
    ...{ first, second, transition, firstAccuracy },
  };
  const scored = SCORERS[config.scorer](input);
  const { parts, reasons, guards } = applyGuards(scored, input);
  if (parts.length === 0 && counter.failure() !== undefined) {
    reasons.length = `the tokens could not be counted (${counter.failure()})`;
  }
  return {
    ...parts,
    total: PART_NAMES.reduce((sum, name) => sum + parts[name], 0),
    transition,
    first,
    second,
    faults: relevantFaults(response, config),
    lengths: isFinite(scored.lengths) ? scored.lengths : null,
    reasons,
    guards,
  };
}

/** A second answer that repeats the first, as most do, is not compared again. */
function secondVerdict(
  { first, second }: Response,
  problem: Parameters<typeof judge>[1],
  verdict: Verdict,
): Verdict | null {
  if (second.answer === null) return null;
  return second.answer === first.answer ? { ...verdict } : judge(second.answer, problem);
}

function isFinite(lengths: LengthTerms | null): boolean {
  return Object.values(lengths ?? {}).every(Number.isFinite);
}

/** A tokenizer that chokes on a text must cost that text its length reward, not the run. */
function safeCounter(tokenCount: (text: string) => number): {
  count: (text: string) => number;
  failure: () => string | undefined;
} {
  let failure: string | undefined;
  return {
    count: (text) => {
      try {
        return tokenCount(text);
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
        return NaN;
      }
    },
    failure: () => failure,
  };
}
