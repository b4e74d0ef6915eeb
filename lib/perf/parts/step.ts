/** A GRPO step and its phases. */
import { apart, type Apart } from "../apart";
import type { StepTimes } from "../grpo";
import { spreadOf } from "../spread";
import type { BenchPart, BenchRow } from "./part";

const PHASES = ["rollout_s", "reward_s", "update_s"] as const;
const STEPS = 8;

export const step: BenchPart = {
  name: "step",
  title: "A GRPO step by phase",
  about:
    "128 rollouts. text: random weights, width 128, 4 layers, 96 tokens after prompts of 32. pictures: the embedded policy on " +
    "its own problems, 16 groups of 8, completions end where the policy ends them. One optimiser step a batch, float32.",
  measure: async ({ threads, onProgress }) => {
    onProgress("text");
    const common = { prompts: 16, group: 8, steps: STEPS };
    const text = await apart(
      "syntheticSteps",
      { ...common, newTokens: 96, promptTokens: 32, hidden: 128, layers: 4 },
      threads,
    );
    onProgress("pictures");
    const pictures = await apart("pictureSteps", { ...common, newTokens: 144 }, threads);
    const works = { text, pictures };
    return {
      rows: Object.entries(works).map(([work, measured]) => rowOf(work, measured)),
      figures: [
        {
          title: "A GRPO step by phase",
          subtitle: `medians of ${STEPS} steps, smallest to largest`,
          x: { title: "work" },
          y: { title: "seconds", min: 0 },
          bars: {
            groups: Object.keys(works),
            series: PHASES.map((phase) => {
              const spreads = Object.values(works).map(({ result }) =>
                spreadOf(result, (one) => one[phase]),
              );
              return {
                name: phase.replace("_s", ""),
                values: spreads.map(({ median }) => median),
                low: spreads.map(({ low }) => low),
                high: spreads.map(({ high }) => high),
              };
            }),
          },
        },
      ],
      findings: [],
    };
  },
};

function rowOf(work: string, { result, peak_mb }: Apart<StepTimes[]>): BenchRow {
  return {
    work,
    step_s: spreadOf(result, ({ step_s }) => step_s),
    ...Object.fromEntries(PHASES.map((phase) => [phase, spreadOf(result, (one) => one[phase])])),
    tokens_per_step: spreadOf(result, ({ tokens }) => tokens),
    tok_per_s: spreadOf(result, ({ tokens, step_s }) => tokens / step_s),
    peak_mb,
  };
}
