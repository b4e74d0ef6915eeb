/** Memory that a policy of real size takes, computed beforehand and counted by the operating system afterwards. */
import { describeEngine } from "../engine/backend";
import { basePolicyFolder } from "../paths";
import { policyToTrain } from "../policy/bundle";
import { loadPolicy } from "../policy/checkpoint";
import { readPolicyConfig } from "../policy/config";
import { loadImageProcessor } from "../policy/image-processor";
import { LORA_TARGETS } from "../policy/lora";
import { memoryNeed, parameterCount } from "../policy/memory";
import { loadTokenizer } from "../policy/tokenizer";
import { grpoSpeed, stepTimes } from "./grpo";
import { syntheticProblems, syntheticPrompts } from "./synthetic";

export interface LoadWork {
  policy: string;
  rank: number;
  prompts: number;
  group: number;
  newTokens: number;
  /** 0 only loads. */
  steps: number;
}

export interface LoadRow {
  phase: "load" | "train";
  parameters: number;
  /** What was computed before, in 10⁹ bytes, over what the process took with nothing loaded. */
  computed_gb: number;
  /** The process's largest resident memory until the end of the phase, over the same. */
  peak_gb: number;
  seconds: number;
  /** Of all steps. */
  tok_per_s?: number;
  threads: number;
}

/** Text tokens of a prompt. */
const PROMPT = 32;

/** Loads the checkpoint, then trains adapters (rank 0: the whole decoder) on random words for some GRPO steps. */
export async function* measureLoad(work: LoadWork): AsyncGenerator<LoadRow> {
  const { policy: folder, rank, prompts, group, newTokens, steps } = work;
  const config = readPolicyConfig(folder);
  const lora = { rank, alpha: 2 * rank, targets: [...LORA_TARGETS] };
  const need = memoryNeed(config, {
    ...{ lora, group, promptTokens: PROMPT, completionTokens: newTokens, patches: 0 },
    ...{ microBatch: prompts, rolloutPrompts: prompts, reference: false },
    gradientCheckpointing: false,
  });
  const tokenizer = loadTokenizer(basePolicyFolder);
  const processor = loadImageProcessor(basePolicyFolder);
  const idle = peakBytes();
  let clock = Date.now();
  const row = (
    phase: LoadRow["phase"],
    computed: number,
    more: Partial<LoadRow> = {},
  ): LoadRow => ({
    ...{ phase, parameters: parameterCount(config), computed_gb: computed / 1e9 },
    ...{ peak_gb: (peakBytes() - idle) / 1e9, seconds: (Date.now() - clock) / 1000, ...more },
    threads: describeEngine().threads,
  });

  const loaded = loadPolicy(folder);
  yield row("load", need.phases.loading);
  if (steps === 0) return loaded.weights.dispose();

  clock = Date.now();
  // No token ends a completion: every one is as long as it may be.
  const endless = { ...config, decoder: { ...config.decoder, eosTokenId: -1 } };
  const plain = { config: endless, weights: loaded.weights, tokenizer, processor, folder };
  const bundle = policyToTrain(plain, lora, 1);
  const cache = syntheticPrompts(bundle, PROMPT);
  const problems = syntheticProblems(prompts * steps);
  const taken = await stepTimes(bundle, problems, { prompts, group, newTokens, steps }, cache, 0);
  const { tok_per_s } = grpoSpeed(taken);
  yield row("train", need.total, { tok_per_s });
}

/** The process's largest resident memory so far (`VmHWM`). */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
