/** Reflections that would fit any problem, and reflections that say what others have said already: they teach a habit of words. */

/** Sentences that teachers fall back on. Compared by their words, so that a changed word or two makes no difference. */
const STOCK: readonly string[] = [
  "the first solution is correct",
  "the solution is wrong",
  "the reasoning is correct",
  "the reasoning is clear and correct",
  "the reasoning is clear concise and easy to follow",
  "the answer is correct and well explained",
  "the approach is sound and no changes are needed",
  "no changes are needed",
  "no mistakes were found",
  "there is a mistake in the solution",
  "there is an error in the calculation",
  "there is a mistake in the reasoning",
  "the calculation contains an error",
  "i made a mistake in my first solution",
  "i should have been more careful",
  "i need to check my work more carefully",
  "i should double check the calculations",
  "the solution could be more concise",
  "the reasoning could be clearer",
  "i should look at the picture more carefully",
  "let me solve the problem again step by step",
  "looks right",
  "looks wrong",
  "looks good",
  "right",
  "wrong",
  "correct",
  "incorrect",
];

/** From this similarity on, two texts say the same. */
const SAME = 0.75;
/** As {@link SAME}, of two whole reflections. */
const ALIKE = 0.9;
/** Words outside of stock sentences that make a reflection one of its own. */
const OWN_WORDS = 3;

/** Whether hardly anything is left of a reflection without its stock sentences. One that names a number is about its problem. */
export function isStock(reflection: string): boolean {
  if (/\p{N}/u.test(reflection)) return false;
  let own = 0;
  for (const sentence of reflection.split(/(?<=[.!?;])\s+|\n+/)) {
    const words = wordsOf(sentence);
    const stock = STOCK_WORDS.some((phrase) => similarity(phrase, words) >= SAME);
    if (!stock) own += words.length;
  }
  return own < OWN_WORDS;
}

/**
 * Counts reflections that are nearly the same. Reflections of one set are compared by their words, numbers included: the same words
 * about other numbers are another calculation. Of each kind its words are kept as numbers, some hundred bytes.
 * @param most how many of a kind there may be
 * @returns a function that says of each reflection in turn whether there were enough of its kind before it
 */
export function createRepeatFilter(most: number): (reflection: string) => boolean {
  if (most === Infinity) return () => false;
  const kinds: { words: Uint32Array; count: number }[] = [];
  const numbers = new Map<string, number>();
  /** The kinds that have a word, by its number. */
  const places: number[][] = [];
  const numberOf = (word: string): number => {
    const known = numbers.get(word);
    if (known !== undefined) return known;
    numbers.set(word, places.length);
    return places.push([]) - 1;
  };
  return (reflection) => {
    const words = Uint32Array.from(wordsOf(reflection), numberOf);
    // Two texts that are ALIKE share more than four fifths of their words, so one of the rarest fifth too.
    const rarest = [...words].sort((a, b) => places[a].length - places[b].length);
    const probes = new Set(rarest.slice(0, Math.floor(words.length * (2 / ALIKE - 2)) + 1));
    for (const word of probes) {
      const at = places[word].find((n) => similarity(kinds[n].words, words) >= ALIKE);
      if (at !== undefined) return ++kinds[at].count > most;
    }
    const at = kinds.push({ words, count: 1 }) - 1;
    for (const word of new Set(words)) places[word].push(at);
    return false;
  };
}

function wordsOf(text: string): string[] {
  return (
    text.toLowerCase().match(/[\p{L}']+|[\p{N}+\-*/=.,^·×<>]*\p{N}[\p{N}+\-*/=^·×<>]*/gu) ?? []
  );
}

/** Dice's coefficient of two lists of words as multisets, 0 to 1. */
function similarity<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  if (a.length === 0 || b.length === 0) return 0;
  const left = new Map<T, number>();
  for (let i = 0; i < a.length; i++) left.set(a[i], (left.get(a[i]) ?? 0) + 1);
  let shared = 0;
  for (let i = 0; i < b.length; i++) {
    const count = left.get(b[i]) ?? 0;
    if (count === 0) continue;
    left.set(b[i], count - 1);
    shared++;
  }
  return (2 * shared) / (a.length + b.length);
}

const STOCK_WORDS = STOCK.map(wordsOf);
