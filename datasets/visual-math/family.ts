/**
 * What a family of drawn problems is. A family file exports one {@link Family}; `index.ts` lists them.
 *
 * Every problem is numbers that must be read off a picture and a short chain of arithmetic on them. The chain is data
 * (see {@link Term}), so that solvers, teachers and splits need to know nothing about a family.
 */
import type { Random } from "../../lib/engine/random";

/** One link of the chain: start from the first term's value, then apply the others in order. */
export interface Term {
  /** The first term's `op` is `+`. */
  op: "+" | "-" | "*";
  /** Index into {@link Scene.values}, or `null` for a constant that the picture does not show. */
  operand: number | null;
  /** The constant's value where `operand` is `null` (e.g. 180 in a triangle). */
  constant?: number;
}

/** How a picture looks, drawn from a seed and without influence on the answer. */
export interface Style {
  /** Picture size in pixels, a multiple of 28: two 14-pixel patches a merged token. */
  width: number;
  height: number;
  /** A font name that `glyphs.ts` knows. */
  font: string;
  background: string;
  ink: string;
  /** At least four colours that stand out from the background and from each other. */
  palette: string[];
  lineWidth: number;
  grid: boolean;
}

/** One concrete problem of a family before it is drawn. */
export interface Scene {
  question: string;
  /** The numbers that the picture shows and the question needs, in the order in which a solver reads them. */
  values: number[];
  /** The sentence that reports what was read; solvers call it with misread values too. */
  read(values: readonly number[]): string;
  chain: Term[];
  /** What makes two problems the same problem whatever they look like: values and labels, no style. */
  content: string;
  /** The picture as SVG; `random` may only move things about, never change the content. */
  draw(style: Style, random: Random): string;
}

export interface Family {
  name: string;
  subject: "arithmetic" | "statistics" | "geometry" | "measurement" | "physics" | "chemistry";
  /** Levels that appear in the pretraining, SFT, RL and test sets. */
  levels: readonly number[];
  /** Levels that appear in the out-of-distribution set only; for a held-out family, all of its levels. */
  heldOut: readonly number[];
  sample(random: Random, level: number): Scene;
}
