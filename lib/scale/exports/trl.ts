/**
 * TRL 1.16: parquet with chat messages and pictures that `datasets` decodes, a YAML for `trl grpo`, and the reward as a function
 * that it imports by name.
 */
import { anyOf, countedDictionaries, jsonSteps } from "../logs/lines";
import { SHIM_FILE } from "../shims";
import { chat, chatOf, imageCells, imagesOf, mapRows, readRow } from "./columns";
import { IMAGES, MESSAGES, parquetRows, writeParquet } from "./parquet";
import {
  checkCommon,
  divisorNote,
  filters,
  must,
  pixelNote,
  type ExportPlan,
  type ExportTarget,
} from "./target";
import { HERE, launchScript, renderYaml, rewardChecks, type Yaml } from "./text";

const COLUMNS = {
  prompt: MESSAGES,
  images: IMAGES,
  label: "text",
  index: "int",
  problem: "text",
} as const;

const value = (dtype: string) => ({ dtype, _type: "Value" });
/** How `datasets` is to read the columns: with it pictures come as pictures, without it as bytes. */
const FEATURES = JSON.stringify({
  info: {
    features: {
      prompt: { feature: { role: value("string"), content: value("string") }, _type: "List" },
      images: { feature: { _type: "Image" }, _type: "List" },
      label: value("string"),
      index: value("int32"),
      problem: value("string"),
    },
  },
});

export const target: ExportTarget = {
  name: "trl",
  title: "TRL 1.16",
  program: "trl",
  version: "1.16.0",
  alsoReads: /^1\.16(\.\d+)?$/,
  trains: "rl",
  dataFile: (set) => `data/${set}.parquet`,
  writeRows: (path, rows) =>
    writeParquet(
      path,
      COLUMNS,
      mapRows(rows, (row) => ({
        // TRL puts the pictures before the first text of the user.
        prompt: chat(row.system, row.question),
        images: imageCells(row.images),
        label: row.label,
        index: row.index,
        problem: row.problem,
      })),
      { huggingface: FEATURES },
    ),
  readRows: (path) =>
    mapRows(parquetRows(path), (row) => {
      const [system, question] = chatOf(row.prompt);
      const parts = { system, question, label: String(row.label), images: imagesOf(row.images) };
      return readRow(parts, row.index, row.problem);
    }),
  // It logs once a generation, and counts optimiser steps.
  log: {
    reader: ({ grpo }) => anyOf(countedDictionaries(1), jsonSteps(grpo.miniBatches)),
    names: {},
    rewards: "srpo/",
  },
  files: (plan) => ({
    files: {
      "grpo.yaml": renderYaml(settings(plan)),
      "launch.sh": launchScript(
        [
          ...["trl", "grpo", "--config", `${HERE}/grpo.yaml`, "--dataset_name", `${HERE}/data`],
          ...["--output_dir", `${HERE}/output`, ...processes(plan.spec)],
        ],
        { checks: rewardChecks(plan.rewardUrl) },
      ),
    },
    differences: differences(plan),
  }),
};

/** More than one GPU share the weights by ZeRO-3, for which TRL ships accelerate's configuration. */
function processes({ cluster: { nodes, gpusPerNode } }: ExportPlan["spec"]): string[] {
  const gpus = nodes * gpusPerNode;
  return gpus === 1 ? [] : ["--accelerate_config", "zero3", "--num_processes", String(gpus)];
}

/** TRL's settings, under its own names: those of `GRPOConfig`, of the model and of the script. */
export function settings({ spec }: ExportPlan): { readonly [key: string]: Yaml } {
  checkCommon("trl", spec);
  const { grpo, cluster, seed } = spec;
  const gpus = cluster.nodes * cluster.gpusPerNode;
  const completions = grpo.prompts * grpo.group;
  const update = completions / grpo.miniBatches;
  must(
    "trl",
    update % gpus === 0,
    "an optimiser step that the GPUs do not share evenly",
    { completions: update, gpus },
    "cluster.gpusPerNode=1 for one GPU",
  );
  const accumulation = update / gpus;
  return {
    model_name_or_path: cluster.model,
    dtype: "bfloat16",
    dataset_train_split: "train",
    dataset_test_split: "test",
    reward_funcs: [`${SHIM_FILE.replace(/\.py$/, "")}.srpo_reward`],
    seed,
    max_steps: grpo.steps * grpo.miniBatches,
    num_generations: grpo.group,
    per_device_train_batch_size: 1,
    gradient_accumulation_steps: accumulation,
    steps_per_generation: grpo.miniBatches * accumulation,
    num_iterations: 1,
    max_completion_length: grpo.maxNewTokens,
    temperature: grpo.temperature,
    top_p: 1,
    loss_type: grpo.loss === "gspo" ? "grpo" : grpo.loss,
    importance_sampling_level: grpo.loss === "gspo" ? "sequence" : "token",
    epsilon: grpo.clipLow,
    epsilon_high: grpo.loss === "cispo" ? grpo.cispoMax : grpo.clipHigh,
    beta: grpo.beta,
    use_bias_correction_kl: grpo.klCorrection,
    entropy_coef: grpo.entropyCoef,
    scale_rewards: grpo.scaleRewards,
    mask_truncated_completions: grpo.maskTruncated,
    vllm_importance_sampling_correction: false,
    use_vllm: true,
    vllm_mode: "colocate",
    vllm_tensor_parallel_size: cluster.tensorParallel,
    vllm_gpu_memory_utilization: cluster.engineMemory,
    vllm_max_model_length: cluster.maxPromptTokens + grpo.maxNewTokens,
    learning_rate: grpo.learningRate,
    lr_scheduler_type: "constant_with_warmup",
    warmup_steps: grpo.warmupSteps * grpo.miniBatches,
    adam_beta1: 0.9,
    adam_beta2: 0.95,
    weight_decay: grpo.weightDecay,
    max_grad_norm: grpo.maxGradNorm,
    bf16: true,
    gradient_checkpointing: true,
    save_steps: grpo.saveEvery * grpo.miniBatches,
    logging_steps: grpo.miniBatches,
    log_completions: true,
    report_to: "none",
  };
}

function differences({ spec }: ExportPlan): string[] {
  const { grpo, cluster } = spec;
  return [
    ...(filters(spec)
      ? [
          `TRL has no filter of groups: those outside [${grpo.filterLow}, ${grpo.filterHigh}] are learned from too.`,
        ]
      : []),
    ...divisorNote(spec, "1e-4"),
    "TRL trains the vision tower as well; with --use_peft only adapters are trained.",
    `Prompts are not cut and not left out: vLLM refuses what has more than ${cluster.maxPromptTokens + grpo.maxNewTokens} tokens. srpo preflight lists those.`,
    pixelNote(spec),
  ];
}
