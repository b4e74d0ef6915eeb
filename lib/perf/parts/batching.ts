/** Whether it would pay to give free rows of a batch to new prompts. */
import { apart } from "../apart";
import { spread } from "../spread";
import type { BenchPart } from "./part";

const PROBLEMS = 512;
const BATCHES = [32, 64, 128, 256, 512];

export const batching: BenchPart = {
  name: "batching",
  title: "What continuous batching could win",
  about:
    `One completion at temperature 1 of each of ${PROBLEMS} test problems by the embedded policy, in batches. Rows that have ended leave ` +
    "at once (occupancy: tokens over rows times steps, if they did not). All at once takes the fewest steps: refilling free rows " +
    "of a smaller batch takes more, and cannot win more than the difference.",
  measure: async ({ threads, onProgress }) => {
    onProgress(`${PROBLEMS} problems in batches of ${BATCHES.join(", ")}`);
    const { result } = await apart(
      "measureBatches",
      { problems: PROBLEMS, batches: BATCHES, newTokens: 144, repeats: 3 },
      threads,
    );
    return {
      rows: result.map(({ batch, tokens, steps, seconds, cpu_s }) => ({
        ...{ batch, tokens, steps, occupancy: tokens / (batch * steps) },
        ...{ s: spread(seconds), cpu_s: spread(cpu_s) },
      })),
      figures: [],
      findings: [],
    };
  },
};
