/** `srpo reward`: the method's reward of responses, with its parts and what they were computed from. */
import { Command, Option } from "commander";
import { optionalText, type Row } from "../engine/rows";
import { basePolicyFolder } from "../paths";
import { loadTokenizer, type Tokenizer } from "../policy/tokenizer";
import { guards, withGuards } from "../reflection/guards";
import {
  rewardConfig,
  rewardPresets,
  type RewardConfig,
  type RewardPreset,
} from "../reflection/reward-config";
import { scoreRow } from "../reflection/reward-row";
import { mapRows, UsageError } from "./io";

interface Options {
  in: string;
  preset: RewardPreset;
  guard?: string[];
  explain?: boolean;
}

export const command = new Command("reward")
  .description(
    "Scores responses. Rows {response, gold, question_type?, choices?, truncated?, tokenizer?} give {format, accuracy, " +
      "efficacy, reflection_format, length, total, transition, first, second, faults}.",
  )
  .requiredOption("--in <file>", "JSON lines, or - for stdin")
  .addOption(
    new Option("--preset <name>", "what is paid")
      .choices(Object.keys(rewardPresets))
      .default("paper"),
  )
  .option(
    "--guard <names...>",
    `what is not paid: ${Object.keys(guards).join(", ")} or all; padding=48 and sandbagging=0.4 take a number`,
  )
  .option("--explain", "adds reasons, guards and lengths to each row")
  .addHelpText(
    "after",
    `
first_accuracy in a row tells the guard sandbagging how many first answers are right lately.
question_type is multi_choice or free_form; without it, choices or a lone letter make a choice.
tokenizer is a folder with tokenizer.json; tokens are the embedded policy's unless a row names one.

Example:
  echo '{"response":"<think>3+4=7</think><answer>7</answer>","gold":"7"}' | npx srpo reward --in - --preset task-only`,
  )
  .action(async ({ in: path, preset, guard = [], explain = false }: Options) => {
    const config = guardedConfig(preset, guard);
    const tokenizers = createTokenizerCache();
    await mapRows(path, (row) => rewardRow(row, config, tokenizers, explain));
  });

/** @throws UsageError naming a guard that there is not */
export function guardedConfig(preset: RewardPreset, names: readonly string[]): RewardConfig {
  try {
    return withGuards(
      rewardConfig(preset),
      names.flatMap((text) => text.split(",")),
    );
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function rewardRow(
  row: Row,
  config: RewardConfig,
  tokenizerOf: (folder: string) => Tokenizer,
  explain: boolean,
) {
  const { countTokens } = tokenizerOf(optionalText(row, "tokenizer") ?? basePolicyFolder);
  const reward = scoreRow(row, { config, countTokens });
  const { format, accuracy, efficacy, reflection_format, length, total } = reward;
  const { transition, first, second, faults, reasons, guards: fired, lengths } = reward;
  return {
    ...{ format, accuracy, efficacy, reflection_format, length, total },
    ...{ transition, first, second, faults },
    ...(explain ? { reasons, guards: fired, lengths } : {}),
  };
}

/** Each folder is read once, whether it holds a tokenizer or not. */
function createTokenizerCache(): (folder: string) => Tokenizer {
  const known = new Map<string, Tokenizer | Error>();
  return (folder) => {
    let found = known.get(folder);
    if (found === undefined) {
      try {
        found = loadTokenizer(folder);
      } catch (error) {
        found = error as Error;
      }
      known.set(folder, found);
    }
    if (found instanceof Error) throw found;
    return found;
  };
}
