/**
 * The base policy's pretraining data: batches of pictures with prompts and documents, made in a worker thread, so that
 * drawing and tokenising cost the training nothing where there is a second core. A batch depends on the options and
 * its step alone.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createRandom, type Random } from "../../lib/engine/random";
import type { PromptTokens } from "../../lib/policy/batch";
import { loadImageProcessor, type ImageProcessor } from "../../lib/policy/image-processor";
import { encodePrompt, loadTokenizer, type Tokenizer } from "../../lib/policy/tokenizer";
import { SYSTEM_PROMPTS } from "../../lib/reflection/prompts";
import {
  baseMixture,
  charactersByCell,
  skilledMixture,
  writeDrill,
  writeReading,
  writeReflecting,
  writeSingle,
  writeTranscription,
} from "../visual-math/corpus";
import type { Scene } from "../visual-math/family";
import {
  drawItem,
  generateItems,
  generateOod,
  renderPng,
  type VisualMathItem,
} from "../visual-math/problems";

export interface ExamplesOptions {
  /** Holds the tokenizer's and the image processor's files. */
  folder: string;
  seed: string;
  /** Problems in all; each is drawn when it is first met and kept as PNG. */
  pool: number;
  /** Pictures a step after the reading steps, which take twice as many. */
  pictures: number;
  /** Documents a picture after the reading steps. */
  documents: number;
  /** Steps at the beginning in which pictures are only transcribed. */
  readingSteps: number;
  /** Steps after them in which able solvers write. */
  skillSteps: number;
}

/** Asks for nothing but the numbers; only pretraining uses it. */
const READ_PROMPT = "Read.";

/** Asks for arithmetic without a picture. */
const DRILL_PROMPT = "Check:";

/** What a document answers: a question once or with reflection, a question by the numbers alone, or nothing at all. */
const STYLES = { direct: 0.39, reflect: 0.39, read: 0.07, transcribe: 0.15 };

/** A picture with its prompt and the documents that answer it. */
export interface Example {
  prompt: PromptTokens;
  documents: number[][];
  patches: Float32Array;
  /** For a transcription, the tokens that each image token is to predict with equal shares. */
  cells: number[][];
}

/** The batches of a run, made on demand. */
interface Examples {
  batch(step: number): Promise<Example[]>;
}

/** Starts the worker. */
export function startExamples(options: ExamplesOptions): Examples & { stop(): Promise<void> } {
  const worker = new Worker(__filename, { workerData: options });
  const waiting = new Map<number, (examples: Example[]) => void>();
  worker.on("message", ({ step, examples }: { step: number; examples: Example[] }) => {
    waiting.get(step)?.(examples);
    waiting.delete(step);
  });
  worker.on("error", (error) => {
    throw error;
  });
  return {
    batch: (step) =>
      new Promise((resolve) => {
        waiting.set(step, resolve);
        worker.postMessage(step);
      }),
    stop: async () => void (await worker.terminate()),
  };
}

function createExamples(options: ExamplesOptions): Examples {
  const { folder, seed, pool, pictures, documents, readingSteps, skillSteps } = options;
  const tokenizer = loadTokenizer(folder);
  const processor = loadImageProcessor(folder);
  const prompt = {
    imageTokenId: tokenizer.idOf("<|image_pad|>"),
    mergeSize: processor.config.mergeSize,
  };
  const random = createRandom(seed);
  const heldOut = Math.round(pool * 0.08);
  const solved = generateItems({
    split: "pretrain",
    count: pool - heldOut,
    seed,
    allowRepeats: true,
  });
  const readOnly = generateOod({ count: heldOut, seed, allowRepeats: true });
  const items: { item: VisualMathItem; readOnly: boolean; png?: Promise<Buffer> }[] = random
    .fork("pool")
    .shuffle([
      ...solved.map((item) => ({ item, readOnly: false })),
      ...readOnly.map((item) => ({ item, readOnly: true })),
    ]);

  const seen = async (index: number, phase: Phase): Promise<Example> => {
    const transcribeOnly = phase === "reading";
    const entry = items[index % items.length];
    const { scene, problem } = entry.item;
    entry.png ??= renderPng(entry.item);
    const { patches, grid } = await processor.processImage(await entry.png);
    const stream = random.fork(`document/${index}`);
    const drawn = transcribeOnly ? "transcribe" : stream.weighted(STYLES);
    const style = entry.readOnly && drawn !== "transcribe" ? "read" : drawn;
    const svg = style === "transcribe" ? drawItem(entry.item) : "";
    const write = {
      ...solutionsOf(scene, phase, stream),
      read: () => writeReading(scene),
      transcribe: () => writeTranscription(svg),
    }[style];
    const asks = style === "direct" || style === "reflect";
    const question = style === "transcribe" ? "" : problem.question;
    const ids = encodePrompt(
      tokenizer,
      [
        { role: "system", content: asks ? SYSTEM_PROMPTS[style] : READ_PROMPT },
        { role: "user", content: [{ type: "image" }, { type: "text", text: question }] },
      ],
      [grid],
      prompt,
    );
    return {
      prompt: { ids, grids: [grid] },
      documents: Array.from({ length: transcribeOnly ? 1 : documents }, () => [
        ...tokenizer.encode(write()),
        tokenizer.endId,
      ]),
      patches,
      cells: style === "transcribe" ? cellTargets(svg, entry.item, processor, tokenizer) : [],
    };
  };

  /** Without a picture: every other one is a problem told in words, the others are bare arithmetic. */
  const told = (index: number, phase: Phase): Example => {
    const stream = random.fork(`told/${index}`);
    const { scene, problem } = stream.pick(solved);
    const style = index % 2 === 0 ? "direct" : "reflect";
    const asArithmetic = index % 4 < 2;
    const write = solutionsOf(scene, phase, stream)[style];
    const ids = encodePrompt(
      tokenizer,
      asArithmetic
        ? [{ role: "system", content: DRILL_PROMPT }]
        : [
            { role: "system", content: SYSTEM_PROMPTS[style] },
            { role: "user", content: `${writeReading(scene)} ${problem.question}` },
          ],
      [],
      prompt,
    );
    return {
      prompt: { ids, grids: [] },
      documents: Array.from({ length: phase === "reading" ? 1 : documents }, () => [
        // One problem a document: a longer one would widen every row's attention.
        ...tokenizer.encode(asArithmetic ? writeDrill([stream.pick(solved).scene]) : write()),
        tokenizer.endId,
      ]),
      patches: new Float32Array(0),
      cells: [],
    };
  };

  return {
    batch: async (step) => {
      const phase: Phase =
        step < readingSteps ? "reading" : step < readingSteps + skillSteps ? "skills" : "habits";
      // Transcriptions are short: there is room for twice as many.
      const first = pictures * (step + Math.min(step, readingSteps));
      const here = phase === "reading" ? 2 * pictures : pictures;
      const tellings = Math.floor(pictures / 2);
      return Promise.all([
        ...Array.from({ length: here }, (_unused, i) => seen(first + i, phase)),
        ...Array.from({ length: tellings }, (_unused, i) => told(step * tellings + i, phase)),
      ]);
    },
  };
}

/** What is learned in a step. */
type Phase = "reading" | "skills" | "habits";

/** What writes a scene's solutions, by how it is asked; only the last phase has the base's habits. */
function solutionsOf(scene: Scene, phase: Phase, random: Random) {
  const mixture = phase === "habits" ? baseMixture : skilledMixture;
  return {
    direct: () => writeSingle(scene, mixture, random),
    reflect: () => writeReflecting(scene, mixture, random),
  };
}

/** What the image tokens of a transcription are to say, in the order in which they stand in the prompt. */
function cellTargets(
  svg: string,
  { style: { width, height } }: VisualMathItem,
  processor: ImageProcessor,
  tokenizer: Tokenizer,
): number[][] {
  const { patchSize, mergeSize } = processor.config;
  return charactersByCell(svg, width, height, patchSize * mergeSize).map((characters) => {
    const ids = Array.from(characters, (character) => tokenizer.encode(character));
    const known = ids.filter(({ length }) => length === 1).flat();
    return known.length === 0 ? [tokenizer.padId] : known;
  });
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const examples = createExamples(workerData as ExamplesOptions);
  port.on("message", async (step: number) => {
    const batch = await examples.batch(step);
    port.postMessage(
      { step, examples: batch },
      batch.map(({ patches }) => patches.buffer as ArrayBuffer),
    );
  });
}
