/** `srpo equal`: whether predictions are the gold answer, and which rule decided. */
import { Command, Option } from "commander";
import { fault } from "../engine/errors";
import { optionalText, textField, type Row } from "../engine/rows";
import { compareAnswers, equalityRules, type RuleOptions } from "../reflection/answers/rules";
import { mapRows } from "./io";

export const command = new Command("equal")
  .description("Compares answers. Rows {gold, prediction, config?} give {equal, rule}.")
  .requiredOption("--in <file>", "JSON lines, or - for stdin")
  .addOption(
    new Option("--rules <name>", "whose equality; config holds its options")
      .choices(Object.keys(equalityRules))
      .default("lab"),
  )
  .addHelpText(
    "after",
    `
Options of the rules, for config:
${Object.entries(equalityRules)
  .map(([name, { options }]) => `  ${name.padEnd(14)}${options.join(", ") || "none"}`)
  .join("\n")}

Examples:
  echo '{"gold":"1/2","prediction":"0.5"}' | npx srpo equal --in -
  echo '{"gold":"$x>1$","prediction":"so $(1,\\\\infty)$"}' | npx srpo equal --in - --rules math-verify`,
  )
  .action(async ({ in: path, rules }: { in: string; rules: string }) => {
    await mapRows(path, (row) =>
      compareAnswers(
        rules,
        textField(row, "gold"),
        optionalText(row, "prediction") ?? null,
        optionsOf(row),
      ),
    );
  });

function optionsOf({ config }: Row): RuleOptions {
  if (config === undefined || config === null) return {};
  if (typeof config === "object" && !Array.isArray(config)) return config as RuleOptions;
  throw fault("row", "config is no object", { got: config });
}
