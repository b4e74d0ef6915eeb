/** ONNX Runtime against tfjs. */
import { apart } from "../apart";
import { spread } from "../spread";
import type { BenchPart } from "./part";

const BATCHES = [1, 64];
const REPEATS = 5;

export const onnx: BenchPart = {
  name: "onnx",
  title: "ONNX Runtime against tfjs",
  about:
    "Greedy completions of at most 64 tokens by the embedded policy on its own problems, prefill included, pictures through " +
    "the tower before; the engines take turns in one process on as many threads. times_tfjs compares the fastest rounds.",
  measure: async ({ threads, onProgress }) => {
    onProgress(`batches of ${BATCHES.join(" and ")}`);
    const work = { batches: BATCHES, newTokens: 64, repeats: REPEATS };
    const { result } = await apart("onnxDecode", work, threads);
    const engines = [...new Set(result.map(({ engine }) => engine))];
    return {
      rows: result.map(({ engine, batch, seconds, tokens, times_tfjs }) => ({
        ...{ engine, batch, s: spread(seconds) },
        tok_per_s: spread(seconds.map((s) => tokens / s)),
        times_tfjs,
      })),
      figures: [
        {
          title: "ONNX Runtime against tfjs",
          subtitle: `medians of ${REPEATS} rounds`,
          x: { title: "rows at once" },
          y: { title: "tokens a second", min: 0 },
          bars: {
            groups: BATCHES.map((batch) => `batch ${batch}`),
            series: engines.map((name) => {
              const own = result.filter(({ engine }) => engine === name);
              const rates = own.map(({ seconds, tokens }) =>
                spread(seconds.map((s) => tokens / s)),
              );
              return { name, values: rates.map(({ median }) => median) };
            }),
          },
        },
      ],
      findings: [],
    };
  },
};
