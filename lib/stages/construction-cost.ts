/** What data construction over servers would use, before anybody is asked: attempts and lessons that do not exist yet are taken at their longest. */
import type { Spec } from "../config";
import { mapRows, type List } from "../engine/lists";
import type { Attempt } from "../reflection/selection";
import { renderSolution } from "../reflection/template";
import type { ChatClient, Estimate } from "../rollout/openai/client";
import { charactersOf } from "../rollout/openai/cost";
import { rolloutRequests } from "../rollout/openai/engine";
import type { Estimated } from "../rollout/openai/teacher";
import type { Problem } from "../types";
import { attemptRequest } from "./construct";
import type { PolicyRef, ServedPolicy } from "./context";

export interface ConstructionCost {
  problems: number;
  /** One part each for whoever is asked over a server. */
  policy?: Estimate;
  judge?: Estimate;
  /** Of one try a lesson; what a filter refuses is asked for again. */
  teacher?: Estimate;
  /** All parts together that have prices. */
  dollars?: number;
}

/** @param options whoever is asked over a server, and how many answers a problem gets */
export async function estimateConstruction(
  spec: Spec,
  policy: PolicyRef | ServedPolicy,
  problems: List<Problem>,
  {
    attempts = 1,
    ...asked
  }: { attempts?: number; client?: ChatClient; judge?: Estimated; teacher?: Estimated },
): Promise<ConstructionCost> {
  const { target, maxNewTokens } = spec.construction;
  const longest = (problem: Problem): Attempt => longestAttempt(problem, maxNewTokens);
  const parts: Pick<ConstructionCost, "policy" | "judge" | "teacher"> = {};
  if (asked.client !== undefined) {
    const request = attemptRequest(spec, policy, attempts);
    parts.policy = await asked.client.estimate(rolloutRequests(problems, request));
  }
  if (asked.judge !== undefined) {
    parts.judge = times(await asked.judge.estimate(mapRows(problems, longest)), attempts);
  }
  if (asked.teacher !== undefined) {
    // Which problems will be taught nobody knows; these are as good as any.
    const lessons = Math.min(target, problems.length);
    parts.teacher = await asked.teacher.estimate(mapRows(first(problems, lessons), longest));
  }
  const priced = Object.values(parts).flatMap(({ dollars }) => dollars ?? []);
  const dollars = priced.reduce((sum, part) => sum + part, 0);
  return { problems: problems.length, ...parts, ...(priced.length === 0 ? {} : { dollars }) };
}

/** A wrong attempt, whose lesson is the longer one, that uses all of its tokens. */
function longestAttempt(problem: Problem, tokens: number): Attempt {
  const text = renderSolution({ think: "-".repeat(charactersOf(tokens)), answer: "-" });
  const nothing = { extraction: null, prediction: null, correct: false, rule: "none" };
  return { problem, text, verdict: nothing };
}

function times(estimate: Estimate, count: number): Estimate {
  const { calls, cached, promptTokens, completionTokens, dollars } = estimate;
  return {
    ...{ calls: calls * count, cached: cached * count },
    ...{ promptTokens: promptTokens * count, completionTokens: completionTokens * count },
    ...(dollars === undefined ? {} : { dollars: dollars * count }),
  };
}

function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
