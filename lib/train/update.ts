/** One optimiser step of reinforcement learning: the tokens of its rollouts as the loss takes them, and its gradients. */
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { chunk } from "../engine/lists";
import { groupBatch, type GroupedBatch } from "../policy/batch";
import type { PolicyBundle } from "../policy/bundle";
import { imageTensor } from "../policy/generate";
import { completionLogprobs, completionScores, type Policy } from "../policy/policy";
import type { RecordedBatch } from "../policy/tape";
import type { PromptStyle } from "../reflection/prompts";
import type { PromptCache } from "../rollout/prepare";
import { importanceRatios, type Disagreement } from "./importance";
import { policyLoss, type PolicyScores, type TokenTerms } from "./losses";
import type { ObjectiveConfig } from "./objective";
import { addGradients, lossAndGradients } from "./optimizer";
import type { Rollout, ScoredRollout } from "./rollouts";
import { lossWeights, type BatchSize } from "./weights";

/** What the tokens of a step are prepared with. */
export interface UpdateContext {
  bundle: PolicyBundle;
  style: PromptStyle;
  prompts: PromptCache;
  /** Groups that are in memory at once. */
  microBatch: number;
}

/** 1 for each token of a rollout that the loss looks at: not those of a completion cut off, if the setting says so. */
export function lossMask(
  { completion, mask }: ScoredRollout,
  { maskTruncated }: Pick<ObjectiveConfig, "maskTruncated">,
): Float32Array {
  const length = completion.ids.length;
  if (maskTruncated && completion.truncated) return new Float32Array(length);
  return mask ?? new Float32Array(length).fill(1);
}

/** What sampler and trainer say of the tokens; without a correction the sampler's word is taken for both. */
export function disagreement(
  rollouts: readonly ScoredRollout[],
  config: Pick<ObjectiveConfig, "maskTruncated">,
): Disagreement {
  const sampler = join(rollouts.map(({ completion }) => completion.logprobs));
  return {
    lengths: rollouts.map(({ completion }) => completion.ids.length),
    sampler,
    trainer: joinAll(rollouts.map(({ trainerLogprobs }) => trainerLogprobs)) ?? sampler,
    mask: join(rollouts.map((rollout) => lossMask(rollout, config))),
  };
}

/** @param size what the weights divide by, of the whole optimiser step although the rollouts may be a part of it */
export function tokenTerms(
  rollouts: readonly Rollout[],
  size: BatchSize,
  config: ObjectiveConfig,
): TokenTerms {
  const masks = rollouts.map((rollout) => lossMask(rollout, config));
  const said = disagreement(rollouts, config);
  const { lengths } = said;
  return {
    lengths,
    oldLogprobs: said.trainer,
    advantages: join(rollouts.map((r, i) => new Array<number>(lengths[i]).fill(r.advantage))),
    weights: lossWeights(config.loss, masks, size),
    refLogprobs: joinAll(rollouts.map(({ refLogprobs }) => refLogprobs)),
    importance: config.importanceSampling === "none" ? undefined : importanceRatios(said, config),
    entropyWeights: config.entropyCoef === 0 ? undefined : lossWeights("bnpo", masks, size),
  };
}

/** Log-probabilities of each rollout's tokens under a policy, without a gradient. */
export async function scoreTokens(
  policy: Policy,
  groups: readonly (readonly ScoredRollout[])[],
  context: UpdateContext,
): Promise<Float32Array[]> {
  const scores: Float32Array[] = [];
  for (const part of chunk(groups, context.microBatch)) {
    const { batch, images } = await layOut(part, context);
    const logprobs = tf.tidy(() =>
      completionLogprobs(policy, batch, images).dataSync<"float32">().slice(),
    );
    images?.dispose();
    let at = 0;
    for (const length of batch.completionLengths) {
      scores.push(logprobs.subarray(at, (at += length)));
    }
  }
  return scores;
}

/** What an optimiser step found. */
export interface StepGradients {
  loss: number;
  /** In the order of `names`; the caller disposes of them. */
  gradients: Tensor[];
  /** Log-probabilities of all tokens under the current policy `[n]`. */
  logprobs: Float32Array;
  /** Tokens as TRL counts them: every completion with its prompt. */
  tokens: number;
}

/**
 * Loss and gradients of one optimiser step. They are sums over its micro-batches, for the weights of the tokens are those
 * in the whole step.
 * @param recorded the groups' forward pass, where the rollout with these very weights has left it
 */
export async function stepGradients(
  groups: readonly Rollout[][],
  size: BatchSize,
  config: ObjectiveConfig,
  {
    names,
    recorded,
    ...context
  }: UpdateContext & {
    names: readonly string[];
    recorded?: Pick<RecordedBatch, "tape" | "prompts">;
  },
): Promise<StepGradients> {
  const { bundle } = context;
  let loss = 0;
  let gradients: Tensor[] | undefined;
  let tokens = 0;
  const logprobs: Float32Array[] = [];
  let done = 0;
  for (const part of chunk(groups, context.microBatch)) {
    const { batch, images } = await layOut(part, context);
    const own = recorded && {
      tape: recorded.tape,
      prompts: recorded.prompts.slice(done, done + part.length),
    };
    done += part.length;
    const terms = tokenTerms(part.flat(), size, config);
    const piece = lossAndGradients(bundle.weights, names, () => {
      const scores: PolicyScores =
        config.entropyCoef === 0
          ? { logprobs: completionLogprobs(bundle, batch, images, own) }
          : completionScores(bundle, batch, images);
      logprobs.push(scores.logprobs.dataSync<"float32">().slice());
      return policyLoss(scores, terms, config);
    });
    images?.dispose();
    loss += piece.loss;
    gradients =
      gradients === undefined ? piece.gradients : addGradients(gradients, piece.gradients);
    tokens += tokensIn(batch);
  }
  return { loss, gradients: gradients ?? [], logprobs: join(logprobs), tokens };
}

/** Tokens and picture features of groups. The caller disposes of `images`. */
async function layOut(
  groups: readonly (readonly ScoredRollout[])[],
  { bundle, style, prompts }: Omit<UpdateContext, "microBatch">,
): Promise<{ batch: GroupedBatch; images: Tensor2D | undefined }> {
  const prepared = await prompts.prepare(
    groups.map((group) => group[0].problem),
    style,
  );
  const ids = groups.map((group) => group.map(({ completion }) => completion.ids));
  const batch = groupBatch(prepared, ids, bundle.config);
  return { batch, images: imageTensor(prepared, bundle.config) };
}

function tokensIn({ G, promptLengths, completionLengths }: GroupedBatch): number {
  const sum = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);
  return G * sum(promptLengths) + sum(completionLengths);
}

function join(parts: readonly ArrayLike<number>[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The parts joined; nothing where one is absent. */
function joinAll(parts: readonly (Float32Array | undefined)[]): Float32Array | undefined {
  const present = parts.filter((part): part is Float32Array => part !== undefined);
  return present.length === parts.length && parts.length > 0 ? join(present) : undefined;
}
