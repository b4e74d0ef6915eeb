/**
 * OpenRLHF 0.11: JSON Lines whose pictures are data URIs, so that they are there on whichever node reads them, and the reward
 * server asked directly.
 *
 * A system prompt and a user's message must both be texts: of a text and a list of parts Arrow could make no column. OpenRLHF
 * itself turns `<image>` into a part.
 */
import { dictionarySteps } from "../logs/lines";
import { chat, chatOf, mapRows, markedQuestion, readRow, unmarked } from "./columns";
import { jsonlRows, writeJsonlRows } from "./jsonl";
import {
  checkCommon,
  divisorNote,
  epochs,
  filters,
  must,
  pixelNote,
  replacedGroupsNote,
} from "./target";
import type { ExportImage, ExportPlan, ExportTarget, Scalar } from "./target";
import { HERE, launchScript, options, rewardChecks, shellWord } from "./text";

export const target: ExportTarget = {
  name: "openrlhf",
  title: "OpenRLHF 0.11 on Ray",
  program: "openrlhf",
  version: "0.11.2",
  // 0.11.0 cannot average by sequence.
  alsoReads: /^0\.11\.[0-9]+$/,
  trains: "rl",
  dataFile: (set) => `data/${set}.jsonl`,
  writeRows: (path, rows) =>
    writeJsonlRows(
      path,
      mapRows(rows, (row) => ({
        prompt: chat(row.system, markedQuestion(row)),
        images: row.images.map(dataUri),
        label: row.label,
        datasource: "srpo",
        index: row.index,
        problem: row.problem,
      })),
    ),
  readRows: (path) =>
    mapRows(jsonlRows(path), (row) => {
      const images = (row.images as string[]).map(fromDataUri);
      const [system, user] = chatOf(row.prompt);
      const question = unmarked(user, images.length);
      return readRow(
        { system, question, label: String(row.label), images },
        row.index,
        row.problem,
      );
    }),
  log: {
    reader: () => dictionarySteps(),
    names: {
      "rollout/reward_mean": "reward",
      "rollout/reward_std": "reward_std",
      "rollout/response_length_mean": "completions/mean_length",
      "rollout/truncated_rate": "completions/clipped_ratio",
      policy_loss: "loss",
      entropy_loss: "entropy",
      actor_grad_norm: "grad_norm",
      actor_lr: "learning_rate",
      ppo_kl: "approx_kl",
      ppo_clip_ratio: "clip_ratio/region_mean",
      "timing/step_total": "step_time",
    },
    rewards: "",
  },
  files: (plan) => ({
    files: {
      "launch.sh": launchScript(
        ["python3", "-m", "openrlhf.cli.train_ppo_ray", ...options(flags(plan))],
        {
          checks: [...rewardChecks(plan.rewardUrl), REWARD_ADDRESS],
        },
      ).replace(shellWord(REMOTE), '"$remote"'),
    },
    differences: differences(plan),
  }),
};

/** Stands for the reward's address, which holds the token and is put together when the script runs. */
const REMOTE = "{remote}";

/** OpenRLHF has no place for a token; its client takes the password of an address for one. */
const REWARD_ADDRESS = `token="$(python3 -c 'import os, urllib.parse as u; print(u.quote(os.environ["SRPO_REWARD_TOKEN"], ""))')"
remote="\${SRPO_REWARD_URL%%://*}://srpo:\${token}@\${SRPO_REWARD_URL#*://}/get_reward"`;

const TYPES: Readonly<Record<string, string>> = {
  jpg: "jpeg",
  jpeg: "jpeg",
  png: "png",
  webp: "webp",
  gif: "gif",
};

/** The name comes along as a parameter, which readers skip up to the comma. */
function dataUri({ name, bytes }: ExportImage): string {
  const type = TYPES[name.split(".").at(-1) ?? ""] ?? "png";
  return `data:image/${type};name=${name};base64,${Buffer.from(bytes).toString("base64")}`;
}

function fromDataUri(uri: string): ExportImage {
  const [, name, base64] = /^data:image\/\w+;name=([^;]+);base64,(.*)$/s.exec(uri) ?? [];
  return { name, bytes: new Uint8Array(Buffer.from(base64 ?? "", "base64")) };
}

/** OpenRLHF's options, under its own names. */
export function flags({
  spec,
  train,
  test,
  version,
}: ExportPlan): Record<string, Scalar | readonly Scalar[]> {
  checkCommon("openrlhf", spec);
  const { grpo, cluster, seed } = spec;
  const sequenceMean = grpo.loss === "grpo" || grpo.loss === "gspo";
  must(
    "openrlhf",
    ["grpo", "dapo", "dr_grpo", "gspo"].includes(grpo.loss),
    "grpo.loss",
    grpo.loss,
    "grpo, dapo, dr_grpo, gspo",
  );
  must(
    "openrlhf",
    !sequenceMean || version === target.version,
    `the loss ${grpo.loss} in ${version}`,
    version,
    `version ${target.version}, or grpo.loss=dapo`,
  );
  must("openrlhf", !grpo.maskTruncated, "grpo.maskTruncated", true, "false");
  must("openrlhf", grpo.scaleRewards !== "batch", "grpo.scaleRewards", "batch", "group or none");
  must(
    "openrlhf",
    !filters(spec) || grpo.filterOn === "final",
    "grpo.filterOn",
    grpo.filterOn,
    "final",
  );
  const bare = grpo.scaleRewards === "none" || grpo.loss === "dr_grpo";
  return {
    "actor.model_name_or_path": cluster.model,
    "reward.remote_url": REMOTE,
    "data.prompt_dataset": `${HERE}/data/train.jsonl`,
    ...(test.length > 0
      ? { "eval.dataset": `${HERE}/data/test.jsonl`, "eval.steps": grpo.saveEvery || -1 }
      : {}),
    "data.input_key": "prompt",
    "data.label_key": "label",
    "data.image_key": "images",
    "data.apply_chat_template": true,
    "data.max_images_per_prompt": train.reduce(
      (most, { images }) => Math.max(most, images.length),
      1,
    ),
    "data.max_len": cluster.maxPromptTokens + grpo.maxNewTokens,
    "rollout.max_new_tokens": grpo.maxNewTokens,
    "rollout.batch_size": grpo.prompts,
    "rollout.n_samples_per_prompt": grpo.group,
    "rollout.micro_batch_size": 1,
    "rollout.temperature": grpo.temperature,
    "rollout.top_p": 1,
    "train.batch_size": (grpo.prompts * grpo.group) / grpo.miniBatches,
    "train.micro_batch_size": 1,
    "train.num_episodes": epochs(spec, train.length),
    "train.max_epochs": 1,
    "train.seed": seed,
    "algo.advantage.estimator": bare ? "dr_grpo" : "group_norm",
    ...(filters(spec)
      ? {
          "algo.dynamic_filtering_enable": true,
          "algo.dynamic_filtering_range": [grpo.filterLow, grpo.filterHigh],
        }
      : {}),
    "algo.kl.init_coef": grpo.beta,
    ...(grpo.beta > 0 ? { "algo.kl.estimator": "k3", "algo.kl.use_loss": true } : {}),
    ...(sequenceMean ? { "actor.loss_agg_mode": "seq-mean-token-mean" } : {}),
    "actor.policy_loss_type": grpo.loss === "gspo" ? "gspo" : "ppo",
    "actor.eps_clip_low_high": [grpo.clipLow, grpo.clipHigh],
    ...(grpo.entropyCoef > 0 ? { "actor.entropy_coef": grpo.entropyCoef } : {}),
    "actor.adam.lr": grpo.learningRate,
    "actor.adam.betas": [0.9, 0.95],
    "actor.adam.weight_decay": grpo.weightDecay,
    "actor.lr_scheduler": "constant_with_warmup",
    "actor.lr_warmup_ratio": Math.min(1, grpo.warmupSteps / grpo.steps),
    "actor.max_norm": grpo.maxGradNorm,
    "actor.freeze_visual_encoder": true,
    "actor.gradient_checkpointing_enable": true,
    "actor.num_nodes": cluster.nodes,
    "actor.num_gpus_per_node": cluster.gpusPerNode,
    "ref.num_nodes": cluster.nodes,
    "ref.num_gpus_per_node": cluster.gpusPerNode,
    "ds.zero_stage": 3,
    "ds.param_dtype": "bf16",
    "ds.adam_offload": true,
    "ds.enable_sleep": true,
    "train.colocate_all": true,
    "vllm.num_engines": (cluster.nodes * cluster.gpusPerNode) / cluster.tensorParallel,
    "vllm.tensor_parallel_size": cluster.tensorParallel,
    "vllm.gpu_memory_utilization": cluster.engineMemory,
    "vllm.enable_sleep": true,
    "vllm.sync_backend": "nccl",
    "ckpt.output_dir": `${HERE}/output/final`,
    "ckpt.path": `${HERE}/output/checkpoints`,
    "ckpt.save_hf": true,
    "ckpt.save_steps": grpo.saveEvery || -1,
    "logger.tensorboard_dir": `${HERE}/output/tensorboard`,
  };
}

function differences({ spec, train }: ExportPlan): string[] {
  const { grpo } = spec;
  const passes = epochs(spec, train.length);
  const steps = Math.floor((train.length * passes) / grpo.prompts);
  return [
    ...(steps === grpo.steps
      ? []
      : [
          `OpenRLHF counts passes: ${passes} over ${train.length} problems make ${steps} steps in place of ${grpo.steps}.`,
        ]),
    ...replacedGroupsNote(spec, "the filter drops"),
    ...divisorNote(spec, "1e-9"),
    pixelNote(spec),
    "The token is part of the reward's address, which OpenRLHF keeps among its settings: give this server a token of its own.",
    "A reward that fails five times is only logged by OpenRLHF, which then stops at a missing reward model: look for the server's message further up.",
  ];
}
