/**
 * A model on a benchmark: the lab's own policies, any OpenAI-compatible server, or saved responses of anybody's. The run's folder is
 * that of model, prompt and sampling; its answers serve every rule family and every limit, each with results of its own.
 */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { askedKey, askProblem, type AskKind } from "../bench/ask";
import type { RuleFamily } from "../bench/benchmark";
import { createJudge } from "../bench/llm-judge";
import type { LoadedProblem } from "../bench/load";
import { nameOptions } from "../bench/open-question";
import type { SavedResponse } from "../bench/responses";
import {
  benchResults,
  resultCsv,
  type BenchResults,
  type BenchSpec,
  type ScoredProblem,
  type ScoredSample,
} from "../bench/results";
import { scoreRecord, scoreWithJudge } from "../bench/score";
import { findSeen } from "../bench/seen";
import { selectProblems } from "../bench/select";
import { describeEngine } from "../engine/backend";
import { fault } from "../engine/errors";
import { canonicalJson, contentHash, writeFileAtomic } from "../engine/files";
import { mapBounded } from "../engine/lists";
import { labVersion, runsFolder } from "../paths";
import type { ChatClient } from "../rollout/openai/client";
import { costOf } from "../rollout/openai/cost";
import { createOpenAiEngine } from "../rollout/openai/engine";
import { openRun } from "../train/run";
import { loadFiles, type FileOptions, type LoadedFiles } from "./benchmark-files";
import { collectAnswers, type Answer, type KeyedProblem } from "./answers";
import { supervise, withEngine, type PolicyRef, type StageOptions } from "./context";
import { withExported, type ExportedModel } from "./exported";

/** Who answers. */
export type Contestant =
  | { kind: "policy"; policy: PolicyRef }
  | {
      kind: "server";
      client: ChatClient;
      sendSeed?: boolean;
      extra?: Readonly<Record<string, unknown>>;
    }
  /** @see exportedModel */
  | ExportedModel
  /** @see readResponses */
  | { kind: "responses"; file: string; name?: string };

export interface BenchmarkOptions extends FileOptions, Omit<StageOptions, "force"> {
  /** `lab` or `lab-reflect` for a policy, as it was trained, and `cot` for all others unless told otherwise. */
  ask?: AskKind;
  /** Samples a problem; 1 unless told otherwise. */
  samples?: number;
  /** 0 unless told otherwise. */
  temperature?: number;
  topP?: number;
  maxNewTokens?: number;
  /** Problems at most, a stratified sample. */
  limit?: number;
  /** Of the samples and of the limit. */
  seed?: string | number;
  rules?: RuleFamily;
  answer?: "first" | "second";
  /** Asked where the published procedure asks a model. */
  judge?: ChatClient;
  /** Training data that the problems are looked for in. */
  trainedOn?: readonly string[];
}

export interface BenchmarkResult {
  folder: string;
  /** The results as JSON. */
  file: string;
  results: BenchResults;
}

/** Problems that a policy in this process answers at once. */
const ROWS = 64;

/**
 * @throws LabError when a file, a record or a picture cannot be used, or no request can be answered; Interrupted. What was answered
 * is kept, and the same call goes on from there
 */
export function runBenchmark(
  contestant: Contestant,
  options: BenchmarkOptions,
): Promise<BenchmarkResult> {
  return supervise(options, async (signal) => {
    const started = Date.now();
    const { benchmark, seed = 1, limit, trainedOn = [] } = options;
    const { file: responses } = contestant.kind === "responses" ? contestant : {};
    const loaded = await loadFiles(options, responses);
    const problems = selectProblems(loaded.problems, { limit, seed: `${seed}/${benchmark.name}` });
    const spec = specOf(contestant, options, loaded);
    const run = openRun({
      ...{ root: runsFolder(), stage: "bench", preset: benchmark.name },
      inputs: { model: spec.model, sampling: spec.sampling, seed: spec.seed },
    });
    const scorer = createScorer(problems, options, signal);
    const unanswered =
      loaded.responses !== undefined
        ? await takeResponses(problems, loaded.responses, scorer)
        : await takeAnswers(contestant, problems, {
            ...{ spec, options, scorer, signal, file: join(run.folder, "answers.jsonl") },
          });
    const seen = trainedOn.length === 0 ? undefined : await findSeen(problems, trainedOn);
    const results = benchResults(benchmark, scorer.scored(), {
      spec,
      files: loaded.files,
      available: loaded.problems.length,
      versions: versionsOf(contestant),
      hashes: scorer.hashes(),
      usage: usageOf(scorer.answers(), contestant),
      ...(options.judge === undefined ? {} : { judgeUsage: judgeUsage(options.judge) }),
      unanswered,
      ...(seen === undefined ? {} : { seen }),
      created: new Date().toISOString(),
      seconds: (Date.now() - started) / 1000,
    });
    const { rules, answer, judge, samples } = spec;
    const scoring = { rules, answer, judge, samples, limit: spec.limit, files: loaded.files };
    const file = join(run.folder, `results-${contentHash(canonicalJson(scoring), 8)}.json`);
    writeFileAtomic(file, JSON.stringify(results, null, 1) + "\n");
    writeFileAtomic(file.replace(/json$/, "csv"), resultCsv(results));
    run.finish({ steps: problems.length, accuracy: results.accuracy.value });
    return { folder: run.folder, file, results };
  });
}

function specOf(
  contestant: Contestant,
  options: BenchmarkOptions,
  { responses, responsesHash }: LoadedFiles,
): BenchSpec {
  const { benchmark, rules = "official", answer = "second", judge, limit, seed = 1 } = options;
  if (/policy|export/.test(contestant.kind) && options.topP !== undefined) {
    throw fault("runBenchmark", "a model in this process samples from all tokens", {
      ...{ got: { topP: options.topP }, try: "a temperature, or a server" },
    });
  }
  const saved = Math.max(1, ...[...(responses?.values() ?? [])].map(({ length }) => length));
  return {
    benchmark: benchmark.name,
    model: modelOf(contestant, responsesHash),
    sampling:
      contestant.kind === "responses"
        ? null
        : {
            ask: options.ask ?? defaultAsk(contestant),
            temperature: options.temperature ?? 0,
            topP: options.topP ?? null,
            maxNewTokens: options.maxNewTokens ?? (defaultAsk(contestant) === "cot" ? 2048 : 144),
          },
    samples: responses === undefined ? (options.samples ?? 1) : saved,
    ...{ rules, answer, limit: limit ?? null, seed: String(seed) },
    judge: judge === undefined ? null : { model: judge.model, server: judge.server },
  };
}

function modelOf(contestant: Contestant, responsesHash: string | undefined): BenchSpec["model"] {
  switch (contestant.kind) {
    case "policy":
      return { name: contestant.policy.name, kind: "policy", of: contestant.policy.hash };
    case "server": {
      const { model, server } = contestant.client;
      const extra = contestant.extra === undefined ? "" : ` ${canonicalJson(contestant.extra)}`;
      return { name: model, kind: "server", of: `${server} ${model}${extra}` };
    }
    case "export":
      return { name: contestant.name, kind: "export", of: contestant.of };
    case "responses":
      return {
        name: contestant.name ?? basename(contestant.file),
        ...{ kind: "responses", of: responsesHash ?? "" },
      };
  }
}

/** A policy of the lab is asked as it was trained. */
const OWN_ASK: Readonly<Record<PolicyRef["style"], AskKind>> = {
  direct: "lab",
  reflect: "lab-reflect",
  "two-step": "lab-two-step",
};

function defaultAsk(contestant: Contestant): AskKind {
  if (contestant.kind === "export") return contestant.ask;
  if (contestant.kind !== "policy") return "cot";
  return OWN_ASK[contestant.policy.style];
}

/** Scores samples as they come, and tells the watcher how it goes. */
function createScorer(
  problems: readonly LoadedProblem[],
  { benchmark, rules = "official", answer = "second", judge, watch }: BenchmarkOptions,
  signal: AbortSignal,
) {
  const ask = judge === undefined ? undefined : createJudge(judge, { signal });
  const scored: ScoredSample[][] = problems.map(() => []);
  const taken: Answer[] = [];
  const totals = { problems: 0, samples: 0, correct: 0, tokens: 0 };
  const [prompts, texts] = [new Map<number, string>(), new Map<number, string>()];
  const score = (record: LoadedProblem["record"]) =>
    ask === undefined
      ? scoreRecord(benchmark, record, { rules, answer })
      : scoreWithJudge(benchmark, record, ask, { rules, answer });
  return {
    /** @param given a sample each */
    take: async (
      at: number,
      given: readonly { said: SavedResponse; answer?: Answer }[],
    ): Promise<void> => {
      const { record } = problems[at];
      for (const { said, answer: own } of given) {
        const verdict = await score({ ...record, extraction: undefined, ...said });
        scored[at].push({
          ...verdict,
          truncated: own?.truncated ?? false,
          tokens: own?.completionTokens ?? null,
        });
        if (own !== undefined) taken.push(own);
        totals.samples++;
        totals.tokens += own?.completionTokens ?? 0;
        if (verdict.correct) totals.correct++;
      }
      texts.set(at, contentHash(canonicalJson(given.map(({ said }) => said))));
      prompts.set(at, given[0]?.answer?.key ?? problems[at].problem.id);
      totals.problems++;
      const { problems: done, samples, correct, tokens } = totals;
      watch?.step?.(done, { accuracy: correct / Math.max(1, samples), tokens });
    },
    scored: (): ScoredProblem[] =>
      problems.map(({ problem, record }, at) => ({ id: problem.id, record, samples: scored[at] })),
    answers: (): readonly Answer[] => taken,
    hashes: (): BenchResults["hashes"] => {
      const inOrder = (parts: Map<number, string>): string =>
        contentHash(problems.map((_, at) => parts.get(at) ?? "").join("\n"));
      return { prompts: inOrder(prompts), responses: inOrder(texts) };
    },
  };
}

type Scorer = ReturnType<typeof createScorer>;

/** Judge calls of saved responses under way at a time; the client's own limit holds too. */
const JUDGED_AT_ONCE = 64;

async function takeResponses(
  problems: readonly LoadedProblem[],
  responses: ReadonlyMap<string, SavedResponse[]>,
  scorer: Scorer,
): Promise<BenchResults["unanswered"]> {
  const unanswered: BenchResults["unanswered"] = [];
  await mapBounded([...problems.entries()], JUDGED_AT_ONCE, async ([at, { problem }]) => {
    const own = responses.get(problem.id);
    if (own === undefined) unanswered.push({ problem: problem.id, reason: "no saved response" });
    else
      await scorer.take(
        at,
        own.map((said) => ({ said })),
      );
  });
  return unanswered;
}

/** Problems whose pictures are in memory at a time. */
const READ_AT_ONCE = 16;

async function takeAnswers(
  contestant: Contestant,
  problems: readonly LoadedProblem[],
  {
    spec,
    options,
    scorer,
    signal,
    file,
  }: {
    spec: BenchSpec;
    options: BenchmarkOptions;
    scorer: Scorer;
    signal: AbortSignal;
    file: string;
  },
): Promise<BenchResults["unanswered"]> {
  const { benchmark, watch } = options;
  const sampling = spec.sampling as NonNullable<BenchSpec["sampling"]>;
  const keyed = await mapBounded(problems, READ_AT_ONCE, async (problem): Promise<KeyedProblem> => {
    const asked = askProblem(benchmark, problem, sampling.ask, spec.rules);
    const pictures = asked.problem.images.map(async (path) => contentHash(await readFile(path)));
    return { asked, key: askedKey(asked, await Promise.all(pictures)) };
  });
  watch?.begin?.(problems.length, []);
  const collect = {
    request: {
      ...{ style: "direct" as const, group: spec.samples, temperature: sampling.temperature },
      ...{ topP: sampling.topP ?? undefined, maxNewTokens: sampling.maxNewTokens, seed: spec.seed },
    },
    ...{ file, signal },
    onAnswers: (at: number, answers: readonly Answer[]) => {
      const { options: named } = keyed[at].asked;
      return scorer.take(
        at,
        answers.map((answer) => ({ said: { response: nameOptions(answer.text, named) }, answer })),
      );
    },
  };
  if (contestant.kind === "policy" || contestant.kind === "export") {
    const batch = Math.max(1, Math.floor(ROWS / spec.samples));
    return collectAnswers(keyed, {
      ...{ ...collect, batch, parallel: 1 },
      withEngine: (work) =>
        contestant.kind === "policy"
          ? withEngine(contestant.policy, work)
          : withExported(contestant, work),
    });
  }
  const { client, sendSeed, extra } = contestant as Extract<Contestant, { kind: "server" }>;
  // Twice what the client lets through: a problem whose last sample is late holds nobody up.
  const parallel = 2 * client.concurrency;
  const engine = createOpenAiEngine(client, { sendSeed, extra });
  return collectAnswers(keyed, {
    ...{ ...collect, batch: 1, parallel },
    withEngine: (work) => work(engine),
  });
}

function versionsOf(contestant: Contestant): Record<string, string> {
  const versions = { "srpo-lab": labVersion(), node: process.version };
  if (contestant.kind !== "policy") return versions;
  const { backend, device } = describeEngine();
  return { ...versions, engine: `${backend} on ${device}` };
}

/** What all answers of these results have used, whoever asked for them first. */
function usageOf(answers: readonly Answer[], contestant: Contestant): BenchResults["usage"] {
  if (contestant.kind === "responses") return { promptTokens: null, completionTokens: null };
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  const completionTokens = sum(answers.map((answer) => answer.completionTokens));
  if (contestant.kind !== "server") return { promptTokens: null, completionTokens };
  const usage = { promptTokens: sum(answers.map((a) => a.promptTokens ?? 0)), completionTokens };
  const { prices } = contestant.client;
  return prices === undefined ? usage : { ...usage, dollars: costOf(usage, prices) };
}

function judgeUsage(judge: ChatClient): NonNullable<BenchResults["judgeUsage"]> {
  const { calls, promptTokens, completionTokens, dollars } = judge.totals();
  return { calls, promptTokens, completionTokens, ...(dollars === undefined ? {} : { dollars }) };
}
