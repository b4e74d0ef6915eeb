/** `srpo sft`: Stage I's second half, supervised fine-tuning. */
import { Option } from "commander";
import { FINETUNE_KINDS, type FinetuneKind } from "../stages/finetune";
import { runFinetuning } from "../stages/pipeline";
import { writeRow } from "./io";
import { openPipeline, specOf, trainingCommand, stageRow, type StageOptions } from "./stage";

type Options = StageOptions & { kind: FinetuneKind };

export const command = trainingCommand("sft")
  .description(
    "Fine-tunes the policy on the data of the same spec, which it constructs if need be.",
  )
  .addOption(
    new Option(
      "--kind <kind>",
      "what is learned: reflections, or a control made of the same samples",
    )
      .choices(Object.keys(FINETUNE_KINDS))
      .default("reflection"),
  )
  .addHelpText("after", "\nExample:\n  npx srpo sft --set sft.learningRate=1e-4 --set sft.epochs=2")
  .action(async (options: Options) => {
    const pipeline = openPipeline(specOf(options), options.policy);
    const result = await runFinetuning(pipeline, options.kind, {
      force: options.force,
      anyMemory: options.anyMemory,
    });
    await writeRow({ ...stageRow("sft", result), policy: result.policy.folder });
  });
