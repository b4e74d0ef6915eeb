/**
 * EasyR1 (0.3.2 and main of 2026): parquet with a plain question, a prompt template in Jinja, and a batched reward, to which it
 * hands the answer column and nothing else.
 */
import { anyOf, jsonSteps, yamlSteps } from "../logs/lines";
import { VERL_NAMES } from "../logs/names";
import { SYSTEM_PROMPTS } from "../../reflection/prompts";
import { SHIM_FILE } from "../shims";
import { imageCells, imagesOf, mapRows, markedQuestion, readRow, unmarked } from "./columns";
import { IMAGES, parquetRows, writeParquet } from "./parquet";
import {
  checkCommon,
  divisorNote,
  epochs,
  filters,
  lossOf,
  must,
  replacedGroupsNote,
  type ExportPlan,
  type ExportTarget,
} from "./target";
import { HERE, launchScript, renderYaml, rewardChecks, type Yaml } from "./text";

/** The losses that EasyR1 has too: which loss, and how tokens are averaged. */
const LOSSES: Readonly<Record<string, { type: string; mean: string }>> = {
  grpo: { type: "default", mean: "seq" },
  dapo: { type: "default", mean: "token" },
  gspo: { type: "gspo", mean: "seq" },
};

const COLUMNS = {
  problem: "text",
  answer: "text",
  images: IMAGES,
  extra_info: { index: "int", system: "text", problem: "text" },
} as const;

export const target: ExportTarget = {
  name: "easyr1",
  title: "EasyR1 on Ray",
  program: "verl",
  version: "0.3.2",
  alsoReads: /^(0\.3\.\d+\S*|main)$/,
  trains: "rl",
  dataFile: (set) => `data/${set}.parquet`,
  writeRows: (path, rows) =>
    writeParquet(
      path,
      COLUMNS,
      mapRows(rows, (row) => ({
        problem: markedQuestion(row),
        answer: row.label,
        images: imageCells(row.images),
        extra_info: { index: row.index, system: row.system, problem: row.problem },
      })),
    ),
  readRows: (path) =>
    mapRows(parquetRows(path), (row) => {
      const images = imagesOf(row.images);
      const question = unmarked(String(row.problem), images.length);
      const extra = row.extra_info as { index: number; system: string; problem: string };
      const parts = { system: extra.system, question, label: String(row.answer), images };
      return readRow(parts, extra.index, extra.problem);
    }),
  log: {
    reader: () => anyOf(jsonSteps(), yamlSteps()),
    names: {
      ...VERL_NAMES,
      // The mean negative log-probability of the tokens, as the lab has it of engines that tell no entropies.
      "actor/entropy_loss": "entropy",
      "actor/pg_clipfrac_higher": "clip_ratio/region_mean",
    },
    rewards: "reward/",
  },
  files: (plan) => ({
    files: {
      "config.yaml": renderYaml(settings(plan)),
      // It becomes part of the user's message: EasyR1 sends no system prompt. Raw, for a prompt may hold braces.
      "prompts/format.jinja": `{% raw %}${SYSTEM_PROMPTS[plan.style]}{% endraw %}\n\n{{ content | trim }}\n`,
      "launch.sh": launchScript(
        [
          ...["python3", "-m", "verl.trainer.main", `config=${HERE}/config.yaml`],
          `data.train_files=${HERE}/data/train.parquet`,
          `data.val_files=${HERE}/data/${plan.test.length > 0 ? "test" : "train"}.parquet`,
          `data.format_prompt=${HERE}/prompts/format.jinja`,
          `worker.reward.reward_function=${HERE}/${SHIM_FILE}:compute_score`,
          `trainer.save_checkpoint_path=${HERE}/output`,
        ],
        { checks: rewardChecks(plan.rewardUrl) },
      ),
    },
    differences: [
      "The system prompt stands at the head of the user's message.",
      ...divisorNote(plan.spec, "1e-6"),
      ...replacedGroupsNote(plan.spec, "the filter drops"),
    ],
  }),
};

/** EasyR1's configuration; its batch sizes count prompts. */
export function settings({ spec, train, test }: ExportPlan): { readonly [key: string]: Yaml } {
  checkCommon("easyr1", spec);
  const { grpo, cluster, seed } = spec;
  const loss = lossOf("easyr1", spec, LOSSES);
  must("easyr1", !grpo.maskTruncated, "grpo.maskTruncated", true, "false");
  must("easyr1", grpo.scaleRewards === "group", "grpo.scaleRewards", grpo.scaleRewards, "group");
  must("easyr1", grpo.entropyCoef === 0, "grpo.entropyCoef", grpo.entropyCoef, "0");
  return {
    data: {
      ...{ prompt_key: "problem", answer_key: "answer", image_key: "images" },
      max_prompt_length: cluster.maxPromptTokens,
      max_response_length: grpo.maxNewTokens,
      rollout_batch_size: grpo.prompts,
      val_batch_size: 256,
      shuffle: true,
      seed,
      min_pixels: cluster.minPixels,
      max_pixels: cluster.maxPixels,
      filter_overlong_prompts: true,
    },
    algorithm: {
      adv_estimator: "grpo",
      disable_kl: grpo.beta === 0,
      ...(grpo.beta === 0
        ? {}
        : { use_kl_loss: true, kl_penalty: "low_var_kl", kl_coef: grpo.beta }),
      online_filtering: filters(spec),
      filter_key: grpo.filterOn === "final" ? "correct" : "first_correct",
      filter_low: grpo.filterLow,
      filter_high: grpo.filterHigh,
    },
    worker: {
      actor: {
        global_batch_size: grpo.prompts / grpo.miniBatches,
        micro_batch_size_per_device_for_update: 1,
        micro_batch_size_per_device_for_experience: 2,
        max_grad_norm: grpo.maxGradNorm,
        loss_type: loss.type,
        loss_avg_mode: loss.mean,
        clip_ratio_low: grpo.clipLow,
        clip_ratio_high: grpo.clipHigh,
        model: {
          model_path: cluster.model,
          enable_gradient_checkpointing: true,
          freeze_vision_tower: true,
        },
        optim: {
          lr: grpo.learningRate,
          weight_decay: grpo.weightDecay,
          betas: [0.9, 0.95],
          lr_warmup_ratio: Math.min(1, grpo.warmupSteps / grpo.steps),
        },
        offload: { offload_params: true, offload_optimizer: true },
      },
      rollout: {
        n: grpo.group,
        temperature: grpo.temperature,
        top_p: 1,
        tensor_parallel_size: cluster.tensorParallel,
        gpu_memory_utilization: cluster.engineMemory,
      },
      reward: { skip_special_tokens: true },
    },
    trainer: {
      total_epochs: epochs(spec, train.length),
      max_steps: grpo.steps,
      project_name: "srpo",
      experiment_name: spec.preset,
      logger: ["console", "file"],
      nnodes: cluster.nodes,
      n_gpus_per_node: cluster.gpusPerNode,
      val_freq: test.length > 0 && grpo.saveEvery > 0 ? grpo.saveEvery : -1,
      val_before_train: test.length > 0,
      save_freq: grpo.saveEvery || -1,
    },
  };
}
