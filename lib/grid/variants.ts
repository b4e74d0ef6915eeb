/**
 * What the experiment `paper-mini` compares, as data: each variant is a start, a reward, and changes to the preset's spec.
 * The order is that of importance: what stands first is trained first, so that a night that ends early has the main claims.
 */
import type { SpecChanges } from "../config";
import { fault } from "../engine/errors";
import { guardChanges } from "../reflection/guards";
import type { RewardPreset } from "../reflection/reward-config";
import type { FinetuneKind } from "../stages/finetune";

/** The policy that a variant's reinforcement starts from; without reinforcement, the variant itself. */
export interface VariantStart {
  /** How the base is fine-tuned first; `base` is not at all. */
  kind: FinetuneKind | "base";
  /** Share of the SFT samples. */
  share?: number;
}

export interface Variant {
  /** Names it in files and on the command line. */
  name: string;
  /** In tables and figures. */
  title: string;
  start: VariantStart;
  /** Absent where there is no reinforcement. */
  reward?: RewardPreset;
  /** To the preset's spec: for the stages of this variant alone. */
  changes?: SpecChanges;
  /** Sets the guard `sandbagging`'s baseline to the accuracy of the base's attempts on the SFT problems. */
  holdsFirstAnswers?: true;
}

/** Reinforcement from the reflection SFT under the paper's reward; the ablations change one thing of it. */
const srpo = { start: { kind: "reflection" }, reward: "paper" } as const;

const half: VariantStart = { kind: "reflection", share: 0.5 };
const quarter: VariantStart = { kind: "reflection", share: 0.25 };

/**
 * The variants of the paper's Figure 1 and Tables 3 to 6, the controls that it does not have, and three rewards that are
 * broken on purpose with the guard that stops each.
 */
export const variants: readonly Variant[] = [
  { name: "base", title: "base", start: { kind: "base" } },
  { name: "sft", title: "reflection SFT", start: { kind: "reflection" } },
  { name: "steps-sft", title: "careful-steps SFT", start: { kind: "steps-cot" } },
  { name: "grpo", title: "GRPO", start: { kind: "base" }, reward: "task-only" },
  { name: "srpo", title: "SRPO", ...srpo },
  {
    name: "steps-grpo",
    title: "careful steps + GRPO",
    start: { kind: "steps-cot" },
    reward: "task-only",
  },
  { name: "checked-sft", title: "SFT on careful, checked steps", start: { kind: "checked-cot" } },
  {
    name: "checked-grpo",
    title: "SFT on careful, checked steps + GRPO",
    start: { kind: "checked-cot" },
    reward: "task-only",
  },
  { name: "plain-sft", title: "plain-CoT SFT", start: { kind: "plain-cot" } },
  {
    name: "no-sft",
    title: "SRPO without reflection SFT",
    start: { kind: "base" },
    reward: "paper",
  },
  {
    name: "no-reflection-reward",
    title: "SRPO without reflection reward",
    start: { kind: "reflection" },
    reward: "no-reflection-reward",
  },
  { name: "no-length", title: "SRPO without f_len", ...srpo, reward: "no-length" },
  { name: "no-effectiveness", title: "SRPO without I_eff", ...srpo, reward: "no-effectiveness" },
  {
    name: "no-reflection-format",
    title: "SRPO without I_ref",
    ...srpo,
    reward: "no-reflection-format",
  },
  // f_len with the guards against it: a floor under the first solution's length, and nothing for rubbish of the right length.
  {
    name: "length-floor",
    title: "SRPO with a floor under f_len",
    ...srpo,
    changes: { reward: guardChanges(["padding=48", "length-gate"]) },
  },
  {
    name: "published-table",
    title: "the published code's table",
    ...srpo,
    reward: "official-intended",
  },
  {
    name: "published-table-guarded",
    title: "the same, first answers held",
    ...srpo,
    reward: "official-intended",
    holdsFirstAnswers: true,
  },
  {
    name: "presence-only",
    title: "a bonus for presence only",
    ...srpo,
    reward: "no-effectiveness",
    changes: { reward: { alpha: 0 } },
  },
  {
    name: "presence-only-guarded",
    title: "the same, paid only with working",
    ...srpo,
    reward: "no-effectiveness",
    changes: { reward: { alpha: 0, ...guardChanges(["no-working"]) } },
  },
  { name: "two-step-sft", title: "two-step SFT", start: { kind: "two-step" } },
  {
    name: "two-step-grpo",
    title: "two-step GRPO",
    start: { kind: "two-step" },
    reward: "two-step",
  },
  {
    name: "published-code",
    title: "the published code's reward",
    ...srpo,
    reward: "official-code",
  },
  { name: "alpha-0.05", title: "SRPO, α = 0.05", ...srpo, changes: { reward: { alpha: 0.05 } } },
  { name: "alpha-0.3", title: "SRPO, α = 0.3", ...srpo, changes: { reward: { alpha: 0.3 } } },
  { name: "half-sft", title: "reflection SFT, half the data", start: half },
  { name: "half-srpo", title: "SRPO, half the SFT data", ...srpo, start: half },
  { name: "quarter-sft", title: "reflection SFT, a quarter of the data", start: quarter },
  { name: "quarter-srpo", title: "SRPO, a quarter of the SFT data", ...srpo, start: quarter },
];

/** The seeds that every variant is trained with. */
export const seeds: readonly number[] = [1, 2, 3];

/** @throws LabError naming the variants that there are */
export function variantByName(name: string): Variant {
  const found = variants.find((variant) => variant.name === name);
  if (found !== undefined) return found;
  throw fault("variantByName", "there is no such variant", {
    got: name,
    expected: `one of ${variants.map((variant) => variant.name).join(", ")}`,
  });
}
