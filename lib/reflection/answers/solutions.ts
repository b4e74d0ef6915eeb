/** Inequalities and sets of numbers that say the same: `1 < x < 2` and `(1, 2)`. */
import { evaluate, type Reading } from "./evaluate";
import { argsOf, digitsOf, headOf, lettersOf, type MathJson } from "./mathjson";
import {
  difference,
  holdsNumber,
  intersection,
  point,
  range,
  REALS,
  union,
  type RealSet,
} from "./real-set";
import { isValue, type Answer, type Sign } from "./structure";

type Letters = Omit<Reading, "point" | "counting" | "letters">;

/** The set of real numbers that an answer states, `null` where letters or words are in it. */
export function realSetOf(answer: Answer, reading: Letters): RealSet | null {
  switch (answer.kind) {
    case "value": {
      if (answer.tree === "RealNumbers") return REALS;
      const x = realNumber(answer.tree, reading);
      return x === null || !Number.isFinite(x) ? null : point(x);
    }
    case "interval": {
      const [low, high] = [answer.low, answer.high].map((end) =>
        end.kind === "value" ? realNumber(end.tree, reading) : null,
      );
      if (low === null || high === null) return null;
      return range({ low, high, lowOpen: answer.lowOpen, highOpen: answer.highOpen });
    }
    case "set":
      return answer.items.reduce<RealSet | null>((all, item) => {
        const part = all === null ? null : realSetOf(item, reading);
        return all === null || part === null ? null : union(all, part);
      }, []);
    case "combination": {
      const [left, right] = [realSetOf(answer.left, reading), realSetOf(answer.right, reading)];
      if (left === null || right === null) return null;
      return { "∪": union, "∩": intersection, "∖": difference }[answer.operation](left, right);
    }
    default:
      return null;
  }
}

/** The value of a formula without letters, `null` where it has letters or is not real. */
function realNumber(tree: MathJson, reading: Letters): number | null {
  const [a, b] = [0, 1].map((at) => evaluate(tree, { ...reading, point: at }));
  // With letters in it, two points give two values.
  return a.im === 0 && b.im === 0 && a.re === b.re ? a.re : null;
}

/**
 * Whether the solutions of a relation in one letter are the set: it holds at the numbers that the set holds and at no
 * others, tried at all numbers that either side names, close to them, and on a grid.
 */
export function solutionsAre(
  relation: Answer & { kind: "relation" },
  set: Answer,
  reading: Letters,
): boolean | null {
  const numbers = realSetOf(set, reading);
  if (numbers === null) return null;
  const sides = relation.sides.filter(isValue);
  if (sides.length < relation.sides.length) return null;
  const trees = sides.map(({ tree }) => tree);
  const names = new Set(trees.flatMap(lettersOf).map(folded));
  if (names.size !== 1) return null;
  const [name] = names;
  function folded(letter: string): string {
    return reading.foldCase ? letter.toLowerCase() : letter;
  }

  const holds = (x: number): boolean => {
    const values = trees.map(
      (tree) => evaluate(tree, { ...reading, point: 0, letters: { [name]: x } }).re,
    );
    return relation.signs.every((sign, i) => HOLDS[sign](values[i], values[i + 1]));
  };
  return candidates(numbers, trees).every((x) => holds(x) === holdsNumber(numbers, x));
}

const HOLDS: Readonly<Record<Sign, (a: number, b: number) => boolean>> = {
  "=": (a, b) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a)),
  "≠": (a, b) => Math.abs(a - b) > 1e-9 * Math.max(1, Math.abs(a)),
  "<": (a, b) => a < b - 1e-9 * Math.max(1, Math.abs(a)),
  ">": (a, b) => b < a - 1e-9 * Math.max(1, Math.abs(a)),
  "≤": (a, b) => a <= b + 1e-9 * Math.max(1, Math.abs(a)),
  "≥": (a, b) => b <= a + 1e-9 * Math.max(1, Math.abs(a)),
};

function candidates(set: RealSet, trees: readonly MathJson[]): number[] {
  const marks = [...set.flatMap(({ low, high }) => [low, high]), ...trees.flatMap(numbersIn)]
    .flatMap((x) => [x, -x])
    .filter(Number.isFinite);
  const grid = Array.from({ length: 81 }, (_, i) => (i - 40) / 2 + 0.137);
  return [...marks.flatMap((x) => [x - 1e-3, x, x + 1e-3]), ...grid, -1e6, 1e6];
}

function numbersIn(tree: MathJson): number[] {
  const digits = digitsOf(tree);
  if (digits !== null) return [Number(digits)];
  const [above, over] = headOf(tree) === "Divide" ? argsOf(tree).map(digitsOf) : [];
  const quotient = above != null && over != null ? [Number(above) / Number(over)] : [];
  return [...quotient, ...argsOf(tree).flatMap(numbersIn)];
}
