/**
 * Pretrains the embedded base policy, once, for everybody.
 *
 *   node dist/datasets/base-policy/pretrain.js
 *
 * Pictures of the visual-math families; all parameters are trained, the vision tower too. Three phases, because each skill
 * was found to be learned slowly, or not at all, where the next one is asked for at once:
 *  1. `--reading` steps: every picture is transcribed, and every image token also names the characters in its part of
 *     the picture. From solutions alone, and from transcriptions alone, the policy learned layouts but no digit in 30,000
 *     pictures.
 *  2. `--skills` steps: solutions by able solvers (`skilledMixture`).
 *  3. `--habits` steps: solutions by the solvers that the base is to resemble (`baseMixture`): it keeps the skills and
 *     takes on the habits.
 * Problems without pictures run beside all of them. Held-out families and levels appear as reading tasks only, so that
 * the tower can read what the policy has never solved. The run directory holds a checkpoint every `--save` steps, from
 * which the same command goes on, and at the end the folder `final`, in Hugging Face layout.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ready, tf } from "../../lib/engine/backend";
import { createRandom } from "../../lib/engine/random";
import { groupBatch, predictionIndices, type GroupedBatch } from "../../lib/policy/batch";
import type { PolicyBundle } from "../../lib/policy/bundle";
import { loadPolicy, savePolicy } from "../../lib/policy/checkpoint";
import type { PolicyConfig } from "../../lib/policy/config";
import { loadImageProcessor } from "../../lib/policy/image-processor";
import { tokenLogprobs } from "../../lib/policy/policy";
import { loadTokenizer, type Tokenizer } from "../../lib/policy/tokenizer";
import { encodeImages, type Grid } from "../../lib/policy/vision";
import { initialWeights } from "../../lib/policy/weights";
import {
  adamWDefaults,
  cosineSchedule,
  createAdamW,
  lossAndGradients,
} from "../../lib/train/optimizer";
import { openRun } from "../../lib/train/run";
import { restoreTraining, saveTraining } from "../../lib/train/state";
import { startExamples, type Example } from "./pretrain-data";

const { values: args } = parseArgs({
  options: {
    reading: { type: "string", default: "1500" },
    skills: { type: "string", default: "3000" },
    habits: { type: "string", default: "1000" },
    from: { type: "string" },
    runs: { type: "string", default: "runs" },
    pictures: { type: "string", default: "48" },
    documents: { type: "string", default: "2" },
    pool: { type: "string", default: "30000" },
    lr: { type: "string", default: "1.5e-3" },
    seed: { type: "string", default: "base-1" },
    save: { type: "string", default: "100" },
    log: { type: "string", default: "25" },
  },
});

/** Holds the embedded policy's files other than its weights. */
const COMPANIONS = join(__dirname, "../../../datasets/base-policy");

function architecture(tokenizer: Tokenizer): PolicyConfig {
  return {
    decoder: {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 128,
      intermediateSize: 384,
      layers: 4,
      heads: 4,
      kvHeads: 2,
      headDim: 32,
      rmsNormEps: 1e-6,
      ropeTheta: 10000,
      mropeSection: [4, 6, 6],
      tiedHead: true,
      maxPositions: 2048,
      eosTokenId: tokenizer.endId,
      padTokenId: tokenizer.padId,
    },
    vision: {
      depth: 3,
      hiddenSize: 96,
      intermediateSize: 256,
      heads: 4,
      channels: 3,
      patchSize: 14,
      temporalPatchSize: 2,
      mergeSize: 2,
      windowSize: 56,
      fullAttentionBlocks: [1, 2],
      outputSize: 128,
    },
    imageTokenId: tokenizer.idOf("<|image_pad|>"),
    videoTokenId: tokenizer.idOf("<|video_pad|>"),
    visionStartTokenId: tokenizer.idOf("<|vision_start|>"),
    visionEndTokenId: tokenizer.idOf("<|vision_end|>"),
  };
}

async function main(): Promise<void> {
  const [reading, skills, habits] = [args.reading, args.skills, args.habits].map(Number);
  const [pictures, documents, pool] = [args.pictures, args.documents, args.pool].map(Number);
  const steps = reading + skills + habits;
  const peak = Number(args.lr);
  await ready();
  const tokenizer = loadTokenizer(COMPANIONS);
  const config = architecture(tokenizer);
  const random = createRandom(args.seed);
  const run = openRun({
    root: args.runs,
    stage: "pretrain",
    preset: "base",
    inputs: {
      ...{ seed: args.seed, from: args.from ?? null, learningRate: peak },
      ...{ reading, skills, habits, pictures, documents, pool },
    },
  });
  if (run.summary !== undefined) {
    console.error(`${run.folder} is finished; its policy is in final`);
    return;
  }

  // ---- data: pictures and documents are made by a worker, while this thread computes
  const data = startExamples({
    folder: COMPANIONS,
    seed: args.seed,
    pool,
    pictures,
    documents,
    readingSteps: reading,
    skillSteps: skills,
  });

  // ---- policy and optimiser: fresh, or from an earlier policy's weights; then whatever the run has reached
  const policy: PolicyBundle = {
    ...(args.from === undefined
      ? { config, weights: initialWeights(config, random.fork("weights")) }
      : loadPolicy(args.from)),
    tokenizer,
    processor: loadImageProcessor(COMPANIONS),
    folder: COMPANIONS,
  };
  const names = policy.weights.names;
  const optimizer = createAdamW(policy.weights, names, { ...adamWDefaults, weightDecay: 0.01 });
  if (run.lastCheckpoint !== undefined) restoreTraining(policy, optimizer, run.lastCheckpoint);
  const start = run.resumedAt;
  console.error(`${run.folder}: ${policy.weights.size} parameters, steps ${start} to ${steps}`);

  // ---- the loop
  const ahead = [data.batch(start), data.batch(start + 1)];
  let windowLoss = 0;
  let clock = Date.now();
  for (let step = start; step < steps; step++) {
    const examples = await (ahead.shift() as Promise<Example[]>);
    ahead.push(data.batch(step + 2));
    const grids: Grid[] = examples.flatMap(({ prompt }) => prompt.grids.slice());
    const batch = groupBatch(
      examples.map(({ prompt }) => prompt),
      examples.map((example) => example.documents),
      config,
    );
    const pixels = tf.tidy(() => {
      const width = examples[0].patches.length / (grids[0][1] * grids[0][2]);
      return tf.concat(
        examples.map(({ patches }) => tf.tensor2d(patches, [patches.length / width, width])),
      );
    });
    const targets = withCells(batch, examples, config);
    const { loss, gradients } = lossAndGradients(policy.weights, names, () => {
      const images = encodeImages(policy.weights, config.vision, pixels, grids);
      return tokenLogprobs(policy, batch, images, targets).mean().neg();
    });
    // Constant while skills are learned, then half a cosine down.
    const learningRate = cosineSchedule(Math.max(0, step - reading - skills / 2), {
      peak: peak * Math.min(1, (step + 1) / 200),
      warmup: 0,
      total: skills / 2 + habits,
      floor: 0.02,
    });
    const norm = optimizer.update(gradients, learningRate);
    tf.dispose([pixels, ...gradients]);
    windowLoss += loss;
    const done = step + 1;
    if (done % Number(args.log) === 0) {
      const seconds = (Date.now() - clock) / 1000 / Number(args.log);
      const row = {
        step: done,
        loss: windowLoss / Number(args.log),
        grad_norm: norm,
        learning_rate: learningRate,
        step_time: seconds,
        tensors: tf.memory().numTensors,
      };
      run.metrics(row);
      console.error(JSON.stringify(row));
      [windowLoss, clock] = [0, Date.now()];
    }
    if (done % Number(args.save) === 0 || done === steps) {
      run.checkpoint(done, (folder) => saveTraining(policy, optimizer, folder));
    }
    await new Promise(setImmediate);
  }
  savePolicy(policy, join(run.folder, "final"), COMPANIONS);
  run.finish({ steps });
  await data.stop();
}

/** The batch's prediction indices, and after them those of the image tokens that have something to say. */
function withCells(
  batch: GroupedBatch,
  examples: readonly Example[],
  config: PolicyConfig,
): { source: Int32Array; target: Int32Array } {
  const { source, target } = predictionIndices(batch);
  const [sources, targets] = [Array.from(source), Array.from(target)];
  let start = 0;
  for (const { prompt, cells } of examples) {
    const first = prompt.ids.indexOf(config.imageTokenId);
    cells.forEach((tokens, i) => {
      for (const token of tokens) {
        sources.push(start + first + i);
        targets.push(token);
      }
    });
    start += prompt.ids.length;
  }
  return { source: Int32Array.from(sources), target: Int32Array.from(targets) };
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
