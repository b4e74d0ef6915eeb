/** Lists. */

/** Consecutive pieces of at most `size` items. */
export function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, i) =>
    items.slice(i * size, (i + 1) * size),
  );
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

/** The items, where none of them is missing. */
export function complete<T>(items: readonly (T | null)[]): T[] | null {
  return items.every((item): item is T => item !== null) ? [...items] : null;
}
