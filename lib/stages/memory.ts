/** Whether a training fits, said before its policy is loaded. */
import type { Spec } from "../config";
import { ready } from "../engine/backend";
import { fault } from "../engine/errors";
import { freeMemory } from "../engine/free-memory";
import { readPolicyConfig } from "../policy/config";
import { loadImageProcessor } from "../policy/image-processor";
import { describeMemory, memoryNeed, type MemoryNeed } from "../policy/memory";
import { checkpointOf } from "../policy/peft";
import { encodePrompt, loadTokenizer } from "../policy/tokenizer";
import { buildMessages, type PromptStyle } from "../reflection/prompts";
import type { Problem } from "../types";
import type { PolicyRef, StageOptions } from "./context";

/** Prompts that are looked at; the longest of them stands for all. */
const LOOKED_AT = 16;
/** Less is not worth a word. */
const WORTH_SAYING = 2e9;

export interface TrainingWork {
  /** What is asked, in which style. */
  problems: readonly Problem[];
  style: PromptStyle;
  /** Longest completion, in tokens. */
  completionTokens: number;
  stage: "sft" | "grpo";
}

/**
 * Computes what the training needs and tells the watcher.
 * @throws LabError with advice when less is free, unless `options.anyMemory` says to go on
 */
export async function checkMemory(
  spec: Spec,
  from: PolicyRef,
  work: TrainingWork,
  { watch, anyMemory = false }: Pick<StageOptions, "watch" | "anyMemory">,
): Promise<MemoryNeed> {
  await ready();
  const { lora, grpo, sft } = spec;
  const folder = checkpointOf(from.folder);
  const { promptTokens, patches } = await longestPrompt(folder, work);
  const grouped = work.stage === "grpo";
  const need = memoryNeed(readPolicyConfig(folder), {
    ...{ lora, promptTokens, patches, completionTokens: work.completionTokens },
    microBatch: grouped ? Math.min(grpo.microBatch, grpo.prompts) : sft.microBatch,
    group: grouped ? grpo.group : 1,
    rolloutPrompts: grouped ? grpo.prompts : 0,
    reference: grouped && grpo.beta > 0,
    gradientCheckpointing: spec[work.stage].gradientCheckpointing,
  });
  const free = freeMemory();
  const has = free === undefined ? "" : `, ${(free / 1e9).toFixed(1)} GB free`;
  if (need.total > WORTH_SAYING) watch?.memory?.(describeMemory(need) + has);
  if (free !== undefined && need.total > free && !anyMemory) {
    throw fault(work.stage, `the training does not fit: ${describeMemory(need)}`, {
      got: `${(free / 1e9).toFixed(1)} GB free`,
      expected: `${(need.total / 1e9).toFixed(1)} GB`,
      try: `${lora.rank === 0 ? "lora.rank=16, " : ""}${spec[work.stage].gradientCheckpointing ? "" : `${work.stage}.gradientCheckpointing=true, `}a smaller ${work.stage}.microBatch${grouped ? ", grpo.prompts or grpo.maxNewTokens" : ""}, a machine with more; --any-memory (anyMemory in a notebook) goes on all the same`,
    });
  }
  return need;
}

async function longestPrompt(
  folder: string,
  { problems, style }: TrainingWork,
): Promise<{ promptTokens: number; patches: number }> {
  const tokenizer = loadTokenizer(folder);
  const processor = loadImageProcessor(folder);
  const { imageTokenId, vision } = readPolicyConfig(folder);
  let [promptTokens, patches] = [0, 0];
  for (const problem of problems.slice(0, LOOKED_AT)) {
    const pictures = await Promise.all(problem.images.map((path) => processor.processImage(path)));
    const grids = pictures.map(({ grid }) => grid);
    const options = { imageTokenId, mergeSize: vision.mergeSize };
    const ids = encodePrompt(tokenizer, buildMessages(problem, style), grids, options);
    promptTokens = Math.max(promptTokens, ids.length);
    patches = Math.max(patches, grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0)); // prettier-ignore
  }
  return { promptTokens, patches };
}
