/** Sets of real numbers as disjoint intervals in order. */

export interface Range {
  readonly low: number;
  readonly high: number;
  readonly lowOpen: boolean;
  readonly highOpen: boolean;
}

/** Ranges that neither overlap nor touch, from small to large. A point is a closed range of no length. */
export type RealSet = readonly Range[];

export const REALS: RealSet = [{ low: -Infinity, high: Infinity, lowOpen: true, highOpen: true }];

export const point = (x: number): RealSet => [{ low: x, high: x, lowOpen: false, highOpen: false }];

export function range(given: Range): RealSet {
  const { low, high, lowOpen, highOpen } = given;
  if (Number.isNaN(low) || Number.isNaN(high) || low > high) return [];
  if (low === high) return lowOpen || highOpen ? [] : [given];
  // No set of real numbers holds infinity.
  return [
    {
      low,
      high,
      lowOpen: lowOpen || low === -Infinity,
      highOpen: highOpen || high === Infinity,
    },
  ];
}

export function union(a: RealSet, b: RealSet): RealSet {
  const sorted = [...a, ...b].sort(
    (x, y) => x.low - y.low || Number(x.lowOpen) - Number(y.lowOpen),
  );
  const out: Range[] = [];
  for (const next of sorted) {
    const last = out[out.length - 1];
    if (last === undefined || apart(last, next)) out.push(next);
    else out[out.length - 1] = joined(last, next);
  }
  return out;
}

/** Between the end of one and the start of the next there is a number in neither. */
const apart = (a: Range, b: Range): boolean =>
  b.low > a.high || (b.low === a.high && a.highOpen && b.lowOpen);

function joined(a: Range, b: Range): Range {
  if (b.high < a.high) return a;
  const highOpen = b.high > a.high ? b.highOpen : a.highOpen && b.highOpen;
  return { ...a, high: b.high, highOpen };
}

export function complement(a: RealSet): RealSet {
  const out: Range[] = [];
  let [low, lowOpen] = [-Infinity, true];
  for (const part of a) {
    out.push(...range({ low, high: part.low, lowOpen, highOpen: !part.lowOpen }));
    [low, lowOpen] = [part.high, !part.highOpen];
  }
  return low === Infinity
    ? out
    : [...out, ...range({ low, high: Infinity, lowOpen, highOpen: true })];
}

export const intersection = (a: RealSet, b: RealSet): RealSet =>
  complement(union(complement(a), complement(b)));

export const difference = (a: RealSet, b: RealSet): RealSet => intersection(a, complement(b));

export function holdsNumber(set: RealSet, x: number): boolean {
  return set.some(
    ({ low, high, lowOpen, highOpen }) =>
      (lowOpen ? x > low : x >= low) && (highOpen ? x < high : x <= high),
  );
}

/** Equal up to the rounding of their ends. */
export function sameSet(a: RealSet, b: RealSet, near: (x: number, y: number) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every(
      (part, i) =>
        part.lowOpen === b[i].lowOpen &&
        part.highOpen === b[i].highOpen &&
        near(part.low, b[i].low) &&
        near(part.high, b[i].high),
    )
  );
}
