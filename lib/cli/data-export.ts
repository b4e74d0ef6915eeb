/** `srpo data export`: samples as a folder that LLaMA-Factory trains from, with a data card. */
import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { shownPath } from "../paths";
import type { DropRow } from "../reflection/selection";
import { exportDataset } from "../stages/dataset";
import { samplesIn } from "./data-rows";
import { withInput, writeRow } from "./io";

interface ExportCommandOptions {
  in: string;
  out: string;
  title: string;
  style: "paper" | "reflect";
  report?: string;
}

export const exportCommand = new Command("export")
  .description("Writes samples as sharegpt with their pictures, dataset_info.json and a data card.")
  .requiredOption("--in <file>", "samples of srpo data reflect, or - for stdin")
  .requiredOption("--out <dir>", "the folder")
  .option("--title <words>", "of the data card", "Reflection samples")
  .addOption(
    new Option("--style <name>", "the system prompt: paper for large models, reflect for the lab's")
      .choices(["paper", "reflect"])
      .default("paper"),
  )
  .option("--report <file>", "what srpo data reflect --report wrote, for the card")
  .addHelpText("after", "\nExample:\n  npx srpo data export --in samples.jsonl --out dataset")
  .action(async ({ in: path, out, title, style, report }: ExportCommandOptions) => {
    const tables =
      report === undefined
        ? {}
        : (JSON.parse(readFileSync(report, "utf8")) as {
            dropped: DropRow[];
            rejected: DropRow[];
          });
    const { dropped, rejected } = tables as { dropped?: DropRow[]; rejected?: DropRow[] };
    const card = { title, style, dropped, rejected };
    const numbers = await withInput(path, async (file) =>
      exportDataset({ samples: samplesIn(file), folder: out, ...card }),
    );
    await writeRow({ out: shownPath(out), ...numbers });
  });
