/**
 * verl 0.9: parquet with verl's columns, the reward as an async function.
 *
 * verl keeps `use_v1`, its trainer of 0.9. Its filter of groups drops those without variance of a metric and draws others in
 * their place; with 0 and 1 as metric that is the band of the spec where the band excludes exactly those.
 */
import { anyOf, consoleSteps, jsonSteps } from "../logs/lines";
import { VERL_NAMES } from "../logs/names";
import { SHIM_FILE } from "../shims";
import {
  chat,
  chatOf,
  imageCells,
  imagesOf,
  mapRows,
  markedQuestion,
  readRow,
  unmarked,
} from "./columns";
import { IMAGES, MESSAGES, parquetRows, writeParquet } from "./parquet";
import {
  checkCommon,
  divisorNote,
  epochs,
  filters,
  lossOf,
  filtersUniform,
  must,
  replacedGroupsNote,
  type ExportPlan,
  type ExportTarget,
  type Scalar,
} from "./target";
import { HERE, launchScript, rewardChecks } from "./text";

/** The losses that verl has too: which loss, and how tokens are averaged. */
const LOSSES: Readonly<Record<string, { mode: string; mean: string }>> = {
  grpo: { mode: "vanilla", mean: "seq-mean-token-mean" },
  dapo: { mode: "vanilla", mean: "token-mean" },
  dr_grpo: { mode: "vanilla", mean: "seq-mean-token-sum-norm" },
  gspo: { mode: "gspo", mean: "seq-mean-token-mean" },
};

const COLUMNS = {
  data_source: "text",
  prompt: MESSAGES,
  images: IMAGES,
  ability: "text",
  reward_model: { style: "text", ground_truth: "text" },
  extra_info: { split: "text", index: "int", problem: "text" },
} as const;

export const target: ExportTarget = {
  name: "verl",
  title: "verl 0.9 on Ray",
  program: "verl",
  version: "0.9.1",
  alsoReads: /^0\.9(\.\d+)?$/,
  trains: "rl",
  dataFile: (set) => `data/${set}.parquet`,
  writeRows: (path, rows) =>
    writeParquet(
      path,
      COLUMNS,
      mapRows(rows, (row) => ({
        data_source: "srpo",
        prompt: chat(row.system, markedQuestion(row)),
        images: imageCells(row.images),
        ability: "math",
        reward_model: { style: "rule", ground_truth: row.label },
        extra_info: { split: row.set, index: row.index, problem: row.problem },
      })),
    ),
  readRows: (path) =>
    mapRows(parquetRows(path), (row) => {
      const { ground_truth } = row.reward_model as { ground_truth: string };
      const { index, problem } = row.extra_info as { index: number; problem: string };
      const images = imagesOf(row.images);
      const [system, user] = chatOf(row.prompt);
      const question = unmarked(user, images.length);
      return readRow({ system, question, label: ground_truth, images }, index, problem);
    }),
  // Of the reward's numbers verl logs the score alone while it trains; the rest is in output/rollouts.
  log: { reader: () => anyOf(consoleSteps(), jsonSteps()), names: VERL_NAMES },
  files: (plan) => ({ files: { "launch.sh": launch(plan) }, differences: differences(plan) }),
};

function launch(plan: ExportPlan): string {
  const words = Object.entries(overrides(plan)).map(([key, value]) => `${key}=${hydra(value)}`);
  return launchScript(["python3", "-m", "verl.trainer.main_ppo", ...words], {
    checks: rewardChecks(plan.rewardUrl),
    environment: { VERL_FILE_LOGGER_PATH: `${HERE}/output/metrics.jsonl` },
  });
}

/** Hydra's grammar gives commas, brackets and spaces a meaning. */
function hydra(value: Scalar | readonly string[]): string {
  if (typeof value === "object") return `[${value.join(",")}]`;
  if (typeof value !== "string")
    return typeof value === "boolean" ? (value ? "True" : "False") : `${value}`;
  return /^[\w./:{}-]+$/.test(value) ? value : `'${value.replaceAll("'", "\\'")}'`;
}

/** verl's settings, under its own names. */
export function overrides({
  spec,
  train,
  test,
}: ExportPlan): Record<string, Scalar | readonly string[]> {
  checkCommon("verl", spec);
  const { grpo, cluster, seed } = spec;
  const loss = lossOf("verl", spec, LOSSES);
  must("verl", !grpo.maskTruncated, "grpo.maskTruncated", true, "false");
  must("verl", grpo.scaleRewards !== "batch", "grpo.scaleRewards", "batch", "group or none");
  must(
    "verl",
    !filters(spec) || filtersUniform(spec),
    "a filter that keeps some groups of one kind",
    { filterLow: grpo.filterLow, filterHigh: grpo.filterHigh, group: grpo.group },
    `filterLow in (0, 1/${grpo.group}] and filterHigh in [1 - 1/${grpo.group}, 1)`,
  );
  const tokens = cluster.maxPromptTokens + grpo.maxNewTokens;
  const [actor, rollout] = ["actor_rollout_ref.actor", "actor_rollout_ref.rollout"];
  return {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": false,
    "algorithm.norm_adv_by_std_in_grpo": grpo.scaleRewards === "group",
    ...(filters(spec)
      ? {
          "algorithm.filter_groups.enable": true,
          "algorithm.filter_groups.metric": grpo.filterOn === "final" ? "acc" : "first_correct",
        }
      : {}),
    "data.train_files": `${HERE}/data/train.parquet`,
    "data.val_files": `${HERE}/data/${test.length > 0 ? "test" : "train"}.parquet`,
    "data.image_key": "images",
    "data.seed": seed,
    "data.train_batch_size": grpo.prompts,
    "data.max_prompt_length": cluster.maxPromptTokens,
    "data.max_response_length": grpo.maxNewTokens,
    "data.filter_overlong_prompts": true,
    "data.truncation": "error",
    "+data.mm_processor_kwargs.min_pixels": cluster.minPixels,
    "+data.mm_processor_kwargs.max_pixels": cluster.maxPixels,
    "actor_rollout_ref.model.path": cluster.model,
    "actor_rollout_ref.model.use_remove_padding": true,
    "actor_rollout_ref.model.enable_gradient_checkpointing": true,
    [`${actor}.freeze_vision_tower`]: true,
    [`${actor}.optim.lr`]: grpo.learningRate,
    [`${actor}.optim.lr_warmup_steps`]: grpo.warmupSteps * grpo.miniBatches,
    [`${actor}.optim.weight_decay`]: grpo.weightDecay,
    [`${actor}.optim.betas`]: ["0.9", "0.95"],
    [`${actor}.optim.clip_grad`]: grpo.maxGradNorm,
    [`${actor}.ppo_mini_batch_size`]: grpo.prompts / grpo.miniBatches,
    [`${actor}.use_dynamic_bsz`]: true,
    [`${actor}.ppo_max_token_len_per_gpu`]: 2 * tokens,
    [`${actor}.clip_ratio_low`]: grpo.clipLow,
    [`${actor}.clip_ratio_high`]: grpo.clipHigh,
    [`${actor}.policy_loss.loss_mode`]: loss.mode,
    [`${actor}.loss_agg_mode`]: loss.mean,
    ...(grpo.loss === "dr_grpo" ? { [`${actor}.loss_scale_factor`]: grpo.maxNewTokens } : {}),
    [`${actor}.entropy_coeff`]: grpo.entropyCoef,
    [`${actor}.use_kl_loss`]: grpo.beta > 0,
    ...(grpo.beta > 0
      ? { [`${actor}.kl_loss_coef`]: grpo.beta, [`${actor}.kl_loss_type`]: "low_var_kl" }
      : {}),
    [`${actor}.fsdp_config.param_offload`]: true,
    [`${actor}.fsdp_config.optimizer_offload`]: true,
    [`${rollout}.name`]: "vllm",
    [`${rollout}.n`]: grpo.group,
    [`${rollout}.temperature`]: grpo.temperature,
    [`${rollout}.top_p`]: 1,
    [`${rollout}.tensor_model_parallel_size`]: cluster.tensorParallel,
    [`${rollout}.gpu_memory_utilization`]: cluster.engineMemory,
    [`${rollout}.max_model_len`]: tokens,
    "reward.custom_reward_function.path": `${HERE}/${SHIM_FILE}`,
    "reward.custom_reward_function.name": "compute_score",
    "trainer.critic_warmup": 0,
    "trainer.logger": ["console", "file"],
    "trainer.project_name": "srpo",
    "trainer.experiment_name": spec.preset,
    "trainer.nnodes": cluster.nodes,
    "trainer.n_gpus_per_node": cluster.gpusPerNode,
    "trainer.total_training_steps": grpo.steps,
    "trainer.total_epochs": epochs(spec, train.length),
    "trainer.save_freq": grpo.saveEvery || -1,
    // verl wants a file to test on, also where there is no test.
    "trainer.val_before_train": test.length > 0,
    "trainer.test_freq": test.length > 0 && grpo.saveEvery > 0 ? grpo.saveEvery : -1,
    "trainer.default_local_dir": `${HERE}/output/checkpoints`,
    "trainer.rollout_data_dir": `${HERE}/output/rollouts`,
    "trainer.validation_data_dir": `${HERE}/output/validation`,
  };
}

function differences({ spec }: ExportPlan): string[] {
  return [
    ...replacedGroupsNote(spec, "are all right or all wrong"),
    ...divisorNote(spec, "1e-6"),
    "Ratios beyond 3 are clipped too where the advantage is negative (dual clip).",
  ];
}
