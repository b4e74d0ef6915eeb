/**
 * Pretrains the embedded base policy, once, for everybody.
 *
 *   node dist/datasets/base-policy/pretrain.js --out runs/base
 *
 * Pictures of the visual-math families; all parameters are trained, the vision tower too. Three phases, because each skill
 * was found to be learned slowly, or not at all, where the next one is asked for at once:
 *  1. `--reading` steps: every picture is transcribed, and every image token also names the character in its part of the
 *     picture. From solutions alone, and from transcriptions alone, the policy learned layouts but no digit in 30,000
 *     pictures.
 *  2. `--skills` steps: solutions by able solvers (`skilledMixture`).
 *  3. `--habits` steps: solutions by the solvers that the base is to resemble (`baseMixture`): it keeps the skills and
 *     takes on the habits.
 * Problems without pictures run beside all of them. Held-out families and levels appear as reading tasks only, so that
 * the tower can read what the policy has never solved. A checkpoint is written every `--save` steps and a run goes on from
 * its last one; the result is the folder `final`, in Hugging Face layout.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ready, tf } from "../../lib/engine/backend";
import { appendJsonl, readJsonl, writeFileAtomic, writeJsonl } from "../../lib/engine/files";
import { createRandom } from "../../lib/engine/random";
import { readSafetensors, writeSafetensors } from "../../lib/engine/safetensors";
import { groupBatch, predictionIndices, type GroupedBatch } from "../../lib/policy/batch";
import { loadPolicy, savePolicy } from "../../lib/policy/checkpoint";
import type { PolicyConfig } from "../../lib/policy/config";
import { tokenLogprobs, type Policy } from "../../lib/policy/policy";
import { loadTokenizer, type Tokenizer } from "../../lib/policy/tokenizer";
import { encodeImages, type Grid } from "../../lib/policy/vision";
import { initialWeights } from "../../lib/policy/weights";
import {
  adamWDefaults,
  cosineSchedule,
  createAdamW,
  lossAndGradients,
} from "../../lib/train/optimizer";
import { startExamples, type Example } from "./pretrain-data";

const { values: args } = parseArgs({
  options: {
    reading: { type: "string", default: "1500" },
    skills: { type: "string", default: "3000" },
    habits: { type: "string", default: "1000" },
    from: { type: "string" },
    out: { type: "string", default: "runs/base" },
    pictures: { type: "string", default: "48" },
    documents: { type: "string", default: "2" },
    pool: { type: "string", default: "30000" },
    lr: { type: "string", default: "1.5e-3" },
    seed: { type: "string", default: "base-1" },
    save: { type: "string", default: "250" },
    log: { type: "string", default: "25" },
  },
});

/** The embedded policy's files other than its weights. */
const TOKENIZER = join(__dirname, "../../../datasets/base-policy");

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
  const tokenizer = loadTokenizer(TOKENIZER);
  const config = architecture(tokenizer);
  const random = createRandom(args.seed);
  mkdirSync(args.out, { recursive: true });

  // ---- data: pictures and documents are made by a worker, while this thread computes
  const data = startExamples({
    folder: TOKENIZER,
    seed: args.seed,
    pool,
    pictures,
    documents,
    readingSteps: reading,
    skillSteps: skills,
  });

  // ---- policy and optimiser: from the last checkpoint, from an earlier policy's weights, or fresh
  const last = lastCheckpoint(args.out);
  const origin = last === undefined ? args.from : join(args.out, last);
  const policy: Policy =
    origin === undefined
      ? { config, weights: initialWeights(config, random.fork("weights")) }
      : loadPolicy(origin);
  const names = policy.weights.names;
  const optimizer = createAdamW(policy.weights, names, { ...adamWDefaults, weightDecay: 0.01 });
  let start = 0;
  if (last !== undefined) {
    const { tensors, metadata } = readSafetensors(join(args.out, last, "optimizer.safetensors"));
    start = Number(metadata.step);
    optimizer.restore({ step: start, first: tensors.first, second: tensors.second });
    const log = join(args.out, "metrics.jsonl");
    if (existsSync(log)) {
      writeJsonl(
        log,
        readJsonl<{ step: number }>(log).filter(({ step }) => step <= start),
      );
    }
  }
  console.error(`${policy.weights.size} parameters, steps ${start} to ${steps}`);

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
      appendJsonl(join(args.out, "metrics.jsonl"), row);
      console.error(JSON.stringify(row));
      [windowLoss, clock] = [0, Date.now()];
    }
    if (done % Number(args.save) === 0 || done === steps) {
      save(policy, optimizer.state(), join(args.out, `step-${done}`));
      for (const old of checkpoints(args.out).slice(0, -2)) {
        rmSync(join(args.out, old), { recursive: true });
      }
    }
    await new Promise(setImmediate);
  }
  savePolicy(policy, join(args.out, "final"), TOKENIZER);
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
    cells.forEach((token, i) => {
      sources.push(start + first + i);
      targets.push(token);
    });
    start += prompt.ids.length;
  }
  return { source: Int32Array.from(sources), target: Int32Array.from(targets) };
}

function save(
  policy: Policy,
  state: ReturnType<ReturnType<typeof createAdamW>["state"]>,
  folder: string,
): void {
  savePolicy(policy, folder, TOKENIZER);
  writeSafetensors(
    join(folder, "optimizer.safetensors"),
    { first: state.first, second: state.second },
    { step: String(state.step) },
  );
  // The mark of a whole checkpoint comes last.
  writeFileAtomic(join(folder, "complete"), "");
}

function checkpoints(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^step-\d+$/.test(name) && existsSync(join(folder, name, "complete")))
    .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
}

function lastCheckpoint(folder: string): string | undefined {
  return checkpoints(folder).at(-1);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
