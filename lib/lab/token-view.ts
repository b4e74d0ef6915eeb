/** Shows one rollout token by token, coloured by what it is and by what the update did with it. */
import type { RolloutRow } from "../train/rollouts";
import { PALETTE } from "./chart";
import {
  display,
  displayable,
  escapeMarkup,
  type Displayable,
  type MimeBundle,
  type Surface,
} from "./display";
import type { LoggedRollout } from "./rollout-samples";
import { EDGE, FONT } from "./theme";
import { tokenCells, type ClipRule, type TokenCell, type TokenPart } from "./token-cells";

/**
 * What the colours say: `part` think, answer or reflection; `ratio` how much likelier the step's earlier updates had made
 * it; `clipping` where the loss stopped; `advantage` where the update pushed it.
 */
export type TokenColours = "part" | "ratio" | "clipping" | "advantage";

export interface TokenViewOptions {
  /** One view, or several below each other; `part` and `advantage` unless told otherwise. */
  by?: TokenColours | readonly TokenColours[];
}

/** Shows the tokens; in a terminal the parts as text and the tokens that stand out. */
export async function showTokens(
  row: LoggedRollout,
  options: TokenViewOptions & { surface?: Surface } = {},
): Promise<void> {
  await display(tokensBundle(row, options), { surface: options.surface });
}

/** The tokens as an object that a cell can end with. */
export function tokenView(row: LoggedRollout, options: TokenViewOptions = {}): Displayable {
  return displayable(() => tokensBundle(row, options));
}

/** The views as HTML and as text. */
export function tokensBundle(
  row: LoggedRollout,
  { by = ["part", "advantage"] }: TokenViewOptions = {},
): MimeBundle {
  const cells = tokenCells(row, row.rule);
  const views = (typeof by === "string" ? [by] : by).map((name) => VIEWS[name]);
  const head = headOf(row);
  const html = views.map(
    ({ title, legend, colour }) =>
      `<div style="margin:8px 0 2px"><b>${title}</b> ${legend(row.rule, row.advantage).map(swatch).join("")}</div>` +
      `<div style="white-space:pre-wrap;font-family:monospace;line-height:1.7">` +
      `${cells.map((cell, i) => tokenSpan(cell, i, colour(cell, row.rule))).join("")}</div>`,
  );
  return {
    "text/html":
      `<div style="font-family:${FONT};font-size:13px;border:1px solid ${EDGE};border-radius:6px;` +
      `padding:10px;max-width:980px">${escapeMarkup(head)}${html.join("")}</div>`,
    "text/plain": [head, ...views.map(({ title, words }) => `${title}: ${words(cells)}`)].join(
      "\n",
    ),
  };
}

interface Colour {
  name: string;
  colour: string;
}

interface View {
  title: string;
  legend: (rule: ClipRule, advantage: number) => Colour[];
  /** CSS colour behind the token; `undefined` for none. */
  colour: (cell: TokenCell, rule: ClipRule) => string | undefined;
  /** What the view shows, in words. */
  words: (cells: readonly TokenCell[]) => string;
}

const [BLUE, ORANGE, GREEN, PINK] = PALETTE;
const GREY = "#80808033";

const PART_COLOURS: Record<TokenPart, string | undefined> = {
  firstThink: shade(BLUE, 0.25),
  secondThink: shade(BLUE, 0.25),
  firstAnswer: shade(GREEN, 0.35),
  secondAnswer: shade(GREEN, 0.35),
  reflection: shade(PINK, 0.35),
  tag: undefined,
};

const PART_NAMES: Record<TokenPart, string> = {
  firstThink: "first think",
  firstAnswer: "first answer",
  reflection: "reflection",
  secondThink: "second think",
  secondAnswer: "second answer",
  tag: "tag",
};

const VIEWS: Record<TokenColours, View> = {
  part: {
    title: "parts",
    legend: () => [
      { name: "think", colour: shade(BLUE, 0.25) },
      { name: "answer", colour: shade(GREEN, 0.35) },
      { name: "reflection", colour: shade(PINK, 0.35) },
    ],
    colour: ({ part }) => PART_COLOURS[part],
    words: (cells) => stretches(cells).join(" "),
  },
  ratio: {
    title: "ratio",
    legend: ({ clipLow, clipHigh }) => [
      { name: `${round(1 - clipLow)} or less`, colour: shade(ORANGE, 0.7) },
      { name: `${round(1 + clipHigh)} or more`, colour: shade(BLUE, 0.7) },
    ],
    // Full colour at the ends of the clip's range, where the loss stops caring.
    colour: ({ ratio }, { clipLow, clipHigh }) =>
      ratio < 1
        ? shade(ORANGE, 0.7 * Math.min(1, (1 - ratio) / clipLow))
        : shade(BLUE, 0.7 * Math.min(1, (ratio - 1) / clipHigh)),
    words: (cells) => {
      const far = [...cells].sort((a, b) => distance(b) - distance(a)).slice(0, 5);
      return `farthest from 1: ${far.map(({ text, ratio }) => `${quoted(text)} ${round(ratio)}`).join(", ")}`;
    },
  },
  clipping: {
    title: "clipping",
    legend: ({ clipLow, clipHigh }) => [
      { name: `below ${round(1 - clipLow)}`, colour: shade(ORANGE, 0.7) },
      { name: `above ${round(1 + clipHigh)}`, colour: shade(BLUE, 0.7) },
    ],
    colour: ({ clipped }) =>
      clipped === null ? undefined : shade(clipped === "low" ? ORANGE : BLUE, 0.7),
    words: (cells) => {
      const count = (side: TokenCell["clipped"]): number =>
        cells.filter(({ clipped }) => clipped === side).length;
      return `${count("low")} below, ${count("high")} above, of ${cells.length} tokens`;
    },
  },
  advantage: {
    title: "advantage",
    legend: (_rule, advantage) => [
      advantage < 0
        ? { name: "pushed down", colour: pushColour(-1, advantage) }
        : { name: "pushed up", colour: pushColour(1, advantage) },
      { name: "clipped, masked or no advantage: left alone", colour: GREY },
    ],
    colour: ({ push, advantage }) => (push === 0 ? GREY : pushColour(push, advantage)),
    words: (cells) => {
      const count = (push: TokenCell["push"]): number =>
        cells.filter((cell) => cell.push === push).length;
      return `${count(1)} tokens pushed up, ${count(-1)} down, ${count(0)} left alone`;
    },
  },
};

/** Advantages of 2 and more have the full colour. */
function pushColour(push: number, advantage: number): string {
  return shade(push < 0 ? ORANGE : GREEN, 0.15 + 0.55 * Math.min(1, Math.abs(advantage) / 2));
}

function distance({ ratio }: TokenCell): number {
  return Number.isFinite(ratio) ? Math.abs(Math.log(ratio)) : Infinity;
}

function headOf({ step, problem, total, paid, advantage, reward, tokens }: RolloutRow): string {
  const parts = Object.entries(paid).filter(([, value]) => value !== 0);
  return [
    `step ${step} · ${problem}`,
    ...(reward.transition === null ? [] : [reward.transition]),
    `reward ${round(total)} (${parts.map(([name, value]) => `${name} ${round(value)}`).join(", ")})`,
    `advantage ${round(advantage)}`,
    `${tokens.ids.length} tokens`,
  ].join(" · ");
}

/** The text with the name of each part before it. */
function stretches(cells: readonly TokenCell[]): string[] {
  const out: { part: TokenPart; text: string }[] = [];
  for (const { part, text } of cells) {
    const last = out.at(-1);
    if (last?.part === part) last.text += text;
    else out.push({ part, text });
  }
  return out.map(({ part, text }) => (part === "tag" ? text : `[${PART_NAMES[part]}] ${text}`));
}

function tokenSpan(cell: TokenCell, i: number, colour: string | undefined): string {
  const { id, text, part, old, current, ratio, clipped, masked, advantage } = cell;
  const words = [
    `token ${i + 1}, id ${id}, ${PART_NAMES[part]}`,
    `log p ${round(old)} → ${round(current)}, ratio ${round(ratio)}`,
    ...(clipped === null ? [] : [`clipped ${clipped}`]),
    ...(masked ? ["masked"] : []),
    `advantage ${round(advantage)}`,
  ];
  // A special token has no text of its own, but it was chosen as every other.
  const shown = text === "" ? "∎" : text;
  const background = colour === undefined ? "" : `background:${colour};`;
  return `<span title="${escapeMarkup(words.join("\n"))}" style="${background}border-radius:2px;box-shadow:inset 0 0 0 0.5px ${EDGE}">${escapeMarkup(shown)}</span>`;
}

function swatch({ name, colour }: Colour): string {
  return ` <span style="background:${colour};border-radius:2px;padding:0 5px">${escapeMarkup(name)}</span>`;
}

/** The colour at an opacity of 0 to 1, as CSS. */
function shade(colour: string, opacity: number): string {
  const alpha = Math.round(255 * opacity);
  return `${colour}${alpha.toString(16).padStart(2, "0")}`;
}

function quoted(text: string): string {
  return text === "" ? "∎" : JSON.stringify(text);
}

function round(value: number | null): string {
  return value === null ? "–" : String(Math.round(value * 1000) / 1000);
}
