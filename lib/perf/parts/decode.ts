/** Decoding: tokens a second against the batch. */
import { apart } from "../apart";
import { spreadOf, type Spread } from "../spread";
import { curve, type BenchPart, type BenchRow } from "./part";

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const REPEATS = 5;
/** Rows that share a prompt, where there are as many. */
const GROUP = 8;

export const decode: BenchPart = {
  name: "decode",
  title: "Decoding: tokens a second against the batch",
  about:
    "Random weights, width 128, 4 layers, 96 tokens after prompts of 32, prefill included, temperature 1. alone: every row " +
    `has a prompt of its own; groups: ${GROUP} rows share one.`,
  measure: async ({ threads, onProgress }) => {
    const rows: BenchRow[] = [];
    const lines = [];
    for (const [kind, size] of [["alone", 1] as const, ["groups", GROUP] as const]) {
      const batches = BATCHES.filter((batch) => batch >= size);
      const rates: Spread[] = [];
      for (const batch of batches) {
        onProgress(`${kind}, ${batch} rows`);
        const { result, peak_mb } = await apart(
          "decodeSeconds",
          {
            ...{ hidden: 128, layers: 4, promptTokens: 32, newTokens: 96, repeats: REPEATS },
            ...{ prompts: batch / size, group: size },
          },
          threads,
        );
        const rate = spreadOf(result, (s) => (batch * 96) / s);
        rates.push(rate);
        rows.push({
          prompts: kind,
          batch,
          s: spreadOf(result, (s) => s),
          tok_per_s: rate,
          peak_mb,
        });
      }
      lines.push(curve(kind, batches, rates));
    }
    return {
      rows,
      figures: [
        {
          title: "Decoding",
          subtitle: `medians of ${REPEATS} batches, smallest to largest`,
          x: { title: "rows at once", min: 0 },
          y: { title: "tokens a second", min: 0 },
          lines,
        },
      ],
      findings: [],
    };
  },
};
