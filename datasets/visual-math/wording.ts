/**
 * The words of questions and readings. They are few and shared, so that a small vocabulary covers every family and a
 * held-out family is new to the eye and not to the ear.
 */
import type { Random } from "../../lib/engine/random";
import type { Task } from "./operands";

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** "Bar A is at 34 and bar C is at 27." */
export function sentence(clauses: readonly string[]): string {
  const text = listed(clauses);
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** The reading `<name> <verb> <value>` for each name, in order. */
export function reading(
  names: readonly string[],
  verb = "is at",
): (values: readonly number[]) => string {
  return (values) => sentence(names.map((name, i) => `${name} ${verb} ${values[i]}`));
}

/** Extra phrasings for a sum and for a difference. */
export interface Phrasings {
  sum?: readonly string[];
  difference?: readonly string[];
}

/** A question for a chain of sums and differences over `names`. */
export function ask(
  random: Random,
  { chain }: Task,
  names: readonly string[],
  extra: Phrasings = {},
): string {
  const [a, b, c] = names;
  if (chain.some((term) => term.op === "-")) {
    if (names.length === 3) return `What is ${a} plus ${b} minus ${c}?`;
    return random.pick([
      `What is ${a} minus ${b}?`,
      `What is the difference between ${a} and ${b}?`,
      ...(extra.difference ?? []),
    ]);
  }
  const plus = names.length === 2 ? `What is ${a} plus ${b}?` : `What is ${a} plus ${b} plus ${c}?`;
  return random.pick([`What is the sum of ${listed(names)}?`, plus, ...(extra.sum ?? [])]);
}
