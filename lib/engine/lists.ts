/** Lists. */

/** Consecutive pieces of at most `size` items. */
export function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/** The items, where none of them is missing. */
export function complete<T>(items: readonly (T | null)[]): T[] | null {
  return items.every((item): item is T => item !== null) ? [...items] : null;
}
