/**
 * SRPO Lab's library. Notebooks import from here: `import { loadSpec, reinforce } from "srpo-lab"`.
 *
 * The stages come first, then what a notebook shows, then the parts that the stages are made of.
 */

// ---- the pipeline
export { loadSpec, type PresetName, type Spec, type SpecChanges } from "./config";
export { ready, describeEngine, renderEngine, type Engine } from "./engine/backend";
export { projectRoot, runsFolder } from "./paths";
export {
  basePolicy,
  servedPolicy,
  withPolicy,
  type PolicyRef,
  type ServedPolicy,
  type StageOptions,
  type Watcher,
} from "./stages/context";
export { loadProblems, type SetName } from "./stages/problems";
export { readSources, type ReadOptions, type SourceReport } from "../datasets/sources/read";
export { sources } from "../datasets/sources/index";
export {
  attemptRequest,
  constructData,
  type ConstructionResult,
  type ConstructOptions,
} from "./stages/construct";
export { estimateConstruction, type ConstructionCost } from "./stages/construction-cost";
export { exportDataset, type DatasetOptions } from "./stages/dataset";
export {
  finetune,
  FINETUNE_KINDS,
  type FinetuneKind,
  type TrainingResult,
} from "./stages/finetune";
export { reinforce, type ReinforceOptions } from "./stages/reinforce";
export { evaluate, type EvaluationResult, type EvaluationRow } from "./stages/evaluate";
export { runBenchmark, type BenchmarkOptions, type Contestant } from "./stages/benchmark";
export { exportedModel, type ExportedModel } from "./stages/exported";
export { downloadFiles, type DownloadOptions } from "../datasets/hub/download";

// ---- the paper's experiments
export { gridResults, openGrid, runGrid, type Grid } from "./grid/grid";
export { progressLine } from "./grid/progress";
export { readResults, type GridResults, type RunRecord } from "./grid/results";
export { variants, type Variant } from "./grid/variants";
export { differenceOf, rateOf, type Measure, type Scope } from "./grid/analysis";
export { claims, judgeClaims, judgeReflection, type Claim } from "./grid/claims";

// ---- what a notebook shows
export { display, createDisplay, displayable, type Displayable } from "./lab/display";
export { type Figure, type Line, PALETTE } from "./lab/chart";
export { showFigure, saveFigure } from "./lab/figure";
export { createMonitor } from "./lab/monitor";
export { watch, stageViews } from "./lab/watch";
export { saveResults } from "./lab/results";
export { lastRollouts, readRollouts, rolloutTable } from "./lab/rollout-samples";
export { showTokens, tokenView } from "./lab/token-view";
export { rescoreGroup, showRewardSliders, withWeights } from "./lab/reward-sliders";
export { showStopButton } from "./lab/widgets";
export { tokenCells, type TokenCell } from "./lab/token-cells";
export { showTable, saveTable, table, toFrame, groupMeans, describeColumns } from "./lab/tables";
export { showSamples, sampleCards, type Sample } from "./lab/viewer";
export { browseSamples, sampleBrowser } from "./lab/sample-browser";
export { reflectionSamples, accountRows, mixFigure, lengthFigure } from "./lab/reflection-samples";
export { showProblems } from "./lab/contact-sheet";
export { showLab } from "./lab/first-cell";
export { evaluationSamples, pickTransitions } from "./lab/evaluation-samples";
export { reportTable, reportFigure, type Reports } from "./lab/report-view";
export { benchTable, categoryTable, comparisonLines, benchPage } from "./lab/bench-view";
export {
  advantageRows,
  attackRows,
  bestPolicyRows,
  boundaryFigure,
  findingRows,
  truthTableRows,
} from "./lab/reward-bench-view";
export { comparisonFigures, comparisonTable } from "./lab/comparison";
export { showTableFigure, type TableFigure } from "./lab/table-figure";
export {
  ablationTable,
  gridBars,
  gridBarsBy,
  gridCaption,
  gridTable,
  ratingTable,
  readingTable,
  transitionTable,
} from "./lab/grid-view";
export { gridCurve, hackCurves, hackSamples, paperCurves } from "./lab/grid-curves";
export {
  effectivenessFigure,
  effectivenessGain,
  effectivenessOnRuns,
  lengthFormulaFigure,
  lengthOnRuns,
} from "./lab/reward-formula";
export { listRuns, readRun, readMetrics, compareRuns, specDifferences } from "./lab/runs";
export { showComparison } from "./lab/compare";
export { runRows, showRuns } from "./lab/run-list";

// ---- the method
export type * from "./types";
export { parseResponse, renderResponse, renderSolution, isWellFormed } from "./reflection/template";
export { judge } from "./reflection/equality";
export { scoreResponse, type RewardBreakdown } from "./reflection/rewards";
export { lengthReward, effectivenessReward, type RewardParts } from "./reflection/reward-parts";
export { compareAnswers, equalityRules, type RuleVerdict } from "./reflection/answers/rules";
export { optionLetter } from "./reflection/answers/option-letter";
export {
  rewardConfig,
  rewardPresets,
  type RewardConfig,
  type RewardPreset,
} from "./reflection/reward-config";
export { guards, guardChanges, withGuards, type GuardName } from "./reflection/guards";
export { defectRows, officialDefects } from "./reflection/official-defects";
export {
  trainedSpan,
  trainedTokens,
  type FirstSolutionMask,
} from "./reflection/first-solution-mask";
export { benchReward, type BenchReport } from "./reflection/reward-bench/bench";
export { rewardFunction, type RewardFunction } from "./reflection/reward-bench/trial";
export { advantagesAfter, advantagesWithout } from "./reflection/reward-bench/advantages";
export { rateReflection, type Rating } from "./reflection/rating";
export { transitionOf, summarizeTransitions } from "./reflection/transitions";
export {
  createRuleTeacher,
  MalformedTeaching,
  TeacherStopped,
  type Lesson,
  type Rejection,
  type Teacher,
  type Teaching,
} from "./reflection/teacher";
export { teacherSystemPrompt, teachingTasks } from "./reflection/teaching-prompts";
export type { ReasoningJudge } from "./reflection/reasoning-judge";
export {
  constructInto,
  constructSamples,
  lessonOf,
  modelTeaching,
  teachAttempts,
  teachInto,
} from "./reflection/construction";
export { selectAttempts, type Attempt } from "./reflection/selection";
export { rejectionOf, filterDescriptions, type LengthBounds } from "./reflection/filters";
export { toSharegpt, toPlainCot } from "./reflection/records";
export { buildMessages, type PromptStyle } from "./reflection/prompts";
export { batchAdvantages, groupAdvantages, overlongReward } from "./train/advantages";
export { policyLoss, type TokenTerms } from "./train/losses";
export { lossWeights, batchSize, type BatchSize } from "./train/weights";
export { klOfToken, sequenceKl } from "./train/kl";
export { importanceRatios } from "./train/importance";
export { keepsGroup } from "./train/filter";
export { ratioStatistics, type RatioStatistics } from "./train/statistics";
export {
  lossRecipe,
  objectiveDefaults,
  type LossName,
  type ObjectiveConfig,
} from "./train/objective";
export { trainGrpo, type GrpoConfig } from "./train/grpo";
export type { CustomReward } from "./train/custom-reward";
export type { RewardSample } from "./reflection/reward-sample";
export { healthNotes, healthThresholds, type HealthNote } from "./train/health";
export type { Rollout, RolloutRow } from "./train/rollouts";
export { trainSft, type SftConfig } from "./train/sft";
export { accuracyReport, wilson, disjoint } from "./bench/report";
export { pairedDifference, problemsNeeded } from "./bench/paired";
export { crossedDifference, crossedRate, seedInterval, type CrossedRate } from "./bench/crossed";
export { benchmarks, benchmarkByName } from "./bench/benchmarks";
export { scoreRecord, scoreWithJudge, type ScoredResponse } from "./bench/score";
export { loadBenchmark, readRecords, type LoadedProblem } from "./bench/load";
export { askProblem, type AskKind } from "./bench/ask";
export { selectProblems } from "./bench/select";
export { createJudge } from "./bench/llm-judge";
export { resultRows, type BenchResults } from "./bench/results";
export { compareResults, type BenchComparison } from "./bench/compare-results";
export { nameOptions, openQuestion, type OpenQuestion } from "./bench/open-question";
export {
  writeSuite,
  type SuiteBenchmark,
  type SuiteOptions,
} from "../datasets/visual-math/suite/write";
export type { Benchmark, BenchRecord, RuleFamily } from "./bench/benchmark";
export type { Judge } from "./bench/judge";
export {
  measuredRow,
  publishedTable,
  readPublished,
  type MeasuredRow,
  type PublishedTable,
} from "./bench/published";

// ---- the way to a cluster
export { writeExport, readExport, type ExportOptions } from "./scale/exports/export";
export { exportTargets } from "./scale/exports/index";
export { startRewardServer, type RewardServerOptions } from "./scale/reward-server/server";
export { preflight } from "./scale/preflight/preflight";
export { renderFindings, type Finding } from "./scale/preflight/finding";
export { createRayClient, type RayClient, type RayJob } from "./scale/ray/client";
export { followJob, readLog, type RemoteRun, type RemoteRunOptions } from "./scale/logs/remote-run";

// ---- the policy
export { openPolicy, type PolicyBundle } from "./policy/bundle";
export { loadTokenizer, type Tokenizer } from "./policy/tokenizer";
export { savePolicy } from "./policy/checkpoint";
export { mergeAdapter, type MergedCheckpoint } from "./policy/merge";
export type { LoraConfig } from "./policy/lora";
export { generate } from "./policy/generate";
export { createTfjsEngine } from "./rollout/tfjs";
export { createOnnxEngine } from "./rollout/onnx/engine";
export { exportOnnx } from "./rollout/onnx/export";
export { openOnnxEngine, type OpenOnnxOptions } from "./rollout/onnx/open";
export { openTransformersJs, type TransformersJsOptions } from "./rollout/transformers-js/engine";
export { createOpenAiEngine, rolloutRequests } from "./rollout/openai/engine";
export { createChatClient, type ChatClient, type ClientOptions } from "./rollout/openai/client";
export { createServerTeacher, createServerJudge } from "./rollout/openai/teacher";
export {
  answerProblems,
  attemptsOf,
  collectAttempts,
  type AttemptedProblem,
} from "./rollout/attempts";
export { openAttempts } from "./rollout/attempt-file";
export { judgeAttempts, judgeInto } from "./rollout/judging";
export { openReplyCache } from "./rollout/openai/reply-cache";
export { jsonlRows } from "./engine/files";
export type { RolloutEngine, RolloutRequest } from "./rollout/engine";
