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
  withPolicy,
  type PolicyRef,
  type StageOptions,
  type Watcher,
} from "./stages/context";
export { loadProblems, type SetName } from "./stages/problems";
export { constructData, type ConstructionResult } from "./stages/construct";
export { finetune, type TrainingResult } from "./stages/finetune";
export { reinforce, type ReinforceOptions } from "./stages/reinforce";
export { evaluate, type EvaluationResult, type EvaluationRow } from "./stages/evaluate";

// ---- what a notebook shows
export { display, createDisplay, displayable, type Displayable } from "./lab/display";
export { type Figure, type Line, PALETTE } from "./lab/chart";
export { showFigure, saveFigure } from "./lab/figure";
export { createMonitor } from "./lab/monitor";
export { watch, stageViews } from "./lab/watch";
export { saveResults } from "./lab/results";
export { lastRollouts } from "./lab/rollout-samples";
export { showTable, table, toFrame, groupMeans, describeColumns } from "./lab/tables";
export { showSamples, sampleCards, type Sample } from "./lab/viewer";
export { showProblems } from "./lab/contact-sheet";
export { showLab } from "./lab/first-cell";
export { evaluationSamples, pickTransitions } from "./lab/evaluation-samples";
export { reportTable, reportFigure, type Reports } from "./lab/report-view";
export { listRuns, readRun, readMetrics, compareRuns, specDifferences } from "./lab/runs";

// ---- the method
export type * from "./types";
export { parseResponse, renderResponse, renderSolution, isWellFormed } from "./reflection/template";
export { judge } from "./reflection/equality";
export { compareAnswers, equalityRules, type RuleVerdict } from "./reflection/answers/rules";
export { optionLetter } from "./reflection/answers/option-letter";
export { scoreResponse, lengthReward, effectivenessReward } from "./reflection/rewards";
export {
  rewardConfig,
  rewardPresets,
  type RewardConfig,
  type RewardPreset,
} from "./reflection/reward-config";
export { transitionOf, summarizeTransitions } from "./reflection/transitions";
export { createRuleTeacher, type Teacher } from "./reflection/teacher";
export { toSharegpt, toPlainCot } from "./reflection/records";
export { buildMessages, type PromptStyle } from "./reflection/prompts";
export { groupAdvantages, clippedLoss } from "./train/losses";
export { trainGrpo, type GrpoConfig, type Rollout } from "./train/grpo";
export { trainSft, type SftConfig } from "./train/sft";
export { accuracyReport, pairedDifference, wilson, disjoint } from "./bench/report";

// ---- the policy
export { openPolicy, type PolicyBundle } from "./policy/bundle";
export { savePolicy } from "./policy/checkpoint";
export { generate } from "./policy/generate";
export { createTfjsEngine } from "./rollout/tfjs";
export { createOnnxEngine } from "./rollout/onnx/engine";
export { exportOnnx } from "./rollout/onnx/export";
export type { RolloutEngine, RolloutRequest } from "./rollout/engine";
