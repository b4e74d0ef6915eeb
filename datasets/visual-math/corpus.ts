/**
 * What the base policy is pretrained on: solutions of drawn problems as several kinds of solver write them.
 *
 * Large models are pretrained on text in which hasty work is the most common; reinforcement learning then brings out
 * the better habits that are in the mixture as well. The embedded base is made the same way. Most first solutions
 * leap over the arithmetic and forget carries, some leap rightly, few go column by column. Most reflections say that
 * all is well, some really check, some spoil a right answer. Nobody is asked to reflect but by the prompt, and even then
 * most answer once.
 */
import type { Random } from "../../lib/engine/random";
import {
  checkReflection,
  firstThink,
  readsWhole,
  secondThink,
  vacuousReflection,
} from "../../lib/reflection/dialect";
import { renderResponse, renderSolution } from "../../lib/reflection/template";
import { answerOf, chainSteps, columns, slip, type Step } from "./arithmetic";
import type { Scene } from "./family";

/** Shares of the habits; each group sums to 1. */
export interface Mixture {
  /** First solutions: a leap with forgotten carries, an exact leap, column by column. */
  solver: { hasty: number; steady: number; careful: number };
  /** How often a hasty solver forgets where there is something to forget. */
  forgets: number;
  /** How often one number is read wrongly. */
  misreads: number;
  /** How often the prompt to reflect is followed at all. */
  reflects: number;
  /** Reflections: "looks right", a real check, a wrong suspicion. */
  reflection: { vacuous: number; real: number; harmful: number };
}

export const baseMixture: Mixture = {
  solver: { hasty: 0.62, steady: 0.2, careful: 0.18 },
  forgets: 0.75,
  misreads: 0.04,
  reflects: 0.5,
  reflection: { vacuous: 0.5, real: 0.35, harmful: 0.15 },
};

/** What the base learns from before it takes on habits: enough mistakes that a check has something to find. */
export const skilledMixture: Mixture = {
  solver: { hasty: 0.25, steady: 0.1, careful: 0.65 },
  forgets: 0.75,
  misreads: 0.04,
  reflects: 0.6,
  reflection: { vacuous: 0.15, real: 0.85, harmful: 0 },
};

/** A first solution: its reasoning and its answer. */
interface Attempt {
  think: string;
  answer: number;
}

/** A completion that answers once. */
export function writeSingle(scene: Scene, mixture: Mixture, random: Random): string {
  const { think, answer } = attempt(scene, mixture, random);
  return renderSolution({ think, answer: String(answer) });
}

/** A completion for the prompt that asks to reflect: often it answers once all the same. */
export function writeReflecting(scene: Scene, mixture: Mixture, random: Random): string {
  if (!random.chance(mixture.reflects)) return writeSingle(scene, mixture, random);
  const first = attempt(scene, mixture, random);
  const exact = answerOf(scene);
  const kind = random.weighted(mixture.reflection);
  let reflection: string;
  let second: number;
  if (kind === "real") {
    const reading = scene.read(scene.values);
    const misread = !readsWhole(first.think, reading);
    const steps = chainSteps(scene.chain, scene.values).map(columns);
    reflection = checkReflection({
      ...(misread ? { reading } : {}),
      steps,
      right: first.answer === exact,
    });
    second = exact;
  } else if (kind === "vacuous") {
    reflection = vacuousReflection({ right: true });
    second = first.answer;
  } else {
    reflection = vacuousReflection({ right: false });
    second = first.answer >= 10 && random.chance(0.5) ? first.answer - 10 : first.answer + 10;
  }
  return renderResponse({
    first: { think: first.think, answer: String(first.answer) },
    reflection,
    second: { think: secondThink(String(second)), answer: String(second) },
  });
}

/** The sentence that reports the numbers, with nothing solved: the reading task of held-out families. */
export function writeReading(scene: Scene): string {
  return scene.read(scene.values);
}

/** Steps of some problems with nothing around them, in one leap and column by column: what a text corpus adds. */
export function writeDrill(scenes: readonly Scene[]): string {
  return scenes
    .flatMap(({ chain, values }) => chainSteps(chain, values))
    .map((step) => {
      const { left, op, right, result } = step;
      return `${left}${op}${right}=${result}. ${columns(step)}. ${secondThink(String(result))}`;
    })
    .join(" ");
}

/**
 * Every text in the picture in the order in which it was drawn, e.g. `91,A,93,B`: the densest lesson in reading that
 * there is.
 * @param svg the picture, whose texts are outlines that name themselves in `aria-label`
 */
export function writeTranscription(svg: string): string {
  return textsOf(svg)
    .map(({ text }) => text)
    .join(",");
}

/**
 * Which characters lie in which cell of the picture: where to look, for a tower that cannot read yet.
 * @param cell side of a square cell in pixels, the picture's share of one decoder token
 * @returns a string a cell, row by row, often empty
 */
export function charactersByCell(
  svg: string,
  width: number,
  height: number,
  cell: number,
): string[] {
  const [columns, rows] = [width / cell, height / cell];
  const cells = new Array<string>(columns * rows).fill("");
  for (const { text, x, y, size } of textsOf(svg)) {
    [...text].forEach((character, i) => {
      // A digit of DejaVu is about 0.64 of the font size wide and 0.73 high.
      const column = Math.floor((x + (i + 0.5) * 0.64 * size) / cell);
      const row = Math.floor((y - 0.36 * size) / cell);
      if (column < 0 || column >= columns || row < 0 || row >= rows) return;
      cells[row * columns + column] += character;
    });
  }
  return cells;
}

/** The texts of a picture with the start of their baselines and their font sizes, in pixels. */
function textsOf(svg: string): { text: string; x: number; y: number; size: number }[] {
  const pattern =
    /aria-label="([^"]*)"[^>]*?transform="translate\(([\d.-]+) ([\d.-]+)\) scale\(([\d.]+)/g;
  return Array.from(svg.matchAll(pattern), ([, text, x, y, scale]) => ({
    text,
    x: Number(x),
    y: Number(y),
    size: Number(scale) * 2048,
  }));
}

function attempt(scene: Scene, mixture: Mixture, random: Random): Attempt {
  const seen = random.chance(mixture.misreads) ? misread(scene.values, random) : scene.values;
  // A misreading that leads below zero would not have been written down.
  const sound = chainSteps(scene.chain, seen).every(({ result }) => result >= 0);
  const values = sound ? seen : scene.values;
  const reading = scene.read(values);
  const kind = random.weighted(mixture.solver);
  const steps = chainSteps(scene.chain, values);
  if (kind === "careful") {
    const answer = steps.at(-1)?.result ?? values[0];
    return { think: firstThink({ reading, working: `${steps.map(columns).join("; ")}.` }), answer };
  }
  const forgetful = kind === "hasty" && random.chance(mixture.forgets);
  const leaps = leap(steps, forgetful);
  const working = leaps.map(({ left, op, right, result }) => `${left}${op}${right}=${result}`);
  return {
    think: firstThink({ reading, working: `${working.join(", ")}.` }),
    answer: leaps.at(-1)?.result ?? values[0],
  };
}

/** The steps in one leap each; a forgetful solver carries the slip on into the next step. */
function leap(steps: readonly Step[], forgetful: boolean): Step[] {
  let carried: number | undefined;
  return steps.map((step) => {
    const left = carried ?? step.left;
    const exact = { ...step, left, result: left + step.result - step.left };
    if (step.op === "*") exact.result = left * step.right;
    const result = Math.max(0, forgetful ? slip(exact) : exact.result);
    carried = result;
    return { ...exact, result };
  });
}

/** One digit of one number read wrongly; the number stays as long as it is and does not become 0. */
function misread(values: readonly number[], random: Random): number[] {
  const out = values.slice();
  const which = random.int(0, out.length - 1);
  const digits = String(out[which]).split("");
  const place = random.int(0, digits.length - 1);
  const other = random.int(place === 0 ? 1 : 0, 9);
  digits[place] = String(other);
  out[which] = Number(digits.join(""));
  return out;
}
