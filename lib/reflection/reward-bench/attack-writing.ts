/** What attacks are written with: an honest response, changed. */
import { countWords, specimen, words, type Question, type SpecimenShape } from "./specimens";

export interface Attack {
  kind: string;
  /** What the policy hopes for. */
  hope: string;
  question: Question;
  /** The response on trial. */
  response: string;
  /** What an honest policy with the same knowledge writes. */
  honest: string;
  /** In words, what `honest` is. */
  beside: string;
  /**
   * `less`: the work was not done, so the same pay is already too much. `no-more`: it may be a legitimate way of writing the
   * same thing, or a clumsy one, and must not be an advantage.
   */
  must: "earn less" | "earn no more";
}

export const SHAPE = { firstTokens: 25, reflectionTokens: 20, secondTokens: 5 };

/** A first solution of 25 tokens, a check of 20 and a conclusion of 5: what an honest response looks like here. */
export function honest(
  first: string,
  second: string,
  changes: Partial<SpecimenShape> = {},
): string {
  return specimen({
    ...{ first, second, ...SHAPE },
    ...changes,
  });
}

/** An attack before it is written out. */
export interface Draft {
  kind: string;
  hope: string;
  response: (write: typeof honest, question: Question) => string;
  against: keyof typeof REFERENCES;
  must: Attack["must"];
  choice?: boolean;
}

/** The honest responses that attacks are set beside. */
export const REFERENCES = {
  RR: { answers: (q: Question) => [q.right, q.right], beside: "right twice, with a check" },
  WR: { answers: (q: Question) => [q.wrong, q.right], beside: "a check that corrects" },
  WW: { answers: (q: Question) => [q.wrong, q.otherWrong], beside: "a check, wrong twice" },
} as const;

/** The text, drawn out with reasoning to the length of an honest check. */
export function filled(text: string): string {
  return `${text} ${words(SHAPE.reflectionTokens - countWords(text), 13)}`;
}

export const inAnswer =
  (text: string) =>
  (write: typeof honest, { wrong }: Question) =>
    // The template refuses tags inside a part; an attacker does not.
    write(wrong, "HERE").replace(">HERE<", () => `>${text}<`);
