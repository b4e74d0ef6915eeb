/**
 * The rule of OlympiadBench's automatic judge (OpenBMB): answers in any order, each within the item's own tolerance;
 * numbers also as a hundredth or a hundredfold; equations up to a whole factor.
 */
import { lastBoxed, boxesFromEnd } from "./boxed";
import { constantRatioOf, differenceOfSides, sameFormula } from "./formula-equality";
import { splitCommas } from "./lists";
import { MAX_FORMULA } from "./notation";

export interface OlympiadBenchConfig {
  /** Absolute tolerance of a number; a list has one for each answer. */
  precision?: number | readonly number[];
}

const DEFAULT_PRECISION = 1e-8;
/** Room for the tolerance's own rounding. */
const SLACK = 1.01;
const MAX_ANSWERS = 32;

/** Whether the two state the same answers. Never throws. */
export function olympiadBench(
  gold: string,
  prediction: string,
  { precision = DEFAULT_PRECISION }: OlympiadBenchConfig = {},
): boolean {
  const [wanted, given] = [answerText(gold), answerText(prediction)];
  if (wanted.length > MAX_FORMULA || given.length > MAX_FORMULA) return false;
  if (wanted === given) return wanted !== "";
  const [left, right] = [wanted, given].map((text) =>
    answersOf(text.replace(/\p{Script=Han}/gu, "")),
  );
  if (left.length !== right.length || left.length > MAX_ANSWERS) return false;
  const tolerances = typeof precision === "number" ? left.map(() => precision) : [...precision];
  const open = [...right];
  return left.every((answer, i) => {
    const tolerance = tolerances[i] ?? tolerances.at(-1) ?? DEFAULT_PRECISION;
    const found = open.findIndex((other) => sameAnswer(answer, other, tolerance));
    if (found >= 0) open.splice(found, 1);
    return found >= 0;
  });
}

/** What is in the boxes, else the formulas of the last line, else the line; without marks that say nothing. */
function answerText(text: string): string {
  const { boxes } = boxesFromEnd(text);
  const lastLine = text.trim().split("\n").at(-1) ?? "";
  const formulas = [...lastLine.matchAll(/\$([^$]+)\$/g)].map((found) => found[1]);
  const answer =
    lastBoxed(text) !== null
      ? boxes
          .map(({ content }) => content)
          .reverse()
          .join(",")
      : formulas.length > 0
        ? formulas.join(",")
        : lastLine;
  return (answer.split("\\in ").at(-1) ?? "")
    .replace(/\\(?:left|right)(?![a-z])|\$|\\?%|\^\s*\{?\s*\\circ\s*\}?|\\circ/g, "")
    .replace(/[∶：]/g, ":")
    .replace(/，/g, ",")
    .replace(/\\(?:approx|simeq|sim)(?![a-z])|≈/g, "=")
    .replace(/\^\{?\\prime\}?/g, "'")
    .replace(/\\math(?:rm|bf)\s*\{~?\s*([^{}]*)\}/g, "$1")
    .replace(/^[\s,.:;^_=+`!@#%&*~，。]+|[\s,.:;^_=+`!@#%&*~，。]+$/g, "");
}

/** The answers between commas; `1 ± 2` is two. */
function answersOf(text: string): string[] {
  return splitCommas(text).flatMap((part) =>
    /\\pm(?![a-z])/.test(part)
      ? [part.replace(/\\pm(?![a-z])/g, "+"), part.replace(/\\pm(?![a-z])/g, "-")]
      : [part],
  );
}

function sameAnswer(gold: string, prediction: string, tolerance: number): boolean {
  if (gold === "" || prediction === "") return false;
  if (gold === prediction) return true;
  if (isInterval(gold) && isInterval(prediction) && sameIntervals(gold, prediction, tolerance)) {
    return true;
  }
  const [x, y] = [Number(gold), Number(prediction)];
  if (Number.isFinite(x) && Number.isFinite(y)) {
    return [x / 100, x, x * 100].some((value) => Math.abs(value - y) <= tolerance * SLACK);
  }
  const bothEquations = gold.includes("=") && prediction.includes("=");
  if (!bothEquations && sameExpression(gold, prediction, tolerance)) return true;
  return sameEquation(gold, prediction);
}

const isInterval = (text: string): boolean => /^[([].*[)\]]$/s.test(text);

/** Unions part by part, in order; brackets alike, ends as expressions. A tuple is compared the same way. */
function sameIntervals(gold: string, prediction: string, tolerance: number): boolean {
  const [left, right] = [gold, prediction].map((text) => text.split(/\\cup(?![a-z])|∪/));
  return (
    left.length === right.length &&
    left.every((part, i) => {
      const [a, b] = [part.trim(), right[i].trim()];
      if (a[0] !== b[0] || a.at(-1) !== b.at(-1)) return false;
      const [ends, others] = [a, b].map((text) => splitCommas(text.slice(1, -1)));
      return (
        ends.length === others.length &&
        ends.every((end, k) => end === others[k] || sameExpression(end, others[k], tolerance))
      );
    })
  );
}

function sameExpression(gold: string, prediction: string, tolerance: number): boolean {
  const [left, right] = [gold, prediction].map((text) => text.split("=")[1] ?? text);
  const close = (x: number, y: number): boolean => Math.abs(x - y) <= tolerance * SLACK;
  if (sameFormula(left, right, close)) return true;
  // The judge calculates with 3.14159, so that a decimal with as many digits is right too.
  const [a, b] = [left, right].map((text) => text.replace(/\\pi(?![a-z])/g, "(3.14159)"));
  return (a !== left || b !== right) && sameFormula(a, b, close);
}

function sameEquation(gold: string, prediction: string): boolean {
  const [left, right] = [differenceOfSides(gold), differenceOfSides(prediction)];
  if (left === null || right === null) return false;
  const ratio = constantRatioOf(left, right);
  return ratio !== null && ratio !== 0 && [ratio, 1 / ratio].some(isNearlyWhole);
}

const isNearlyWhole = (x: number): boolean =>
  Math.round(x) !== 0 && Math.abs(x - Math.round(x)) <= 1e-9 * Math.abs(x);
