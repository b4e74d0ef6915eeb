/** Supervised fine-tuning: tokens a second against the batch. */
import { apart } from "../apart";
import { spreadOf, type Spread } from "../spread";
import { curve, type BenchPart, type BenchRow } from "./part";

const BATCHES = [8, 16, 32, 64];
const STEPS = 8;

export const sft: BenchPart = {
  name: "sft",
  title: "SFT tokens a second",
  about:
    "Whole optimiser steps of the SFT trainer: the embedded policy on its own problems with worked solutions. Tokens are " +
    "prompts' (the picture's included) and completions'; features of pictures are cached, as from the second epoch on.",
  measure: async ({ threads, onProgress }) => {
    const rows: BenchRow[] = [];
    const rates: Spread[] = [];
    for (const batch of BATCHES) {
      onProgress(`batch ${batch}`);
      const { result, peak_mb } = await apart("sftSteps", { batch, steps: STEPS }, threads);
      const rate = spreadOf(result, ({ s, tokens }) => tokens / s);
      rates.push(rate);
      rows.push({ batch, step_s: spreadOf(result, ({ s }) => s), tok_per_s: rate, peak_mb });
    }
    return {
      rows,
      figures: [
        {
          title: "SFT",
          subtitle: `medians of ${STEPS} steps, smallest to largest`,
          x: { title: "examples an update", min: 0 },
          y: { title: "tokens a second", min: 0 },
          lines: [curve("embedded policy", BATCHES, rates)],
        },
      ],
      findings: [],
    };
  },
};
