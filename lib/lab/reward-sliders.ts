/** One saved group under other weights: sliders for the reward's parts and α, and the advantages that they lead to. */
import type { RewardConfig } from "../reflection/reward-config";
import { PART_NAMES, type RewardParts } from "../reflection/reward-parts";
import { scoreResponse } from "../reflection/rewards";
import { parseResponse } from "../reflection/template";
import { batchAdvantages } from "../train/advantages";
import type { AdvantageConfig } from "../train/objective";
import type { RolloutRow } from "../train/rollouts";
import type { Problem, Transition } from "../types";
import { describeFigure, type Figure } from "./chart";
import { currentSurface, display, jupyterDisplay, type Surface } from "./display";
import { renderPng } from "./figure";
import { SLIDERS_CSS, SLIDERS_ESM } from "./reward-sliders-page";
import { renderSvg } from "./svg-chart";
import { currentWidgets, type Widgets } from "./widgets";

/** What a group is scored with. */
export interface GroupScoring {
  problem: Pick<Problem, "answer" | "answerType" | "choices">;
  reward: RewardConfig;
  advantages: AdvantageConfig;
  /** Tokens of a text, by the policy's tokenizer. */
  countTokens: (text: string) => number;
}

/** One response of the group, scored anew. */
export interface Rescored {
  transition: Transition | null;
  parts: RewardParts;
  total: number;
  advantage: number;
}

/** The advantages of a group of logged responses under a reward, as training computes them. */
export function rescoreGroup(
  texts: readonly Pick<RolloutRow, "text" | "truncated">[],
  { problem, reward: config, advantages, countTokens: tokenCount }: GroupScoring,
): Rescored[] {
  const scored = texts.map(({ text, truncated }) => {
    const response = parseResponse(text, { truncated });
    return scoreResponse({ response, problem, config, tokenCount });
  });
  const parts = scored.map((reward) => PART_NAMES.map((part) => reward[part]));
  const [values] = batchAdvantages([parts], advantages);
  return scored.map((reward, i) => {
    const { transition, total, format, accuracy, efficacy, reflection_format, length } = reward;
    const parts = { format, accuracy, efficacy, reflection_format, length };
    return { transition, parts, total, advantage: values[i] };
  });
}

interface Weight {
  name: string;
  label: string;
  min: number;
  max: number;
  get(config: RewardConfig): number;
  /** The configuration with this weight. */
  set(config: RewardConfig, value: number): RewardConfig;
}

const efficacy = (transition: Transition): Weight => ({
  ...{ name: transition, label: `I_eff of ${transition}`, min: -1, max: 1 },
  get: ({ effectiveness }) => effectiveness[transition],
  set: (config, value) => ({
    ...config,
    effectiveness: { ...config.effectiveness, [transition]: value },
  }),
});

type PlainWeight = "formatWeight" | "accuracyWeight" | "reflectionFormat" | "alpha";
const plain = (name: PlainWeight, label: string): Weight => ({
  ...{ name, label, min: 0, max: 1 },
  get: (config) => config[name],
  set: (config, value) => ({ ...config, [name]: value }),
});

const WEIGHTS: readonly Weight[] = [
  plain("formatWeight", "R_format"),
  plain("accuracyWeight", "R_accuracy"),
  ...(["RR", "WR", "RW", "WW"] as const).map(efficacy),
  plain("reflectionFormat", "I_ref"),
  plain("alpha", "α"),
];

/** Where the sliders stand. */
export type WeightValues = Readonly<Record<string, number>>;

/** The values of the configuration's weights, by the sliders' names. */
export function weightsOf(config: RewardConfig): WeightValues {
  return Object.fromEntries(WEIGHTS.map(({ name, get }) => [name, get(config)]));
}

/** The configuration with other weights; a name that is no slider's, and what is no number, is left out. */
export function withWeights(config: RewardConfig, values: WeightValues): RewardConfig {
  return WEIGHTS.reduce((made, { name, min, max, set }) => {
    const value = values[name];
    if (!Number.isFinite(value)) return made;
    return set(made, Math.min(max, Math.max(min, value)));
  }, config);
}

/**
 * A group's advantages as bars: as they were trained on, and under the weights that were chosen.
 * @param changes what was chosen, in words
 */
export function groupFigure(
  trained: readonly Rescored[],
  chosen: readonly Rescored[],
  changes: readonly string[],
): Figure {
  const rewards = chosen.map(({ total }) => total.toFixed(2)).join("  ");
  return {
    title: "Advantages of one group",
    subtitle: `${changes.length === 0 ? "all weights as trained" : changes.join(", ")}; rewards ${rewards}`,
    x: { title: "" },
    y: { title: "advantage" },
    bars: {
      groups: trained.map(({ transition }, i) => `${i + 1} ${transition ?? "one answer"}`),
      series: [
        { name: "as trained", values: trained.map(({ advantage }) => advantage) },
        { name: "with these weights", values: chosen.map(({ advantage }) => advantage) },
      ],
    },
    width: 900,
    height: 300,
  };
}

/** What page and cell know of the sliders. */
interface SlidersState {
  sliders: { name: string; label: string; min: number; max: number; trained: number }[];
  values: WeightValues;
  /** The figure, drawn here. */
  svg: string;
  /** The same in words. */
  text: string;
}

/**
 * Shows a group's advantages with a slider for each weight of the reward: what is dragged scores the group anew and draws
 * its advantages. Where there are no widgets it is a picture, and so it is in a saved notebook.
 * @param rows responses to one problem, as `readRollouts` gives them
 * @param scoring.start where sliders stand at first, by their names (`alpha`, `WR`, …); the others stand as trained
 */
export async function showRewardSliders(
  rows: readonly Pick<RolloutRow, "text" | "truncated">[],
  scoring: GroupScoring & { start?: WeightValues; surface?: Surface; widgets?: Widgets },
): Promise<void> {
  const { reward, start = {}, surface = currentSurface(), widgets = currentWidgets() } = scoring;
  const trained = rescoreGroup(rows, scoring);
  const figureOf = (values: WeightValues): Figure => {
    const chosen = withWeights(reward, values);
    const changes = WEIGHTS.filter(({ get }) => get(chosen) !== get(reward)).map(
      ({ label, get }) => `${label} ${get(chosen).toFixed(2)}`,
    );
    return groupFigure(trained, rescoreGroup(rows, { ...scoring, reward: chosen }), changes);
  };
  const draw = (values: WeightValues): Pick<SlidersState, "svg" | "text"> => {
    const figure = figureOf(values);
    return { svg: renderSvg(figure), text: describeFigure(figure) };
  };
  const values = weightsOf(withWeights(reward, start));
  const picture = await renderPng(figureOf(values));
  const bundle = { "image/png": picture.toString("base64"), "text/plain": draw(values).text };
  if (widgets === undefined || surface.kind === "terminal") return display(bundle, { surface });

  const sliders = WEIGHTS.map(({ name, label, min, max }) => ({
    ...{ name, label, min, max },
    trained: weightsOf(reward)[name],
  }));
  const widget = widgets.anywidget<SlidersState>({
    esm: SLIDERS_ESM,
    css: SLIDERS_CSS,
    state: { sliders, values, ...draw(values) },
    text: ({ text }) => text,
  });
  // While a slider is dragged its values come faster than they are drawn: only the last of those that wait counts.
  let wanted: WeightValues | undefined;
  widget.onChange((changes, state) => {
    if (changes.values === undefined) return;
    if (wanted === undefined) {
      setImmediate(() => {
        const values = wanted ?? {};
        wanted = undefined;
        widget.set(draw(values));
      });
    }
    wanted = state.values;
  });
  await display({ ...widget[jupyterDisplay](), ...bundle }, { surface });
}
