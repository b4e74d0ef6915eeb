/** The update's share of the matrix-product rate, by width. */
import { apart } from "../apart";
import { spreadOf } from "../spread";
import { curve, type BenchPart } from "./part";

const WIDTHS = [64, 128, 256, 384];
/** Where the share is promised, and gradient checkpointing measured. */
const PROMISED = 256;
const REPEATS = 5;

export const update: BenchPart = {
  name: "update",
  title: "The update: model FLOP utilisation",
  about:
    "Forward, backward and AdamW of 64 completions of 96 tokens in groups of 8 after prompts of 32, 4 layers, nothing taken " +
    "from a rollout. Operations are counted as in PaLM's appendix B, attended pairs exactly; mfu is their rate over that of " +
    "products of 1024 × 1024 matrices in the same process, the best of ten; work_mb is the peak less what the engine takes.",
  measure: async ({ threads, onProgress }) => {
    const measured = [];
    for (const hidden of WIDTHS) {
      onProgress(`width ${hidden}`);
      measured.push(await updateAt(hidden, false, threads));
    }
    onProgress(`width ${PROMISED}, gradient checkpointing`);
    const again = await updateAt(PROMISED, true, threads);
    const rows = [...measured, again];
    const shares = measured.map(({ mfu }) => mfu);
    const whole = measured[WIDTHS.indexOf(PROMISED)];
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
      findings: [
        `At width ${PROMISED} the update reaches ${percent(whole.mfu.median)} of the product rate.`,
        `Gradient checkpointing there: the work's memory falls from ${whole.work_mb.toFixed(0)} to ` +
          `${again.work_mb.toFixed(0)} MB for ${(again.update_s.median / whole.update_s.median).toFixed(2)} times the time.`,
      ],
    };
  },
};

/** A row of the table. */
async function updateAt(hidden: number, checkpointing: boolean, threads: number | undefined) {
  const work = { layers: 4, prompts: 8, group: 8, promptTokens: 32, newTokens: 96 };
  const { result, peak_mb, before_mb } = await apart(
    "measureUpdate",
    { ...work, hidden, repeats: REPEATS, gradientCheckpointing: checkpointing },
    threads,
  );
  const { updates, flops, tokens, product_gflops } = result;
  return {
    width: hidden,
    checkpointing: checkpointing ? "yes" : "no",
    update_s: spreadOf(updates, ({ s }) => s),
    adamw_s: spreadOf(updates, ({ adamw_s }) => adamw_s),
    tok_per_s: spreadOf(updates, ({ s }) => tokens / s),
    gflop: flops / 1e9,
    gflop_per_s: spreadOf(updates, ({ s }) => flops / s / 1e9),
    product_gflop_per_s: product_gflops,
    mfu: spreadOf(updates, ({ s }) => flops / s / (product_gflops * 1e9)),
    peak_mb,
    work_mb: peak_mb - before_mb,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
