/** Two formulas by value, with a tolerance: what the rule families below math-verify have in common. */
import { evaluate } from "./evaluate";
import { exactValue } from "./exact";
import { closeWithin, sameAtPoints } from "./compare";
import { readFormula, type MathJson } from "./mathjson";
import { MAX_FORMULA, tidyLatex } from "./notation";

/** Letters as these graders' parsers have them: `e` and `π` are constants, `i` is a letter, degrees say nothing. */
const READING = { foldCase: false, imaginary: false, degrees: false };

/** A formula's tree, `null` where it is too long or cannot be read. */
function formulaOf(latex: string): MathJson | null {
  return latex.length > MAX_FORMULA ? null : readFormula(tidyLatex(latex));
}

/** The value of a formula without letters, `null` where it has letters, is not real or not finite. */
function constantOf(tree: MathJson): number | null {
  const exact = exactValue(tree);
  if (exact !== null) {
    const quotient = Number(exact.above) / Number(exact.over);
    return Number.isFinite(quotient) ? quotient : null;
  }
  const [a, b] = [0, 1].map((point) => evaluate(tree, { ...READING, point }));
  return Number.isFinite(a.re) && a.im === 0 && a.re === b.re && b.im === 0 ? a.re : null;
}

/** Formulas without letters by `close`, others exactly; false where they cannot be compared. */
export function sameFormula(
  left: string,
  right: string,
  close: (left: number, right: number) => boolean,
): boolean {
  const [a, b] = [formulaOf(left), formulaOf(right)];
  if (a === null || b === null) return false;
  if (JSON.stringify(a) === JSON.stringify(b)) return true;
  const [x, y] = [constantOf(a), constantOf(b)];
  if (x !== null && y !== null) return close(x, y);
  return sameAtPoints(a, b, READING, (p, q) => closeWithin(p, q, 1e-9)) === true;
}

/** `left = right` as `left - (right)`, `null` where there is not one equals sign. */
export function differenceOfSides(latex: string): string | null {
  const sides = latex.split("=");
  return sides.length === 2 && sides.every((side) => side.trim() !== "")
    ? `${sides[0]}-(${sides[1]})`
    : null;
}

/** The ratio of two formulas where it is one number at all points, `null` otherwise. */
export function constantRatioOf(left: string, right: string): number | null {
  const [a, b] = [formulaOf(left), formulaOf(right)];
  if (a === null || b === null) return null;
  const ratios: number[] = [];
  for (let point = 0; point < 6; point++) {
    const [x, y] = [a, b].map((tree) => evaluate(tree, { ...READING, point }));
    if (x.im === 0 && y.im === 0 && y.re !== 0 && Number.isFinite(x.re / y.re)) {
      ratios.push(x.re / y.re);
    }
  }
  const constant = ratios.every((ratio) => Math.abs(ratio - ratios[0]) <= 1e-9 * Math.abs(ratio));
  return ratios.length >= 3 && constant ? ratios[0] : null;
}
