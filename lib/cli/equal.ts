/** `srpo equal`: whether predictions are the gold answer, and which rule decided. */
import { Command, Option } from "commander";
import { fault } from "../engine/errors";
import { goldOf } from "../reflection/answer-type";
import { judge } from "../reflection/equality";
import { mapRows, optionalText, textField, type Row } from "./io";

/** One entry a rule set: what a row means under it. `lab` is what rewards and verdicts use. */
const ruleSets: Readonly<Record<string, (row: Row) => { equal: boolean; rule: string }>> = {
  lab: (row) => {
    const config = row.config ?? {};
    if (typeof config !== "object" || Object.keys(config).length > 0) {
      throw fault("equal", "the rules lab have no options", { got: config, try: "no config" });
    }
    const gold = goldOf(textField(row, "gold"));
    const { correct, rule } = judge(optionalText(row, "prediction") ?? null, gold);
    return { equal: correct, rule };
  },
};

export const command = new Command("equal")
  .description("Compares answers. Rows {gold, prediction, config?} give {equal, rule}.")
  .requiredOption("--in <file>", "JSON lines, or - for stdin")
  .addOption(
    new Option("--rules <name>", "whose equality; config holds its options")
      .choices(Object.keys(ruleSets))
      .default("lab"),
  )
  .addHelpText(
    "after",
    `
Example:
  echo '{"gold":"1/2","prediction":"0.5"}' | npx srpo equal --in -`,
  )
  .action(async ({ in: path, rules }: { in: string; rules: string }) => {
    await mapRows(path, ruleSets[rules]);
  });
