/**
 * The decoder as an ONNX model: the same mathematics as `policy/decoder.ts`, with the weights inside.
 *
 * One graph prefills prompts and writes completions. A call runs T tokens of P·G rows, G members to a prompt; they attend
 * to their prompt (kept once a group), to what their row has written before, and to one another. Prefill is the call in
 * which a row is a prompt (G = 1) and both caches are empty. The call returns the keys and values of its own tokens only:
 * the caller appends them, so that no cache is copied out of the runtime.
 */
import type { DecoderConfig } from "../../policy/config";
import type { Policy } from "../../policy/policy";
import { createGraph, type Graph } from "./graph";
import { refuseLarge, rmsNorm, rotaryInputs, weightReader } from "./parts";

const DOC = `Decoder of a Qwen2.5-VL policy. P prompts, G rows a prompt, T tokens a row.
input_ids [P, G, T]; image_rows [P, G, T]: 0 for text, k for the k-th row of image_features [n, D].
cos, sin [P*G*T, d]: rotary tables. mask [P or 1, 1, T, Tp + S + T]: added to the scores of prompt, past and own tokens.
prompt.i.key/value [P, KV, Tp, d], past.i.key/value [P, KV*G, S, d]: what layer i has computed before; Tp and S may be 0.
last [n]: flat indices of the tokens whose logits [n, V] are wanted.
new.i.key/value [P, KV*G, T, d]: of this call's tokens, to be appended to the past (or to become the prompt).`;

/**
 * Builds the model from the policy's present weights.
 * @returns the bytes of an `.onnx` file
 * @throws LabError when the weights exceed protobuf's 2 GB
 */
export function buildModel({ config: { decoder: config }, weights }: Policy): Uint8Array {
  refuseLarge("decoder", weights, (name) => !name.startsWith("visual."));
  const graph = createGraph("decoder");
  const weight = weightReader(graph, weights);
  const ids = graph.input("input_ids", "int32", ["P", "G", "T"]);
  const sizes = runSizes(graph, config, ids);
  const embedding = weight("model.embed_tokens.weight");
  const rotary = rotaryInputs(graph, config.headDim);
  const mask = graph.input("mask", "float32", ["masks", 1, "T", "attended"]);

  let x = embeddings(graph, config, embedding, ids);
  for (let i = 0; i < config.layers; i++) {
    const layer = `model.layers.${i}`;
    const [attention, mlp] = [`${layer}.self_attn`, `${layer}.mlp`];
    const projections = ["q_proj", "k_proj", "v_proj"].map((part) => `${attention}.${part}`);
    const normed = rmsNorm(graph, x, weight(`${layer}.input_layernorm.weight`), config.rmsNormEps);
    const qkv = graph.node(
      "Gemm",
      [
        normed,
        weight(`${attention}.qkv.weight`, ...projections.map((part) => `${part}.weight`)),
        weight(`${attention}.qkv.bias`, ...projections.map((part) => `${part}.bias`)),
      ],
      { transB: 1 },
    );
    const mixed = attend(graph, config, sizes, rotary, mask, qkv, i);
    const y = graph.node("Add", [
      x,
      graph.node("Gemm", [mixed, weight(`${attention}.o_proj.weight`)], { transB: 1 }),
    ]);
    const gateUp = graph.node(
      "Gemm",
      [
        rmsNorm(graph, y, weight(`${layer}.post_attention_layernorm.weight`), config.rmsNormEps),
        weight(`${mlp}.gate_up.weight`, `${mlp}.gate_proj.weight`, `${mlp}.up_proj.weight`),
      ],
      { transB: 1 },
    );
    const [gate, up] = graph.nodes("Split", [gateUp], 2, { axis: 1, num_outputs: 2 });
    const silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])]);
    const down = weight(`${mlp}.down_proj.weight`);
    x = graph.node("Add", [
      y,
      graph.node("Gemm", [graph.node("Mul", [silu, up]), down], { transB: 1 }),
    ]);
  }
  const asked = graph.node("Gather", [x, graph.input("last", "int32", ["asked"])], { axis: 0 });
  const head = config.tiedHead ? embedding : weight("lm_head.weight");
  const final = rmsNorm(graph, asked, weight("model.norm.weight"), config.rmsNormEps);
  graph.output("logits", graph.node("Gemm", [final, head], { transB: 1 }), "float32", [
    "asked",
    config.vocabSize,
  ]);
  return graph.encode(DOC);
}

/** Token embeddings, and picture tokens in their places. @returns `[N, D]` */
function embeddings(
  graph: Graph,
  { hiddenSize }: DecoderConfig,
  table: string,
  ids: string,
): string {
  const rows = graph.input("image_rows", "int32", ["P", "G", "T"]);
  const features = graph.input("image_features", "float32", ["n", hiddenSize]);
  const text = graph.node("Gather", [table, ids], { axis: 0 });
  // Row 0 stands in for the picture token of a text token, so that the index is always in range.
  const none = graph.weight("no_image", new Float32Array(hiddenSize), [1, hiddenSize]);
  const images = graph.node("Concat", [none, features], { axis: 0 });
  const isText = graph.node("Equal", [rows, graph.scalar(0, "int32")]);
  const mixed = graph.node("Where", [
    graph.node("Unsqueeze", [isText, graph.integers([-1])]),
    text,
    graph.node("Gather", [images, rows], { axis: 0 }),
  ]);
  return graph.node("Reshape", [mixed, graph.integers([-1, hiddenSize])]);
}

/** Shapes that depend on P, G and T; computed once a call. A 0 takes over the operand's own size in that place. */
interface RunSizes {
  /** `[P, G, T, KV, g, d]`, g query heads a key/value head */
  queries: string;
  /** `[P, G, T, KV, d]` */
  keys: string;
  /** `[P, KV·G, T, d]` */
  ownKeys: string;
  /** `[P, KV, G·g·T, d]`: a group's queries side by side, for the prompt that they share */
  toPrompt: string;
  toPromptShares: string;
  /** `[P, KV·G, g·T, d]` */
  toOwn: string;
  toOwnShares: string;
  /** `[P, KV·G·g, T, 0]` */
  scores: string;
  /** `[P, KV, G, g, T, d]` */
  heads: string;
  /** `[Tp, S, T]` */
  attended: string;
}

function runSizes(graph: Graph, { heads, kvHeads, headDim }: DecoderConfig, ids: string): RunSizes {
  const [P, G, T] = graph.nodes("Split", [graph.node("Shape", [ids])], 3, {
    axis: 0,
    num_outputs: 3,
  });
  const fixed = (value: number): string => graph.integers([value]);
  const times = (a: string, b: string): string => graph.node("Mul", [a, b]);
  const shape = (...sizes: string[]): string => graph.node("Concat", sizes, { axis: 0 });
  const length = (cache: string): string => graph.node("Shape", [cache], { start: 2, end: 3 });
  const [KV, g, d, same] = [kvHeads, heads / kvHeads, headDim, 0].map(fixed);
  const [members, queries] = [times(G, KV), times(T, g)];
  const together = times(G, queries);
  return {
    queries: shape(P, G, T, KV, g, d),
    keys: shape(P, G, T, KV, d),
    ownKeys: shape(P, members, T, d),
    toPrompt: shape(P, KV, together, d),
    toPromptShares: shape(P, KV, together, same),
    toOwn: shape(P, members, queries, d),
    toOwnShares: shape(P, members, queries, same),
    scores: shape(P, times(members, g), T, same),
    heads: shape(P, KV, G, g, T, d),
    attended: shape(length("prompt.0.key"), length("past.0.key"), T),
  };
}

/**
 * Grouped-query attention of one layer.
 * @param qkv `[N, (H + 2·KV)·d]` @returns `[N, H·d]`
 */
function attend(
  graph: Graph,
  config: DecoderConfig,
  sizes: RunSizes,
  [cos, sin]: [string, string],
  mask: string,
  qkv: string,
  layer: number,
): string {
  const { heads, kvHeads, headDim } = config;
  const cached = (kind: "prompt" | "past", part: "key" | "value"): string =>
    graph.input(
      `${kind}.${layer}.${part}`,
      "float32",
      kind === "prompt" ? ["P", kvHeads, "Tp", headDim] : ["P", `${kvHeads}*G`, "S", headDim],
    );
  const reshape = (x: string, to: string): string => graph.node("Reshape", [x, to]);
  const transpose = (x: string, ...perm: number[]): string =>
    graph.node("Transpose", [x], { perm });
  const split = (x: string, ...parts: number[]): string[] =>
    graph.nodes("Split", [x, graph.integers(parts)], parts.length, { axis: -1 });

  const [qk, values] = split(qkv, (heads + kvHeads) * headDim, kvHeads * headDim);
  const flat = graph.integers([1, -1, (heads + kvHeads) * headDim]);
  const rotated = graph.node("RotaryEmbedding", [reshape(qk, flat), cos, sin], {
    num_heads: heads + kvHeads,
  });
  const [q, keys] = split(rotated, heads * headDim, kvHeads * headDim);
  const own = (x: string): string =>
    reshape(transpose(reshape(x, sizes.keys), 0, 3, 1, 2, 4), sizes.ownKeys);
  const [newKey, newValue] = [own(keys), own(values)];
  (["key", "value"] as const).forEach((part, i) =>
    graph.output(`new.${layer}.${part}`, [newKey, newValue][i], "float32", [
      "P",
      `${kvHeads}*G`,
      "T",
      headDim,
    ]),
  );

  const scaled = graph.node("Mul", [q, graph.scalar(1 / Math.sqrt(headDim), "float32")]);
  const byHead = transpose(reshape(scaled, sizes.queries), 0, 3, 1, 4, 2, 5);
  const toPrompt = reshape(byHead, sizes.toPrompt);
  const toOwn = reshape(byHead, sizes.toOwn);
  const score = (queries: string, key: string): string =>
    reshape(graph.node("MatMul", [queries, transpose(key, 0, 1, 3, 2)]), sizes.scores);
  const scores = graph.node(
    "Concat",
    [
      score(toPrompt, cached("prompt", "key")),
      score(toOwn, cached("past", "key")),
      score(toOwn, newKey),
    ],
    { axis: 3 },
  );
  const shares = graph.node("Softmax", [graph.node("Add", [scores, mask])], { axis: 3 });
  const [onPrompt, onPast, onNew] = graph.nodes("Split", [shares, sizes.attended], 3, { axis: 3 });
  const collect = (share: string, shape: string, value: string): string =>
    graph.node("MatMul", [reshape(share, shape), value]);
  const fromOwn = graph.node("Add", [
    collect(onPast, sizes.toOwnShares, cached("past", "value")),
    collect(onNew, sizes.toOwnShares, newValue),
  ]);
  const fromPrompt = collect(onPrompt, sizes.toPromptShares, cached("prompt", "value"));
  const mixed = graph.node("Add", [
    reshape(fromPrompt, sizes.heads),
    reshape(fromOwn, sizes.heads),
  ]);
  return reshape(transpose(mixed, 0, 2, 4, 1, 3, 5), graph.integers([-1, heads * headDim]));
}
