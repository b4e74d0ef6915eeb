/** Lists. */

/** What has a length and can be gone through again and again: an array, or {@link lazyList}, whose items need no memory. */
export interface List<T> extends Iterable<T> {
  readonly length: number;
}

/** A list whose items are made each time they are looked at. */
export function lazyList<T>(length: number, itemAt: (index: number) => T): List<T> {
  return {
    length,
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield itemAt(index);
    },
  };
}

/** `Array.map` of items that come one by one. */
export function* mapRows<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<R> {
  for (const item of items) yield map(item);
}

/** Consecutive pieces of at most `size` items. */
export function chunk<T>(items: readonly T[], size: number): T[][] {
  return [...chunks(items, size)];
}

/** {@link chunk} of items that come one by one. */
export function* chunks<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < size) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}

/** Like `Promise.all(items.map(work))` with at most `limit` at a time. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, worker));
  return results;
}

/** Results that wait for a slower one before them, at most, as a multiple of the limit. */
const AHEAD = 8;

/**
 * {@link mapBounded} for items of any number: results come one by one, in the items' order, and neither items nor results are kept. A
 * failure is thrown where its turn comes.
 */
export async function* mapInOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const enter = createGate(limit);
  const waiting: Promise<R>[] = [];
  for (const item of items) {
    const result = enter(() => work(item));
    // It is looked at when its turn comes; until then a failure is no unhandled one.
    result.catch(() => undefined);
    waiting.push(result);
    if (waiting.length >= AHEAD * limit) yield (await waiting.shift()) as R;
  }
  for (const result of waiting) yield await result;
}

/** Lets at most `limit` pieces of work run at a time, in the order in which they came. */
export function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = limit;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

/** The items, where none of them is missing. */
export function complete<T>(items: readonly (T | null)[]): T[] | null {
  return items.every((item): item is T => item !== null) ? [...items] : null;
}
