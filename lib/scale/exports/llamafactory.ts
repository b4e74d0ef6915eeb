/** LLaMA-Factory 0.9.5: Stage I, sharegpt as JSON Lines with the pictures beside it, and the YAML of the published recipe. */
import { anyOf, countedDictionaries, jsonSteps } from "../logs/lines";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fault } from "../../engine/errors";
import { writeFileAtomic } from "../../engine/files";
import type { Row } from "../../engine/rows";
import { chat, chatOf, mapRows, markedQuestion, readRow, unmarked } from "./columns";
import { jsonlRows, writeJsonlRows } from "./jsonl";
import { must, type ExportPlan, type ExportTarget } from "./target";
import { HERE, launchScript, renderYaml, type Yaml } from "./text";

const DATASET = "srpo_sft";
const LOGGING_STEPS = 10;

export const target: ExportTarget = {
  name: "llamafactory",
  title: "LLaMA-Factory 0.9.5",
  program: "llamafactory",
  version: "0.9.5",
  alsoReads: /^0\.9\.5$/,
  trains: "sft",
  dataFile: (set) => `data/${set}.jsonl`,
  writeRows: (path, rows, folder) =>
    writeJsonlRows(
      path,
      mapRows(rows, (row) => {
        for (const { name, bytes } of row.images) {
          const picture = join(folder, "data/images", name);
          if (!existsSync(picture)) writeFileAtomic(picture, bytes);
        }
        return {
          messages: [
            ...chat(row.system, markedQuestion(row)),
            { role: "assistant", content: row.reply ?? "" },
          ],
          images: row.images.map(({ name }) => `images/${name}`),
          index: row.index,
          label: row.label,
          problem: row.problem,
        };
      }),
    ),
  readRows: (path, folder) =>
    mapRows(jsonlRows(path), (row) => {
      const images = (row.images as string[]).map((name) => {
        const file = join(folder, "data/images", basename(name));
        if (!existsSync(file)) throw fault("readExport", `no picture at ${file}`);
        return { name: basename(name), bytes: new Uint8Array(readFileSync(file)) };
      });
      const messages = row.messages as Row[];
      const [system, user] = chatOf(messages.slice(0, 2));
      const question = unmarked(user, images.length);
      const reply = String(messages[2]?.content);
      return readRow(
        { system, question, label: String(row.label), images, reply },
        row.index,
        row.problem,
      );
    }),
  log: {
    reader: () => anyOf(countedDictionaries(LOGGING_STEPS), jsonSteps()),
    names: { lr: "learning_rate" },
  },
  files: (plan) => ({
    files: {
      "data/dataset_info.json": JSON.stringify({ [DATASET]: datasetInfo }, null, 2) + "\n",
      "sft.yaml": renderYaml(settings(plan)),
      "deepspeed.json": JSON.stringify(ZERO_3, null, 2) + "\n",
      "launch.sh": launchScript(["llamafactory-cli", "train", `${HERE}/sft.yaml`], {
        environment: { FORCE_TORCHRUN: "1" },
      }),
    },
    differences: [
      "Adam's second moment decays by 0.999, as in the published recipe; the lab's own SFT has 0.95.",
    ],
  }),
};

const datasetInfo = {
  file_name: "train.jsonl",
  formatting: "sharegpt",
  columns: { messages: "messages", images: "images" },
  tags: {
    ...{ role_tag: "role", content_tag: "content" },
    ...{ user_tag: "user", assistant_tag: "assistant", system_tag: "system" },
  },
};

const ZERO_3 = {
  train_batch_size: "auto",
  train_micro_batch_size_per_gpu: "auto",
  gradient_accumulation_steps: "auto",
  gradient_clipping: "auto",
  bf16: { enabled: "auto" },
  zero_optimization: {
    stage: 3,
    overlap_comm: true,
    contiguous_gradients: true,
    stage3_gather_16bit_weights_on_model_save: true,
  },
};

/** LLaMA-Factory's settings, under its own names. */
export function settings({ spec, samples }: ExportPlan): { readonly [key: string]: Yaml } {
  const { sft, cluster, seed } = spec;
  const steps = sft.epochs * Math.ceil((samples.length * (1 - sft.evalShare)) / sft.batch);
  const gpus = cluster.nodes * cluster.gpusPerNode;
  must(
    "llamafactory",
    cluster.model !== "",
    "training no model",
    cluster.model,
    "--preset srpo-7b, or --set cluster.model=NAME",
  );
  must(
    "llamafactory",
    sft.batch % (gpus * sft.microBatch) === 0,
    "a batch that the GPUs do not share evenly",
    { batch: sft.batch, gpus, microBatch: sft.microBatch },
    "sft.batch that is a multiple of GPUs times sft.microBatch",
  );
  return {
    model_name_or_path: cluster.model,
    stage: "sft",
    do_train: true,
    finetuning_type: "full",
    freeze_vision_tower: true,
    freeze_multi_modal_projector: true,
    deepspeed: "deepspeed.json",
    dataset_dir: "data",
    media_dir: "data",
    dataset: DATASET,
    template: "qwen2_vl",
    cutoff_len: cluster.sftMaxTokens,
    image_max_pixels: cluster.sftMaxPixels,
    preprocessing_num_workers: 8,
    output_dir: "output",
    logging_steps: LOGGING_STEPS,
    save_steps: sft.saveEvery,
    per_device_train_batch_size: sft.microBatch,
    gradient_accumulation_steps: sft.batch / (gpus * sft.microBatch),
    learning_rate: sft.learningRate,
    num_train_epochs: sft.epochs,
    lr_scheduler_type: "cosine",
    // A share would be called warmup_ratio or not, depending on the version of transformers.
    warmup_steps: Math.round(sft.warmup * steps),
    weight_decay: sft.weightDecay,
    max_grad_norm: sft.maxGradNorm,
    bf16: true,
    seed,
    val_size: sft.evalShare,
    ...(sft.evalShare > 0
      ? { eval_strategy: "steps", eval_steps: sft.evalEvery, per_device_eval_batch_size: 1 }
      : {}),
    report_to: "none",
  };
}
