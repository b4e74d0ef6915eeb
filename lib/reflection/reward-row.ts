/** The reward of a row of JSON: the form that `srpo reward` reads and that other programs send to the reward server. */
import {
  optionalFlag,
  optionalNumber,
  optionalText,
  optionalTexts,
  textField,
} from "../engine/rows";
import type { Row } from "../engine/rows";
import { goldOf } from "./answer-type";
import type { RewardConfig } from "./reward-config";
import { scoreResponse, type RewardBreakdown } from "./rewards";
import { parseResponse } from "./template";

/**
 * Scores a row `{response, gold, question_type?, choices?, truncated?, first_accuracy?}`.
 * @param countTokens by the policy's tokenizer, without special tokens
 * @throws LabError naming a field that is missing or of another type
 */
export function scoreRow(
  row: Row,
  { config, countTokens }: { config: RewardConfig; countTokens: (text: string) => number },
): RewardBreakdown {
  const gold = goldOf(
    textField(row, "gold"),
    optionalText(row, "question_type"),
    optionalTexts(row, "choices"),
  );
  return scoreResponse({
    response: parseResponse(textField(row, "response"), {
      truncated: optionalFlag(row, "truncated"),
    }),
    problem: gold,
    config,
    tokenCount: countTokens,
    firstAccuracy: optionalNumber(row, "first_accuracy"),
  });
}
