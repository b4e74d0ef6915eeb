/** The update's share of the matrix-product rate, by width. */
import { apart } from "../apart";
import { spreadOf, type Spread } from "../spread";
import { curve, type BenchPart, type BenchRow } from "./part";

const WIDTHS = [64, 128, 256, 384];
const REPEATS = 5;

export const update: BenchPart = {
  name: "update",
  title: "The update: model FLOP utilisation",
  about:
    "Forward, backward and AdamW of 64 completions of 96 tokens in groups of 8 after prompts of 32, 4 layers, nothing taken " +
    "from a rollout. Operations are counted as in PaLM's appendix B, attended pairs exactly; mfu is their rate over that of " +
    "products of 1024 × 1024 matrices in the same process, the best of ten.",
  measure: async ({ threads, onProgress }) => {
    const rows: BenchRow[] = [];
    const shares: Spread[] = [];
    for (const hidden of WIDTHS) {
      onProgress(`width ${hidden}`);
      const { result, peak_mb } = await apart(
        "measureUpdate",
        {
          ...{ hidden, layers: 4, prompts: 8, group: 8, promptTokens: 32, newTokens: 96 },
          repeats: REPEATS,
        },
        threads,
      );
      const { updates, flops, tokens, product_gflops } = result;
      const mfu = spreadOf(updates, ({ s }) => flops / s / (product_gflops * 1e9));
      shares.push(mfu);
      rows.push({
        width: hidden,
        update_s: spreadOf(updates, ({ s }) => s),
        adamw_s: spreadOf(updates, ({ adamw_s }) => adamw_s),
        tok_per_s: spreadOf(updates, ({ s }) => tokens / s),
        gflop: flops / 1e9,
        gflop_per_s: spreadOf(updates, ({ s }) => flops / s / 1e9),
        product_gflop_per_s: product_gflops,
        mfu,
        peak_mb,
      });
    }
    const at256 = shares[WIDTHS.indexOf(256)];
    return {
      rows,
      figures: [
        {
          title: "Model FLOP utilisation of the update",
          subtitle: `medians of ${REPEATS} updates, smallest to largest`,
          x: { title: "width" },
          y: { title: "share of the product rate", min: 0, max: 1, format: "percent" },
          lines: [curve("update", WIDTHS, shares)],
          references: [{ axis: "y", at: 0.45, label: "45 %" }],
        },
      ],
      findings: [`At width 256 the update reaches ${percent(at256.median)} of the product rate.`],
    };
  },
};

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
