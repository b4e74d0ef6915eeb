/**
 * A model in transformers.js's layout that is made here, because none can be downloaded: three graphs under the names and
 * with the inputs and outputs of a published Qwen2.5-VL export, and arithmetic that is small enough to be repeated below.
 * Every token, every picture, the order and all three positions of a token move the logits, and so does the cache.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../lib/engine/random";
import { readPolicyConfig } from "../../lib/policy/config";
import { loadImageProcessor } from "../../lib/policy/image-processor";
import { promptPositions } from "../../lib/policy/positions";
import { encodePrompt, loadTokenizer } from "../../lib/policy/tokenizer";
import { buildMessages } from "../../lib/reflection/prompts";
import { createGraph, type Graph } from "../../lib/rollout/onnx/graph";
import type { Problem } from "../../lib/types";
import { BASE_POLICY } from "../policy/fixture";

const D = 16;
export const tokenizer = loadTokenizer(BASE_POLICY);
const config = readPolicyConfig(BASE_POLICY);
const V = config.decoder.vocabSize;
const random = createRandom("transformers.js");
const normals = (count: number, scale: number): Float32Array =>
  Float32Array.from({ length: count }, () => scale * random.normal());
const PATCH = 3 * 2 * 14 * 14;
const table = normals(V * D, 1);
const look = normals(4 * PATCH * D, 0.02);
const head = normals(D * V, 1);

export function writeModel(folder: string): void {
  mkdirSync(join(folder, "onnx"), { recursive: true });
  for (const file of ["tokenizer.json", "preprocessor_config.json", "generation_config.json"]) {
    copyFileSync(join(BASE_POLICY, file), join(folder, file));
  }
  const json = (name: string) => JSON.parse(readFileSync(join(BASE_POLICY, name), "utf8"));
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  const chat_template = readFileSync(join(BASE_POLICY, "chat_template.jinja"), "utf8");
  write("tokenizer_config.json", { ...json("tokenizer_config.json"), chat_template });
  const base = json("config.json");
  const sizes = { hidden_size: D, num_hidden_layers: 1, head_dim: D };
  const heads = { num_attention_heads: 1, num_key_value_heads: 1 };
  write("config.json", { ...base, text_config: { ...base.text_config, ...sizes, ...heads } });
  for (const [name, build] of Object.entries({
    vision_encoder,
    embed_tokens,
    decoder_model_merged,
  })) {
    const graph = createGraph(name);
    build(graph);
    writeFileSync(join(folder, "onnx", `${name}.onnx`), graph.encode(""));
  }
}

function vision_encoder(graph: Graph): void {
  const pixels = graph.input("pixel_values", "float32", ["N", PATCH]);
  graph.input("image_grid_thw", "int64", ["n", 3]);
  const squares = graph.node("Reshape", [pixels, graph.integers([-1, 4 * PATCH])]);
  const features = graph.node("MatMul", [squares, graph.weight("look", look, [4 * PATCH, D])]);
  graph.output("image_features", features, "float32", ["M", D]);
}

function embed_tokens(graph: Graph): void {
  const ids = graph.input("input_ids", "int64", ["B", "T"]);
  const rows = graph.node("Gather", [graph.weight("table", table, [V, D]), ids], { axis: 0 });
  graph.output("inputs_embeds", rows, "float32", ["B", "T", D]);
}

/** Logits from the running sum of all tokens so far, each scaled by its positions; the cache holds what was summed. */
function decoder_model_merged(graph: Graph): void {
  const embeds = graph.input("inputs_embeds", "float32", ["batch_size", "T", D]);
  graph.input("attention_mask", "int64", ["batch_size", "total"]);
  const positions = graph.input("position_ids", "int64", [3, "batch_size", "T"]);
  const axes = graph.weight("axes", Float32Array.of(0.01, 0.02, 0.03), [3, 1, 1]);
  const weighted = graph.node("Mul", [graph.node("Cast", [positions], { to: 1 }), axes]);
  const sum = graph.node("ReduceSum", [weighted, graph.integers([0])], { keepdims: 0 });
  const factor = graph.node("Add", [
    graph.node("Unsqueeze", [sum, graph.integers([2])]),
    graph.scalar(1, "float32"),
  ]);
  const own = graph.node("Unsqueeze", [graph.node("Mul", [embeds, factor]), graph.integers([1])]);
  const present = (["key", "value"] as const).map((part) => {
    const dims = ["batch_size", 1, "past", D];
    const past = graph.input(`past_key_values.0.${part}`, "float32", dims);
    const all = graph.node("Concat", [past, own], { axis: 2 });
    graph.output(`present.0.${part}`, all, "float32", ["batch_size", 1, "total", D]);
    return all;
  });
  const running = graph.node("CumSum", [present[0], graph.scalar(2, "int32")]);
  const [, T] = graph.nodes("Split", [graph.node("Shape", [embeds])], 3, {
    axis: 0,
    num_outputs: 3,
  });
  const end = graph.integers([2 ** 31 - 1]);
  const last = graph.node("Slice", [running, graph.node("Neg", [T]), end, graph.integers([2])]);
  const state = graph.node("Squeeze", [last, graph.integers([1])]);
  const hidden = graph.node("Tanh", [graph.node("Mul", [state, graph.scalar(0.05, "float32")])]);
  const logits = graph.node("MatMul", [hidden, graph.weight("head", head, [D, V])]);
  graph.output("logits", logits, "float32", ["batch_size", "T", V]);
}

/** The same greedy completion from the lab's own prompt, pictures and positions. */
export async function expected(problem: Problem, maxNewTokens: number): Promise<number[]> {
  const processor = loadImageProcessor(BASE_POLICY);
  const pictures = await Promise.all(problem.images.map((path) => processor.processImage(path)));
  const grids = pictures.map(({ grid }) => grid);
  const { imageTokenId, vision } = config;
  const ids = encodePrompt(tokenizer, buildMessages(problem, "direct"), grids, {
    ...{ imageTokenId, mergeSize: vision.mergeSize },
  });
  const { positions, next } = promptPositions(ids, grids, config);
  const patches = pictures.flatMap((picture) => [...picture.patches]);
  const state = new Float64Array(D);
  let picture = 0;
  const add = (id: number, at: ArrayLike<number>): void => {
    const factor = 1 + 0.01 * at[0] + 0.02 * at[1] + 0.03 * at[2];
    const square = id === imageTokenId ? picture++ : -1;
    for (let d = 0; d < D; d++) {
      let value = square < 0 ? table[id * D + d] : 0;
      for (let i = 0; square >= 0 && i < 4 * PATCH; i++) {
        value += patches[square * 4 * PATCH + i] * look[i * D + d];
      }
      state[d] += value * factor;
    }
  };
  ids.forEach((id, i) => add(id, positions.subarray(3 * i, 3 * i + 3)));
  const out: number[] = [];
  while (out.length < maxNewTokens && out[out.length - 1] !== tokenizer.endId) {
    const hidden = state.map((value) => Math.tanh(0.05 * value));
    let [best, most] = [-1, -Infinity];
    for (let v = 0; v < V; v++) {
      let logit = 0;
      for (let d = 0; d < D; d++) logit += hidden[d] * head[d * V + v];
      if (logit > most) [best, most] = [v, logit];
    }
    add(best, new Array<number>(3).fill(next + out.length));
    out.push(best);
  }
  return out;
}
