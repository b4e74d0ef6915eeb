/** Shows samples: the picture, both solutions with what changed between them, the reflection, verdicts and rewards. */
import { diffWordsWithSpace } from "diff";
import sharp from "sharp";
import { shownPath } from "../paths";
import { questionText } from "../reflection/prompts";
import type { Problem, Response, Solution, Transition } from "../types";
import { PALETTE } from "./chart";
import {
  display,
  displayable,
  escapeMarkup,
  type Displayable,
  type MimeBundle,
  type Surface,
} from "./display";
import { EDGE, FAINT, FONT } from "./theme";

/** One response to a problem, judged. */
export interface Sample {
  problem: Pick<Problem, "id" | "question" | "choices" | "images" | "answer" | "family">;
  response: Pick<Response, "text" | "first" | "reflection" | "second" | "faults">;
  /** `null` where there is no such answer or nobody judged it. */
  firstCorrect: boolean | null;
  secondCorrect: boolean | null;
  transition?: Transition | null;
  /** The parts of the reward, by name. */
  rewards?: Readonly<Record<string, number>>;
  total?: number;
  /** Who answered, e.g. `SRPO, step 100`. */
  label?: string;
}

/** Each transition in words. */
export const TRANSITION_WORDS: Readonly<Record<Transition, string>> = {
  RR: "right, stays right",
  RW: "right, turns wrong",
  WR: "wrong, turns right",
  WW: "wrong, stays wrong",
};

/** Shows one card a sample; in a terminal their text. A picture that cannot be read is named instead of shown. */
export async function showSamples(
  samples: readonly Sample[],
  options: { surface?: Surface } = {},
): Promise<void> {
  await display(await samplesBundle(samples), options);
}

/** The samples as an object that a cell can end with. */
export function sampleCards(samples: readonly Sample[]): Displayable {
  return displayable(() => samplesBundle(samples));
}

/** The cards as HTML and as text. */
export async function samplesBundle(samples: readonly Sample[]): Promise<MimeBundle> {
  const cards = await Promise.all(samples.map(sampleCard));
  return {
    "text/html": cardStack(cards),
    "text/plain": samples.map(sampleText).join("\n\n"),
  };
}

/** Cards, or what holds them, in the type that they are read in. */
export function cardStack(cards: readonly string[]): string {
  return `<div style="font-family:${FONT};font-size:13px;line-height:1.45">${cards.join("")}</div>`;
}

/** One sample as HTML. */
export async function sampleCard(sample: Sample): Promise<string> {
  const { problem, response, rewards, total, label } = sample;
  const pictures = await Promise.all(problem.images.map(picture));
  const { first, second } = markedSolutions(response);
  const head = [problem.family, problem.id, ...(label ? [label] : [])]
    .map(escapeMarkup)
    .join(" · ");
  const faults = response.faults.length > 0 ? line("faults", response.faults.join(", ")) : "";
  return (
    `<div style="border:1px solid ${EDGE};border-radius:6px;margin:8px 0;padding:10px;display:flex;gap:14px;max-width:980px">` +
    `<div style="flex:0 0 200px">${pictures.join("")}</div>` +
    `<div style="flex:1;min-width:0">` +
    `<div style="color:${FAINT}">${head}${transitionBadge(sample.transition)}</div>` +
    `<div style="margin:4px 0"><b>${escapeMarkup(problem.question)}</b>${choicesMarkup(problem)}</div>` +
    line("gold answer", problem.answer) +
    part("first solution", first, response.first, sample.firstCorrect) +
    (response.reflection === null
      ? ""
      : `<div style="border-left:3px solid ${PALETTE[4]};padding:2px 8px;margin:6px 0"><i>reflection</i> ${escapeMarkup(response.reflection)}</div>`) +
    (hasAnything(response.second)
      ? part("second solution", second, response.second, sample.secondCorrect)
      : "") +
    faults +
    rewardBars(rewards, total) +
    `</div></div>`
  );
}

function hasAnything({ think, answer }: Solution): boolean {
  return think !== null || answer !== null;
}

/** A response that the parser made nothing of is shown as it is. */
function markedSolutions(response: Sample["response"]): { first: string; second: string } {
  const { first, second } = response;
  if (!hasAnything(first) && !hasAnything(second)) {
    return { first: escapeMarkup(response.text), second: "" };
  }
  if (first.think === null || second.think === null) {
    return { first: escapeMarkup(first.think ?? ""), second: escapeMarkup(second.think ?? "") };
  }
  return wordDiff(first.think, second.think);
}

/**
 * Two texts as HTML: words that only the first has are struck through in it, words that only the second has are
 * underlined in it.
 */
export function wordDiff(before: string, after: string): { first: string; second: string } {
  let [first, second] = ["", ""];
  for (const { value, added, removed } of diffWordsWithSpace(before, after)) {
    const text = escapeMarkup(value);
    if (added) second += `<ins style="background:rgba(0,158,115,0.22)">${text}</ins>`;
    else if (removed) first += `<del style="background:rgba(213,94,0,0.22)">${text}</del>`;
    else [first, second] = [first + text, second + text];
  }
  return { first, second };
}

function part(name: string, marked: string, { answer }: Solution, right: boolean | null): string {
  return (
    `<div style="margin:6px 0"><i>${name}</i> ${marked}` +
    `<div>answer <b>${escapeMarkup(answer ?? "none")}</b> ${mark(right)}</div></div>`
  );
}

/** ✓ or ✗ and the word; nothing where nobody judged. */
export function mark(right: boolean | null): string {
  if (right === null) return "";
  const [sign, colour] = right ? ["✓ right", PALETTE[2]] : ["✗ wrong", PALETTE[1]];
  return `<span style="color:${colour}"><b>${sign}</b></span>`;
}

function transitionBadge(transition: Transition | null | undefined): string {
  if (!transition) return "";
  return ` · <span style="border:1px solid ${EDGE};border-radius:3px;padding:0 5px"><b>${transition}</b> ${TRANSITION_WORDS[transition]}</span>`;
}

function line(name: string, text: string): string {
  return `<div><i>${name}</i> ${escapeMarkup(text)}</div>`;
}

function rewardBars(rewards: Sample["rewards"], total: number | undefined): string {
  const parts = Object.entries(rewards ?? {});
  if (total !== undefined) parts.push(["total", total]);
  if (parts.length === 0) return "";
  const largest = Math.max(1, ...parts.map(([, value]) => Math.abs(value)));
  const rows = parts.map(([name, value]) => {
    const width = Math.round((80 * Math.abs(value)) / largest) || 0;
    const colour = value < 0 ? PALETTE[1] : PALETTE[0];
    const bar = `<div style="width:${width}px;height:9px;background:${colour}"></div>`;
    return `<tr><td style="padding:0 8px 0 0;text-align:left">${escapeMarkup(name)}</td><td style="padding:0;width:84px">${bar}</td><td style="padding:0 0 0 8px;text-align:right">${round(value)}</td></tr>`;
  });
  return `<table style="margin:6px 0 0;font-size:12px">${rows.join("")}</table>`;
}

async function picture(path: string): Promise<string> {
  try {
    const bytes = await sharp(path)
      .resize({ width: 320, height: 320, fit: "inside", withoutEnlargement: true })
      // A drawn picture has few colours, and a saved notebook keeps every card.
      .png({ palette: true, colours: 64, compressionLevel: 9 })
      .toBuffer();
    return `<img src="data:image/png;base64,${bytes.toString("base64")}" alt="picture of the problem" style="width:200px;border:1px solid ${EDGE}"/>`;
  } catch (error) {
    const why = (error as Error).message;
    return `<div style="color:${PALETTE[1]}">no picture: ${escapeMarkup(shownPath(path))} (${escapeMarkup(why)})</div>`;
  }
}

/** One sample as text, with everything that the card shows but the pixels. */
export function sampleText(sample: Sample): string {
  const { problem, response, transition, rewards = {}, total, label } = sample;
  const word = (right: boolean | null): string =>
    right === null ? "" : right ? " ✓ right" : " ✗ wrong";
  const solution = (name: string, { think, answer }: Solution, right: boolean | null): string =>
    `${name}: ${think ?? "(no reasoning)"} → ${answer ?? "(no answer)"}${word(right)}`;
  const parts = Object.entries(rewards).map(([name, value]) => `${name} ${round(value)}`);
  if (total !== undefined) parts.push(`total ${round(total)}`);
  const head = [problem.family, problem.id, ...(label ? [label] : [])].join(" · ");
  const parsed = hasAnything(response.first) || hasAnything(response.second);
  return [
    transition ? `── ${head} · ${transition} (${TRANSITION_WORDS[transition]})` : `── ${head}`,
    `question: ${questionText(problem)}`,
    ...problem.images.map((path) => `picture: ${shownPath(path)}`),
    `gold answer: ${problem.answer}`,
    parsed
      ? solution("first solution", response.first, sample.firstCorrect)
      : `response: ${response.text}${word(sample.firstCorrect)}`,
    ...(response.reflection === null ? [] : [`reflection: ${response.reflection}`]),
    ...(hasAnything(response.second)
      ? [solution("second solution", response.second, sample.secondCorrect)]
      : []),
    ...(response.faults.length > 0 ? [`faults: ${response.faults.join(", ")}`] : []),
    ...(parts.length > 0 ? [`reward: ${parts.join(" · ")}`] : []),
  ].join("\n");
}

function round(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** The choices below their question, unless that lists them itself. */
function choicesMarkup(problem: Sample["problem"]): string {
  const listed = questionText(problem).slice(problem.question.length).trim().split("\n");
  return listed[0] === "" ? "" : `<div>${listed.map(escapeMarkup).join(" &nbsp; ")}</div>`;
}
