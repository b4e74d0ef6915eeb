/** Matrices of values: sums, products and powers of what `\begin{pmatrix}` holds. */
import { complete } from "../../engine/lists";
import * as c from "./complex";
import { complex, type Complex } from "./complex";
import { evaluate, type Reading } from "./evaluate";
import { argsOf, headOf, type MathJson } from "./mathjson";

/** Rows of equal length, `[rows, columns]`. */
export type Matrix = readonly (readonly Complex[])[];

/** Entries of the largest matrix that is calculated with. */
const MAX_ENTRIES = 100;

/** True where the formula's value may be a matrix. */
export function hasMatrix(tree: MathJson): boolean {
  return headOf(tree) === "Matrix" || argsOf(tree).some(hasMatrix);
}

/** The formula's value as a matrix, `null` where it is none or the shapes do not fit. */
export function matrixValue(tree: MathJson, reading: Reading): Matrix | null {
  const head = headOf(tree);
  if (head === "Matrix") return literal(argsOf(tree)[0] ?? "Nothing", reading);
  const args = argsOf(tree);
  if (head === "Determinant") {
    const inner = matrixValue(args[0], reading);
    return inner === null ? null : determinant(inner);
  }
  if (head === "Power" && typeof args[1] === "number") return raise(args[0], args[1], reading);
  const parts = complete(
    args.map((part) =>
      hasMatrix(part) ? matrixValue(part, reading) : [[evaluate(part, reading)]],
    ),
  );
  if (parts === null || parts.length === 0) return null;
  switch (head) {
    case "Add":
      return parts.reduce<Matrix | null>(plus, null);
    case "Subtract":
      return plus(parts[0], scaled(parts[1], complex(-1)));
    case "Negate":
      return scaled(parts[0], complex(-1));
    case "Multiply":
    case "InvisibleOperator":
      return parts.reduce<Matrix | null>(times, [[complex(1)]]);
    default:
      return null;
  }
}

function literal(list: MathJson, reading: Reading): Matrix | null {
  const rows = argsOf(list).map((row) =>
    headOf(row) === "List"
      ? argsOf(row).map((entry) => evaluate(entry, reading))
      : [evaluate(row, reading)],
  );
  // `\\` after the last row leaves an empty one.
  const filled = rows.filter((row) => !row.every(({ re }) => Number.isNaN(re)));
  const width = filled[0]?.length ?? 0;
  const fits = filled.every((row) => row.length === width) && filled.length * width <= MAX_ENTRIES;
  return fits && width > 0 ? filled : null;
}

const scaled = (a: Matrix, factor: Complex): Matrix =>
  a.map((row) => row.map((entry) => c.multiply(entry, factor)));

function plus(a: Matrix | null, b: Matrix): Matrix | null {
  if (a === null) return b;
  if (a.length !== b.length || a[0].length !== b[0].length) return null;
  return a.map((row, i) => row.map((entry, j) => c.add(entry, b[i][j])));
}

function times(a: Matrix | null, b: Matrix): Matrix | null {
  if (a === null) return null;
  if (a.length === 1 && a[0].length === 1) return scaled(b, a[0][0]);
  if (b.length === 1 && b[0].length === 1) return scaled(a, b[0][0]);
  if (a[0].length !== b.length) return null;
  return a.map((row) =>
    b[0].map((_, j) => row.reduce((sum, x, k) => c.add(sum, c.multiply(x, b[k][j])), complex(0))),
  );
}

function raise(base: MathJson, exponent: number, reading: Reading): Matrix | null {
  const matrix = hasMatrix(base) ? matrixValue(base, reading) : null;
  if (matrix === null || !Number.isInteger(exponent) || exponent < 1 || exponent > 10) return null;
  let out: Matrix | null = matrix;
  for (let i = 1; i < exponent; i++) out = times(out, matrix);
  return out;
}

/** By elimination with the largest pivot. As a matrix of one entry. */
function determinant(a: Matrix): Matrix | null {
  if (a.length !== a[0].length) return null;
  const rows = a.map((row) => [...row]);
  let out = complex(1);
  for (let k = 0; k < rows.length; k++) {
    const column = rows.slice(k).map((row) => c.magnitude(row[k]));
    const pivot = k + column.indexOf(Math.max(...column));
    if (pivot !== k) out = c.negate(out);
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    out = c.multiply(out, rows[k][k]);
    if (c.magnitude(rows[k][k]) === 0) return [[complex(0)]];
    for (const row of rows.slice(k + 1)) {
      const factor = c.divide(row[k], rows[k][k]);
      row.forEach((entry, j) => (row[j] = c.subtract(entry, c.multiply(factor, rows[k][j]))));
    }
  }
  return [[out]];
}
