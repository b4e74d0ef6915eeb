/** How pictures look: fonts, grounds, inks and colours drawn from a seed, always with the contrast that reading needs. */
import type { Random } from "../../lib/engine/random";
import type { Style } from "./family";

/** WCAG contrast of text on its ground; 7 is its strictest level (AAA). */
export const TEXT_CONTRAST = 7;
/** Contrast of shapes and lines with the ground (WCAG 1.4.11 asks for 3 in user interfaces). */
export const SHAPE_CONTRAST = 2.4;

const FONTS: Readonly<Record<string, number>> = {
  sans: 3,
  "sans-bold": 2,
  "sans-condensed": 2,
  "sans-condensed-bold": 2,
  serif: 1,
  "serif-bold": 1,
  "serif-condensed": 1,
  "serif-condensed-bold": 1,
  mono: 1,
  "mono-bold": 2,
};

const LIGHT_GROUNDS = ["#ffffff", "#fdf8ec", "#eef5fc", "#eef8ee", "#fcf0f3", "#f2f2f2", "#f5f0fb"];
const DARK_GROUNDS = ["#101418", "#0f1f33", "#12291f", "#2a1526", "#202020"];
const LIGHT_INKS = ["#ffffff", "#fff4d2", "#e6f2ff"];
const DARK_INKS = ["#000000", "#14213d", "#2b1b12", "#10301c"];
/** One row a hue, so that colours of different rows can be told apart. */
const ON_LIGHT = [
  ["#d62828", "#b23a48", "#c1121f"],
  ["#1d6fb8", "#2a52be", "#2f6690"],
  ["#2a8a3e", "#3a7d44", "#1f7a6d"],
  ["#c2620a", "#b5651d", "#a8680b"],
  ["#7b2cbf", "#6a4c93", "#8e3b8f"],
  ["#555b66", "#6b5b53", "#444444"],
];
const ON_DARK = [
  ["#ff6b6b", "#ff8579", "#f4796b"],
  ["#5aa9ff", "#6fb1fc", "#72c5f2"],
  ["#6fd08c", "#5fd3a6", "#8fd66a"],
  ["#ffb347", "#f9c74f", "#e9a73c"],
  ["#c79bff", "#e39bd3", "#b5a0f5"],
  ["#c3c9d1", "#d8cfc4", "#b8b8b8"],
];

/** A style for a picture of `side` x `side` pixels (112 when left out, a multiple of 28). */
export function sampleStyle(random: Random, side = 112): Style {
  const dark = random.chance(0.3);
  const background = jitter(random, random.pick(dark ? DARK_GROUNDS : LIGHT_GROUNDS));
  const hues = random.shuffle(dark ? ON_DARK : ON_LIGHT).slice(0, 5);
  return {
    width: side,
    height: side,
    font: random.weighted(FONTS),
    background,
    ink: random.pick(dark ? LIGHT_INKS : DARK_INKS),
    palette: hues.map((shades) => random.pick(shades)),
    lineWidth: random.pick([1.4, 1.8, 2.2]),
    grid: random.chance(0.25),
  };
}

/** Relative luminance of an `#rrggbb` colour, in [0, 1] (WCAG 2.1). */
export function luminance(color: string): number {
  const [r, g, b] = channels(color).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of two `#rrggbb` colours, from 1 to 21 (WCAG 2.1). */
export function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Black or white, whichever is read more easily on `ground`. */
export function inkOn(ground: string): string {
  return contrast("#ffffff", ground) >= contrast("#000000", ground) ? "#ffffff" : "#000000";
}

/** The colour `share` of the way from `from` to `to`. */
export function mix(from: string, to: string, share: number): string {
  const [a, b] = [channels(from), channels(to)];
  return hex(a.map((value, i) => value + (b[i] - value) * share));
}

function jitter(random: Random, color: string): string {
  return hex(channels(color).map((value) => value + random.int(-5, 5)));
}

function channels(color: string): number[] {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

function hex(values: readonly number[]): string {
  const byte = (value: number): string =>
    Math.round(Math.min(255, Math.max(0, value)))
      .toString(16)
      .padStart(2, "0");
  return `#${values.map(byte).join("")}`;
}
