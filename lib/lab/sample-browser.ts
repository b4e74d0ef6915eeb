/**
 * Many samples to leaf through: one line each, in a drawer for each transition, the whole card behind the line.
 *
 * It is made of `<details>` alone. Those open and close without a script or a style sheet, both of which JupyterLab takes out
 * of a notebook that is not trusted; there only the `name` goes, by which opening one drawer closes the others.
 */
import { randomBytes } from "node:crypto";
import type { Transition } from "../types";
import {
  display,
  displayable,
  escapeMarkup,
  type Displayable,
  type MimeBundle,
  type Surface,
} from "./display";
import { EDGE, FAINT } from "./theme";
import { cardStack, mark, sampleCard, sampleText, TRANSITION_WORDS, type Sample } from "./viewer";

export interface BrowserOptions {
  /** Samples beyond these are counted, not shown, in each drawer: a saved notebook keeps them all. 12 unless told otherwise. */
  limit?: number;
  /** Which drawers; all that hold something unless told otherwise. */
  transitions?: readonly Transition[];
}

interface Drawer {
  title: string;
  /** What the title means. */
  words: string;
  samples: Sample[];
}

/** Shows the samples in drawers; in a terminal their text. */
export async function browseSamples(
  samples: readonly Sample[],
  options: BrowserOptions & { surface?: Surface } = {},
): Promise<void> {
  await display(await browserBundle(samples, options), { surface: options.surface });
}

/** The browser as an object that a cell can end with. */
export function sampleBrowser(
  samples: readonly Sample[],
  options: BrowserOptions = {},
): Displayable {
  return displayable(() => browserBundle(samples, options));
}

/** The drawers as HTML, and their samples as text. */
export async function browserBundle(
  samples: readonly Sample[],
  { limit = 12, transitions }: BrowserOptions = {},
): Promise<MimeBundle> {
  const drawers = drawersOf(samples, transitions);
  const id = randomBytes(4).toString("hex");
  const html = await Promise.all(
    drawers.map((drawer, i) => drawerHtml(drawer, `${id}-${i}`, limit)),
  );
  const heads = html.map(
    (inner, i) =>
      `<details name="${id}" style="border:1px solid ${EDGE};border-radius:6px;margin:4px 0;padding:6px 10px;max-width:1000px">` +
      `<summary style="cursor:pointer"><b>${drawers[i].title}</b> ${escapeMarkup(headOf(drawers[i]))}</summary>${inner}</details>`,
  );
  return {
    "text/html": cardStack(heads),
    "text/plain": drawers
      .map((drawer) =>
        [
          `${drawer.title} ${headOf(drawer)}`,
          ...drawer.samples.slice(0, limit).map(sampleText),
          ...moreThan(drawer, limit),
        ].join("\n\n"),
      )
      .join("\n\n"),
  };
}

function drawersOf(samples: readonly Sample[], wanted: BrowserOptions["transitions"]): Drawer[] {
  const names = wanted ?? (Object.keys(TRANSITION_WORDS) as Transition[]);
  const drawers = names.map((name): Drawer => {
    const found = samples.filter(({ transition }) => transition === name);
    return { title: name, words: TRANSITION_WORDS[name], samples: found };
  });
  if (wanted === undefined) {
    const rest = samples.filter(({ transition }) => !transition);
    drawers.push({ title: "no transition", words: "fewer than two answers", samples: rest });
  }
  return drawers.filter((drawer) => drawer.samples.length > 0);
}

/** `wrong, turns right · 21 samples · mean reward 1.25` */
function headOf({ words, samples }: Drawer): string {
  const totals = samples.flatMap(({ total }) => (total === undefined ? [] : [total]));
  const mean = totals.reduce((sum, total) => sum + total, 0) / totals.length;
  return [
    words,
    `${samples.length} sample${samples.length === 1 ? "" : "s"}`,
    ...(totals.length === 0 ? [] : [`mean reward ${mean.toFixed(2)}`]),
  ].join(" · ");
}

async function drawerHtml(drawer: Drawer, name: string, limit: number): Promise<string> {
  const lines = await Promise.all(
    drawer.samples.slice(0, limit).map(async (sample) => {
      const card = await sampleCard(sample);
      return (
        `<details name="${name}" style="margin:2px 0 2px 14px">` +
        `<summary style="cursor:pointer">${lineOf(sample)}</summary>${card}</details>`
      );
    }),
  );
  const more = moreThan(drawer, limit).map((text) => `<div style="color:${FAINT}">${text}</div>`);
  return lines.join("") + more.join("");
}

/** `bars · bars-17 · 51 ✗ wrong → 61 ✓ right · reward 1.5` */
function lineOf({ problem, response, firstCorrect, secondCorrect, total }: Sample): string {
  const answer = (text: string | null, right: boolean | null): string =>
    `${escapeMarkup(text ?? "no answer")} ${mark(right)}`;
  const answers = [answer(response.first.answer, firstCorrect)];
  if (response.second.answer !== null || secondCorrect !== null) {
    answers.push(answer(response.second.answer, secondCorrect));
  }
  return [
    escapeMarkup(problem.id),
    answers.join(" → "),
    ...(total === undefined ? [] : [`reward ${total.toFixed(2)}`]),
  ].join(" · ");
}

function moreThan({ samples }: Drawer, limit: number): string[] {
  return samples.length > limit ? [`… and ${samples.length - limit} more`] : [];
}
