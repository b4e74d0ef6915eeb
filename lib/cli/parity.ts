/** `srpo parity`: the policy against what `transformers` computed on the same checkpoint. */
import { Command } from "commander";
import { loadPolicy } from "../policy/checkpoint";
import { checkParity, readParityCases } from "../policy/parity";
import { startEngine } from "./engine";
import { Unsuccessful, writeRow } from "./io";

/** float32 sums in another order stay far below these; a wrong rotation or mask is far above. */
const TOLERANCE = { logit: 2e-3, logprob: 1e-3 };

export const command = new Command("parity")
  .description("Compares a checkpoint's numbers with those of transformers, case by case.")
  .requiredOption("--checkpoint <dir>", "Hugging Face layout")
  .requiredOption("--cases <file>", "JSON list of cases")
  .addHelpText(
    "after",
    `
A line a case: {maxAbsLogit, maxAbsLogprob, greedyEqual}. Fails when logits differ by more than ${TOLERANCE.logit},
log-probabilities by more than ${TOLERANCE.logprob}, or a greedy token.

Example:
  npx srpo parity --checkpoint test/fixtures/policy/checkpoint --cases test/fixtures/policy/case.json`,
  )
  .action(async ({ checkpoint, cases: path }: { checkpoint: string; cases: string }) => {
    const cases = readParityCases(path);
    await startEngine();
    const policy = loadPolicy(checkpoint);
    let different = 0;
    try {
      for (const example of cases) {
        const result = await checkParity(policy, example);
        await writeRow(result);
        const { maxAbsLogit, maxAbsLogprob, greedyEqual } = result;
        // Written so that a NaN counts as different.
        const near = maxAbsLogit <= TOLERANCE.logit && maxAbsLogprob <= TOLERANCE.logprob;
        if (!near || !greedyEqual) different++;
      }
    } finally {
      policy.weights.dispose();
    }
    if (different > 0) {
      throw new Unsuccessful(`${different} of ${cases.length} cases differ from transformers.`);
    }
  });
