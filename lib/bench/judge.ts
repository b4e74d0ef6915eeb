/**
 * The place of an LLM judge in a scorer. Rules come first everywhere; where a published procedure asks a model, the rule
 * step carries the question, and whoever has a server may ask it. Without one the rules' own answer stands, and its name
 * says so.
 */

/** What is asked, and how replies are read. */
export interface JudgeQuestion<T> {
  prompt: string;
  /** The sampling temperature of each try in turn; its length is the number of tries. */
  temperatures: readonly number[];
  /** The reply as a value, `null` where it is none and the question must be asked again. */
  read(reply: string): T | null;
  /** What stands when every try fails, in the published procedure. */
  otherwise: T;
}

export interface JudgeRequest {
  prompt: string;
  temperature: number;
  /** Which try at the question this is, from 0: a cache must not answer the second with the first. */
  attempt: number;
}

/** Asks a model once; `null` when it cannot be asked. Retries after a failed connection and caching are the judge's own. */
export type Judge = (request: JudgeRequest) => Promise<string | null>;

/** What a rule says, and whom it would rather have asked. */
export interface Step<T> {
  value: T;
  /** The rule that decided, within its family. */
  rule: string;
  ask?: JudgeQuestion<T>;
}

/** Added to the rule's name where a model should have been asked and none was. */
export const UNASKED = "no-judge";
/** Added where one was asked, and did not answer. */
export const UNREACHABLE = "judge-unreachable";

/** The value of a step by rules alone. */
export function byRule<T>({ value, rule, ask }: Step<T>): { value: T; rule: string } {
  return { value, rule: ask === undefined ? rule : `${rule}(${UNASKED})` };
}

/**
 * The value of a step, from the judge where the procedure asks one; by rules, and labelled so, where it cannot be asked.
 * @throws what the judge throws
 */
export async function byJudge<T>(
  { value, rule, ask }: Step<T>,
  judge: Judge,
): Promise<{ value: T; rule: string }> {
  if (ask === undefined) return { value, rule };
  for (const [attempt, temperature] of ask.temperatures.entries()) {
    const reply = await judge({ prompt: ask.prompt, temperature, attempt });
    if (reply === null) return { value, rule: `${rule}(${UNREACHABLE})` };
    const read = ask.read(reply);
    if (read !== null) return { value: read, rule: "llm-judge" };
  }
  return { value: ask.otherwise, rule: "llm-judge-failed" };
}
