/** What the parts of `srpo paper-mini` share: which experiment is meant. */
import { InvalidArgumentError, type Command } from "commander";
import type { SpecChanges } from "../config";
import { openGrid, type Grid } from "../grid/grid";
import { seeds, variants } from "../grid/variants";
import { basePolicyFolder } from "../paths";
import { UsageError } from "./io";
import { specCommand, specOf, type SpecOptions } from "./stage";

export interface GridOptions extends SpecOptions {
  policy: string;
  seeds: number[];
  variants?: string[];
}

/** A command with the options that name an experiment. */
export function gridCommand(name: string): Command {
  return specCommand(name, { force: false })
    .option(
      "--policy <dir>",
      "checkpoint folder that all variants start from (default: the embedded policy)",
      basePolicyFolder,
    )
    .option("--seeds <list>", "seeds, with commas between them", wholeNumbers, [...seeds])
    .option(
      "--variants <list>",
      `only these and what they start from, of ${variants.map(({ name: one }) => one).join(", ")}`,
      (text: string) => text.split(","),
    );
}

function wholeNumbers(text: string): number[] {
  const numbers = text.split(",").map(Number);
  if (numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) return numbers;
  throw new InvalidArgumentError("Write whole numbers with commas between them, e.g. 1,2,3.");
}

/** @throws UsageError when the experiment cannot be */
export function gridOf({ preset = "paper-mini", set, policy, ...options }: GridOptions): Grid {
  const spec = specOf({ preset, set });
  const request = { ...options, preset: spec.preset, changes: set as SpecChanges };
  try {
    return openGrid(request, policy);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
