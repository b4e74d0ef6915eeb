/**
 * Compares two answers by what they state. The order of the decisions is that of math-verify's grader, which most of the
 * field's rewards use; a rule family brings its own idea of equal values and a few switches.
 */
import { magnitude, subtract, type Complex } from "./complex";
import { evaluate, hasSeries, type Reading } from "./evaluate";
import type { MathJson } from "./mathjson";
import { hasMatrix, matrixValue } from "./matrix";
import { realSetOf, solutionsAre } from "./solutions";
import { sameSet } from "./real-set";
import {
  isAssignment,
  isEquation,
  isName,
  isValue,
  type Answer,
  type Sign,
  type Value,
} from "./structure";

type Relation = Answer & { kind: "relation" };
type Collection = Answer & { kind: "set" | "tuple" | "interval" | "combination" };

/** What a rule family decides for itself. */
export interface Comparison {
  reading: Omit<Reading, "point" | "counting" | "letters">;
  /** Whether two values without structure are equal; `null` where neither can be proved. */
  sameValue(gold: Value, prediction: Value): boolean | null;
  /** A gold set may be stated as an inequality (`1<x<2` for `(1,2)`); the other way round it always may. */
  relationForSet: boolean;
  /** `62=61` against a value is its last side, not only `x=61`; and `x=60=61` is, whether or not 60 is 61. */
  anyEquation: boolean;
  /** `\{1,2\}` is no tuple `(1,2)`; a list without brackets may be either. */
  bracesCount: boolean;
  /** A prediction that names its value (`x=3`) is compared with another name's (`y=3`) by the value alone. */
  anyName: boolean;
}

/** True, false, or `null` where the two cannot be compared as mathematics. */
export function sameAnswer(gold: Answer, prediction: Answer, by: Comparison): boolean | null {
  let [left, right] = [shortened(gold, by), shortened(prediction, by)];
  // The gold answer's form counts: where it names nothing, a name in the prediction is dropped, and the other way round.
  const named = by.anyEquation ? isEquation : isShortAssignment;
  if (named(right) && !isEquation(left)) right = lastSide(right);
  else if (isAssignment(left) && !isEquation(right)) left = lastSide(left);
  else if (by.anyName && isAssignment(left) && isAssignment(right)) {
    [left, right] = [lastSide(left), lastSide(right)];
  }
  const [l, r] = [left, right];
  if (l.kind === "relation" && isCollection(r)) return solutionsAre(l, r, by.reading);
  if (r.kind === "relation" && isCollection(l)) {
    return by.relationForSet ? solutionsAre(r, l, by.reading) : false;
  }
  if (l.kind === "relation" && r.kind === "relation") return sameRelation(l, r, by);
  if (l.kind === "relation" || r.kind === "relation") return false;
  if (isCollection(l) || isCollection(r)) return sameCollection(asSet(l), asSet(r), by);
  if (l.kind === "word" || r.kind === "word") return sameWord(l, r);
  return by.sameValue(l, r);
}

/** `x = 1 + 1 = 2` says `x = 2`; where sides are unequal it says nothing, unless the family takes the last one. */
function shortened(answer: Answer, by: Comparison): Answer {
  if (!isAssignment(answer) || answer.sides.length === 2) return answer;
  const last = lastSide(answer);
  const agree = answer.sides
    .slice(1, -1)
    .every((side) => isName(side) || sameAnswer(last, side, by) === true);
  if (!agree && !by.anyEquation) return answer;
  return { ...answer, sides: [answer.sides[0], answer.sides.at(-1) as Answer], signs: ["="] };
}

const isShortAssignment = (answer: Answer): answer is Relation =>
  isAssignment(answer) && answer.sides.length === 2;

const lastSide = (relation: Relation): Answer => relation.sides.at(-1) as Answer;

function isCollection(answer: Answer): answer is Collection {
  return ["set", "tuple", "interval", "combination"].includes(answer.kind);
}

const asSet = (answer: Answer): Collection =>
  isCollection(answer) ? answer : { kind: "set", items: [answer], braces: false };

/** One word alone, or letters that were set as a product: `\text{odd}` and `odd`. Case and spaces say nothing. */
function sameWord(left: Answer, right: Answer): boolean {
  const [a, b] = [wordOf(left), wordOf(right)];
  return a !== null && a === b;
}

function wordOf(answer: Answer): string | null {
  if (answer.kind === "word") return answer.text.toLowerCase();
  if (answer.kind !== "value" || answer.percent) return null;
  const letters = answer.source.replace(/[\s()]/g, "").replace(/\\text\{([^{}]*)\}/g, "$1");
  return /^[a-z]+$/i.test(letters) ? letters.toLowerCase() : null;
}

// ---- relations

const FLIPPED: Readonly<Record<Sign, Sign>> = {
  "=": "=",
  "≠": "≠",
  "<": ">",
  "≤": "≥",
  ">": "<",
  "≥": "≤",
};

/** Chains are compared link by link; a chain may be written from its other end. */
function sameRelation(left: Relation, right: Relation, by: Comparison): boolean | null {
  if (left.signs.length !== right.signs.length) return false;
  const straight = sameLinks(left, right, by);
  if (straight === true || left.signs.length === 1) return straight;
  return sameLinks(left, reversed(right), by);
}

const reversed = ({ sides, signs, ...rest }: Relation): Relation => ({
  ...rest,
  sides: [...sides].reverse(),
  signs: signs.map((sign) => FLIPPED[sign]).reverse(),
});

function sameLinks(left: Relation, right: Relation, by: Comparison): boolean | null {
  const links = left.signs.map((sign, i) =>
    sameLink(
      sign,
      [left.sides[i], left.sides[i + 1]],
      right.signs[i],
      [right.sides[i], right.sides[i + 1]],
      by,
    ),
  );
  return every(links);
}

type Pair = readonly [Answer, Answer];

/** `a < b` and `c < d` say the same when `a - b` is a positive multiple of `c - d`; for equations any multiple does. */
function sameLink(
  sign: Sign,
  [a, b]: Pair,
  other: Sign,
  [c, d]: Pair,
  by: Comparison,
): boolean | null {
  const sides = [a, b, c, d];
  if (sides.some((side) => isCollection(side) || side.kind === "word")) {
    return sign === other ? every([sameAnswer(a, c, by), sameAnswer(b, d, by)]) : false;
  }
  if (!sides.every(isValue)) return null;
  if (sides.some(({ tree }) => hasMatrix(tree))) {
    return sign === other
      ? every([by.sameValue(sides[0], sides[2]), by.sameValue(sides[1], sides[3])])
      : false;
  }
  const ratio = constantRatio(sides as [Value, Value, Value, Value], by.reading);
  if (ratio === null || ratio === 0) return ratio === null ? null : false;
  const symmetric = sign === "=" || sign === "≠";
  return other === (symmetric || ratio > 0 ? sign : FLIPPED[sign]);
}

/** (a - b) / (c - d) where it is the same real number at all points, 0 where it is not, `null` where it has no value. */
function constantRatio(
  [a, b, c, d]: readonly [Value, Value, Value, Value],
  reading: Comparison["reading"],
): number | null {
  const ratios: number[] = [];
  const counting = [a, b, c, d].some(({ tree }) => hasSeries(tree));
  for (let point = 0; point < POINTS; point++) {
    const at = { ...reading, point, counting };
    const left = subtract(evaluate(a.tree, at), evaluate(b.tree, at));
    const right = subtract(evaluate(c.tree, at), evaluate(d.tree, at));
    const ratio = magnitude(left) / magnitude(right);
    if (!Number.isFinite(ratio)) continue;
    // The sign of a ratio of real numbers; for complex ones the first is as good as any.
    const turned = left.re * right.re + left.im * right.im < 0 ? -ratio : ratio;
    ratios.push(turned);
  }
  if (ratios.length < MIN_POINTS) return null;
  return ratios.every((ratio) => near(ratio, ratios[0], PRECISION)) ? ratios[0] : 0;
}

// ---- collections

function sameCollection(gold: Collection, prediction: Collection, by: Comparison): boolean | null {
  if (gold.kind === "interval" && prediction.kind === "interval") {
    return gold.lowOpen === prediction.lowOpen && gold.highOpen === prediction.highOpen
      ? every([
          sameAnswer(gold.low, prediction.low, by),
          sameAnswer(gold.high, prediction.high, by),
        ])
      : false;
  }
  const [a, b] = [realSetOf(gold, by.reading), realSetOf(prediction, by.reading)];
  if (a !== null && b !== null && (hasRange(gold) || hasRange(prediction))) {
    if (sameSet(a, b, (x, y) => near(x, y, PRECISION))) return true;
  }
  if (gold.kind === "combination" || prediction.kind === "combination") {
    return sameCombination(gold, prediction, by);
  }
  const [left, right] = [asPoint(gold), asPoint(prediction)];
  if (left === null || right === null) return false;
  const braced = [left, right].some((side) => side.kind === "set" && side.braces);
  if (by.bracesCount && braced && left.kind !== right.kind) return false;
  if (left.kind === "set" && right.kind === "set") return sameItems(left.items, right.items, by);
  if (left.kind === "set") return sameItems(left.items, right.items, by);
  return left.items.length === right.items.length
    ? every(left.items.map((item, i) => sameAnswer(item, right.items[i], by)))
    : false;
}

const hasRange = (answer: Collection): boolean =>
  answer.kind === "interval" || answer.kind === "combination";

/** `(1,2)` is an open interval or a point; with a point or a list on the other side it is a point. */
function asPoint(answer: Collection): (Answer & { kind: "set" | "tuple" }) | null {
  if (answer.kind === "set" || answer.kind === "tuple") return answer;
  if (answer.kind === "interval" && answer.lowOpen && answer.highOpen) {
    return { kind: "tuple", items: [answer.low, answer.high] };
  }
  return null;
}

/** Unions with letters in their ends: the same parts in any order. */
function sameCombination(gold: Collection, prediction: Collection, by: Comparison): boolean | null {
  if (gold.kind !== "combination" || prediction.kind !== "combination") return false;
  if (gold.operation !== prediction.operation) return false;
  if (gold.operation === "∖") {
    return every([
      sameAnswer(gold.left, prediction.left, by),
      sameAnswer(gold.right, prediction.right, by),
    ]);
  }
  return sameItems(parts(gold, gold.operation), parts(prediction, gold.operation), by);
}

function parts(answer: Answer, operation: "∪" | "∩"): Answer[] {
  return answer.kind === "combination" && answer.operation === operation
    ? [...parts(answer.left, operation), ...parts(answer.right, operation)]
    : [answer];
}

/** In any order; what is stated twice is stated once. */
function sameItems(
  gold: readonly Answer[],
  prediction: readonly Answer[],
  by: Comparison,
): boolean {
  const [left, right] = [distinct(gold, by), distinct(prediction, by)];
  if (left.length !== right.length) return false;
  const open = [...right];
  for (const item of left) {
    const found = open.findIndex((other) => sameAnswer(item, other, by) === true);
    if (found < 0) return false;
    open.splice(found, 1);
  }
  return true;
}

function distinct(items: readonly Answer[], by: Comparison): Answer[] {
  const out: Answer[] = [];
  for (const item of items) {
    if (!out.some((other) => sameAnswer(other, item, by) === true)) out.push(item);
  }
  return out;
}

// ---- values

/** Random points at which formulas are compared. */
const POINTS = 8;
/** Points outside a function's domain say nothing; fewer than these prove nothing. */
const MIN_POINTS = 3;
/** Relative difference of double arithmetic, not of the writer. */
export const PRECISION = 1e-9;

export function near(a: number, b: number, precision: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= precision * Math.max(Math.abs(a), Math.abs(b));
}

/** Whether two formulas have the same value at all points (matrices: entry by entry), `null` where they have none. */
export function sameAtPoints(
  left: MathJson,
  right: MathJson,
  reading: Comparison["reading"],
  close: (a: Complex, b: Complex) => boolean,
): boolean | null {
  let compared = 0;
  const counting = hasSeries(left) || hasSeries(right);
  const matrices = hasMatrix(left) || hasMatrix(right);
  for (let point = 0; point < POINTS; point++) {
    const at = { ...reading, point, counting };
    const pairs = matrices
      ? entries(matrixValue(left, at), matrixValue(right, at))
      : [[evaluate(left, at), evaluate(right, at)] as const];
    if (pairs === null) return hasMatrix(left) && hasMatrix(right) ? null : false;
    for (const [a, b] of pairs) {
      if (Number.isNaN(a.re + a.im) || Number.isNaN(b.re + b.im)) continue;
      if (!close(a, b)) return false;
      compared++;
    }
  }
  return compared < MIN_POINTS ? null : true;
}

function entries(
  a: ReturnType<typeof matrixValue>,
  b: ReturnType<typeof matrixValue>,
): (readonly [Complex, Complex])[] | null {
  if (a === null || b === null || a.length !== b.length || a[0].length !== b[0].length) return null;
  return a.flatMap((row, i) => row.map((entry, j) => [entry, b[i][j]] as const));
}

/** Equal but for the rounding of double arithmetic. */
export const closeValues = (a: Complex, b: Complex): boolean => closeWithin(a, b, PRECISION);

export function closeWithin(a: Complex, b: Complex, precision: number): boolean {
  const size = Math.max(magnitude(a), magnitude(b));
  // Two numbers past the largest double need not be the same one.
  if (!Number.isFinite(size)) return false;
  return magnitude(subtract(a, b)) <= precision * size;
}

/** False beats undecided beats true: one unequal part settles it. */
function every(results: readonly (boolean | null)[]): boolean | null {
  if (results.includes(false)) return false;
  return results.includes(null) ? null : true;
}
