/** Scores saved responses: takes the answer out of each, judges it, and names the rules that did. */
import { fault } from "../engine/errors";
import { parseResponse } from "../reflection/template";
import { transitionOf, type Outcome } from "../reflection/transitions";
import type { Transition, Verdict } from "../types";
import type { Benchmark, BenchRecord, Judgement, RuleFamily } from "./benchmark";
import { firstText, hasGold } from "./fields";
import { byJudge, byRule, type Judge, type Step } from "./judge";
import { pythonStr } from "./python-literal";

export interface ScoreOptions {
  rules?: RuleFamily;
  /**
   * Which answer of a two-solution response counts. SRPO's published evaluation scored the first `<answer>`; the method's
   * result is the second.
   */
  answer?: "second" | "first";
}

/** A verdict of the answer that counts and, of a two-solution response, of both. */
export interface ScoredResponse extends Verdict {
  first?: Verdict;
  second?: Verdict | null;
  transition?: Transition | null;
}

/**
 * Scores one record by rules alone. A step at which the published procedure asks a model carries `(no-judge)` in `rule`.
 * @param record the benchmark's own fields, and `response` (the whole text) or `extraction` (the answer taken out already)
 * @throws LabError naming a field that is missing
 */
export function scoreRecord(
  benchmark: Benchmark,
  record: BenchRecord,
  { rules = "official", answer = "second" }: ScoreOptions = {},
): ScoredResponse {
  const given = answersOf(benchmark, record);
  const score = (each: Given): Verdict => {
    if (each.text === null) return nothing(rules, "no-answer");
    const found: Decided<string | null> = each.extracted
      ? { value: each.text, rule: "" }
      : byRule(benchmark.extract(each.text, record, rules));
    return found.value === null
      ? nothing(rules, found.rule)
      : verdict(rules, found, byRule(benchmark.judge(found.value, record, rules)));
  };
  return named(record, combine(given.map(score), answer));
}

/** As {@link scoreRecord}, with a model asked wherever the published procedure asks one. @throws what the judge throws */
export async function scoreWithJudge(
  benchmark: Benchmark,
  record: BenchRecord,
  judge: Judge,
  { rules = "official", answer = "second" }: ScoreOptions = {},
): Promise<ScoredResponse> {
  const verdicts: Verdict[] = [];
  const settle = <T>(step: Step<T>): Promise<Decided<T>> => byJudge(step, judge);
  for (const each of answersOf(benchmark, record)) {
    if (each.text === null) {
      verdicts.push(nothing(rules, "no-answer"));
      continue;
    }
    const found: Decided<string | null> = each.extracted
      ? { value: each.text, rule: "" }
      : await settle(benchmark.extract(each.text, record, rules));
    verdicts.push(
      found.value === null
        ? nothing(rules, found.rule)
        : verdict(rules, found, await settle(benchmark.judge(found.value, record, rules))),
    );
  }
  return named(record, combine(verdicts, answer));
}

/** A record without a gold answer still gets its extraction; that nothing was compared stands in the rule. */
function named(record: BenchRecord, scored: ScoredResponse): ScoredResponse {
  return hasGold(record) ? scored : { ...scored, rule: `${scored.rule}(no-gold)` };
}

interface Decided<T> {
  value: T;
  rule: string;
}

/** A text to score; `extracted` when the answer has been taken out of it already. */
interface Given {
  text: string | null;
  extracted: boolean;
}

/** One text of an ordinary response; of a two-solution response the inside of both answers. */
function answersOf(benchmark: Benchmark, record: BenchRecord): Given[] {
  const { extraction, response } = record;
  if (extraction !== undefined) {
    return [{ text: extraction === null ? null : pythonStr(extraction), extracted: true }];
  }
  if (response === undefined) {
    const alias = record[benchmark.extractionField];
    if (typeof alias === "string") return [{ text: alias, extracted: true }];
    throw fault("score", "no response", {
      expected: `"response" (the whole text) or "extraction" (the answer alone)`,
    });
  }
  if (response === null) return [{ text: null, extracted: false }];
  if (typeof response !== "string") {
    throw fault("score", "response is no text", { got: response });
  }
  const { first, reflection, second } = parseResponse(response);
  if (reflection !== null || second.answer !== null) {
    return [first.answer, second.answer].map((text) => ({ text, extracted: false }));
  }
  // The scorers know nothing of tags: what stands between them is the response's answer.
  return [{ text: first.answer?.trim() ?? response, extracted: false }];
}

function nothing(rules: RuleFamily, rule: string): Verdict {
  return { extraction: null, prediction: null, correct: false, rule: `${rules}/${rule}` };
}

function verdict(
  rules: RuleFamily,
  extracted: Decided<string | null>,
  judged: Decided<Judgement>,
): Verdict {
  const rule = extracted.rule === "" ? judged.rule : `${extracted.rule}+${judged.rule}`;
  return { extraction: extracted.value, ...judged.value, rule: `${rules}/${rule}` };
}

/** A second solution without an answer leaves the first one standing, as in the transitions' final accuracy. */
function combine(verdicts: readonly Verdict[], answer: "second" | "first"): ScoredResponse {
  const [first, second] = verdicts;
  if (second === undefined) return first;
  const answered = (each: Verdict) => !each.rule.endsWith("/no-answer");
  const transition = transitionOf(
    answered(first) ? first.correct : null,
    answered(second) ? second.correct : null,
  );
  const counted = answer === "second" && answered(second) ? second : first;
  return { ...counted, first, second: answered(second) ? second : null, transition };
}

/** First and second answer for `summarizeTransitions`; a single answer is a first one. */
export function outcomeOf({ correct, first, second }: ScoredResponse): Outcome {
  return first === undefined
    ? { first: correct, second: null }
    : { first: first.correct, second: second?.correct ?? null };
}

/** The record's identifier under its own name, as `{ pid: "7" }`; empty where it has none. */
export function identifierOf(benchmark: Benchmark, record: BenchRecord): Record<string, unknown> {
  const field = [...benchmark.idFields, "id", "pid", "index"].find(
    (name) => firstText(record, [name]) !== null,
  );
  return field === undefined ? {} : { [field]: record[field] };
}
