/** Rollouts from a vision-language model's published ONNX export, in the layout of transformers.js. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fault } from "../../engine/errors";
import { contentHash } from "../../engine/files";
import { buildMessages } from "../../reflection/prompts";
import type { Completion, Problem } from "../../types";
import type { RolloutEngine, RolloutRequest } from "../engine";
import { takeTurns } from "../turns";
import {
  loadTransformersJs,
  repairTextPositions,
  type Model,
  type Processor,
  type TransformersJs,
} from "./library";

export interface TransformersJsOptions {
  name?: string;
  /** Which of the export's files: `fp32`, `fp16`, `q8`, `q4`, … as its `onnx/` folder has them. `fp32` unless told otherwise. */
  dtype?: string;
  device?: "cpu" | "cuda" | "webgpu";
}

/**
 * Opens a folder that holds `config.json`, the tokenizer, `preprocessor_config.json` and the models in `onnx/`. Nothing is
 * downloaded. Completions come one at a time, as text with their number of tokens; the package hands out no log-probabilities,
 * so that such an engine evaluates and does not train.
 * @throws LabError when the folder is no such export, or a file of the `dtype` is missing
 */
export async function openTransformersJs(
  folder: string,
  { name, dtype = "fp32", device = "cpu" }: TransformersJsOptions = {},
): Promise<RolloutEngine> {
  const path = resolve(folder);
  for (const file of ["config.json", "tokenizer.json", "preprocessor_config.json", "onnx"]) {
    if (existsSync(join(path, file))) continue;
    throw fault("openTransformersJs", `no ${file} in ${folder}`, {
      expected: "a model's folder in the layout of transformers.js",
      try: "the folder that holds config.json and onnx/; for a policy of the lab's own, openOnnxEngine",
    });
  }
  const library = await loadTransformersJs();
  const { processor, model } = await load(library, path, { dtype, device });
  let closed = false;
  // The package has one stream of random numbers for all.
  const inTurn = takeTurns();

  const rollout = async (
    problems: readonly Problem[],
    request: RolloutRequest,
  ): Promise<Completion[][]> => {
    if (closed) throw fault("transformersJs.rollout", "the engine is closed");
    const out: Completion[][] = [];
    for (const problem of problems) {
      request.signal?.throwIfAborted();
      out.push(await complete(library, { processor, model }, problem, request));
      request.onProgress?.(out.length, problems.length);
    }
    return out;
  };
  return {
    name: name ?? `transformers.js/${basename(path)}`,
    rollout: (problems, request) => inTurn(() => rollout(problems, request)),
    close: () =>
      inTurn(async () => {
        if (!closed) await model.dispose();
        closed = true;
      }),
  };
}

interface Loaded {
  processor: Processor;
  model: Model;
}

async function load(
  { env, AutoProcessor, AutoModelForImageTextToText }: TransformersJs,
  path: string,
  options: { dtype: string; device: string },
): Promise<Loaded> {
  // The package finds a model by its name below this folder, and would otherwise look on the hub.
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true });
  env.localModelPath = dirname(path);
  try {
    const name = basename(path);
    const processor = await AutoProcessor.from_pretrained(name);
    const model = await AutoModelForImageTextToText.from_pretrained(name, options);
    repairTextPositions(model);
    return { processor, model };
  } catch (error) {
    throw fault("openTransformersJs", `${path} does not load (${(error as Error).message})`, {
      expected: `models of dtype ${options.dtype} in onnx/, of an architecture that transformers.js knows`,
      try: "another dtype, such as q4 or q8",
    });
  }
}

/** All members of one problem's group. */
async function complete(
  library: TransformersJs,
  { processor, model }: Loaded,
  problem: Problem,
  { style, messages, group, maxNewTokens, temperature, topP, seed, signal }: RolloutRequest,
): Promise<Completion[]> {
  const chat = messages?.(problem) ?? buildMessages(problem, style);
  const text = processor.apply_chat_template(chat, {
    add_generation_prompt: true,
    tokenize: false,
  });
  const images = await Promise.all(problem.images.map((path) => library.RawImage.read(path)));
  const inputs = await processor(text, images.length === 0 ? null : images).catch(
    (error: Error) => {
      const what = `the model's processor does not take problem ${problem.id} (${error.message})`;
      throw fault("transformersJs.rollout", what, {
        got: `${images.length} pictures`,
        // For Qwen's architectures the package takes several pictures for the frames of one film.
        try: "problems with one picture, if this one has several",
      });
    },
  );
  const promptLength = inputs.input_ids.dims[1];
  const stops = new Set([model.generation_config.eos_token_id ?? []].flat());
  const stopping = new library.InterruptableStoppingCriteria();
  const interrupt = (): void => stopping.interrupt();
  signal?.addEventListener("abort", interrupt);
  const completions: Completion[] = [];
  try {
    for (let member = 0; member < group; member++) {
      library.random.seed(parseInt(contentHash(`${seed}/${problem.id}/${member}`, 8), 16));
      const whole = await model.generate({
        ...inputs,
        max_new_tokens: maxNewTokens,
        stopping_criteria: stopping,
        do_sample: temperature > 0,
        // Otherwise the package keeps the 50 most likely tokens.
        ...(temperature > 0 ? { temperature, top_k: 0, top_p: topP ?? 1 } : {}),
      });
      signal?.throwIfAborted();
      const ids = whole.slice(null, [promptLength, null]);
      const tokens = ids.tolist()[0].map(Number);
      completions.push({
        ...{ ids: [], logprobs: [], tokenCount: tokens.length },
        text: processor.batch_decode(ids, { skip_special_tokens: true })[0],
        truncated: !stops.has(tokens[tokens.length - 1]),
      });
    }
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
  return completions;
}
