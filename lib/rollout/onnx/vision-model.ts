/**
 * The vision tower as an ONNX model: the same mathematics as `policy/vision.ts`, with the weights inside. Windows, positions
 * and order are plain numbers of the pictures' sizes, so that they come in as inputs and any batch of pictures fits.
 */
import type { VisionConfig } from "../../policy/config";
import type { Policy } from "../../policy/policy";
import { createGraph, type Graph } from "./graph";
import { linear, refuseLarge, rmsNorm, rotaryInputs, weightReader } from "./parts";

const EPSILON = 1e-6;

const DOC = `Vision tower of a Qwen2.5-VL policy. N patches, M = N / merge^2 merged tokens, S segments of at most L patches.
patches [N, channels*temporal*patch^2], in the image processor's order. order [M]: which merged token comes where in window
order; restore [M] undoes it. cos, sin [N, d]: rotary tables, patches in window order.
windows.*, pictures.*: segments of window and of full attention, padded to the longest: rows [S*L] says which patch stands
in each place, mask [S, 1, 1, L] is added to the scores, places [N] says where each patch stands.
features [M, D]: decoder tokens, in the order in which a prompt's picture placeholders stand.`;

/**
 * Builds the model from the policy's present weights.
 * @returns the bytes of an `.onnx` file
 * @throws LabError when the weights exceed protobuf's 2 GB
 */
export function buildVisionModel({ config: { vision: config }, weights }: Policy): Uint8Array {
  refuseLarge("vision tower", weights, (name) => name.startsWith("visual."));
  const graph = createGraph("vision");
  const read = weightReader(graph, weights);
  const weight = (name: string): string => read(`visual.${name}`);
  const size = config.hiddenSize;
  const square = config.mergeSize ** 2;
  const width = config.channels * config.temporalPatchSize * config.patchSize ** 2;
  const patches = graph.input("patches", "float32", ["N", width]);
  const reshape = (x: string, ...to: number[]): string =>
    graph.node("Reshape", [x, graph.integers(to)]);
  const inOrder = (x: string, order: string): string =>
    graph.node("Gather", [x, graph.input(order, "int32", ["M"])], { axis: 0 });

  const inWindows = reshape(inOrder(reshape(patches, -1, square * width), "order"), -1, width);
  const rotary = rotaryInputs(graph, size / config.heads);
  const segments = {
    windows: segmentInputs(graph, "windows"),
    pictures: segmentInputs(graph, "pictures"),
  };
  let x = linear(graph, inWindows, reshape(weight("patch_embed.proj.weight"), size, width));
  for (let i = 0; i < config.depth; i++) {
    const block = (name: string): string => weight(`blocks.${i}.${name}`);
    const project = (from: string, name: string): string =>
      linear(graph, from, block(`${name}.weight`), block(`${name}.bias`));
    const qkv = project(rmsNorm(graph, x, block("norm1.weight"), EPSILON), "attn.qkv");
    const extent = config.fullAttentionBlocks.includes(i) ? segments.pictures : segments.windows;
    const mixed = attendSegments(graph, config, qkv, rotary, extent);
    x = graph.node("Add", [x, project(mixed, "attn.proj")]);
    const y = rmsNorm(graph, x, block("norm2.weight"), EPSILON);
    const gate = project(y, "mlp.gate_proj");
    const silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])]);
    const hidden = graph.node("Mul", [silu, project(y, "mlp.up_proj")]);
    x = graph.node("Add", [x, project(hidden, "mlp.down_proj")]);
  }
  const squares = reshape(
    rmsNorm(graph, x, weight("merger.ln_q.weight"), EPSILON),
    -1,
    square * size,
  );
  const inner = linear(graph, squares, weight("merger.mlp.0.weight"), weight("merger.mlp.0.bias"));
  const merged = linear(
    graph,
    graph.node("Gelu", [inner]),
    weight("merger.mlp.2.weight"),
    weight("merger.mlp.2.bias"),
  );
  graph.output("features", inOrder(merged, "restore"), "float32", ["M", config.outputSize]);
  return graph.encode(DOC);
}

interface Segments {
  rows: string;
  mask: string;
  places: string;
  /** `[S, L, 3, H, d]` needs S and L, which the mask's shape knows. */
  extent: [string, string];
}

function segmentInputs(graph: Graph, name: string): Segments {
  const rows = graph.input(`${name}.rows`, "int32", [`${name}.SL`]);
  const mask = graph.input(`${name}.mask`, "float32", [`${name}.S`, 1, 1, `${name}.L`]);
  const places = graph.input(`${name}.places`, "int32", ["N"]);
  const shape = graph.node("Shape", [mask]);
  const [S, , , L] = graph.nodes("Split", [shape], 4, { axis: 0, num_outputs: 4 });
  return { rows, mask, places, extent: [S, L] };
}

/** Attention inside each segment. @param qkv `[N, 3·D]` @returns `[N, D]` */
function attendSegments(
  graph: Graph,
  { hiddenSize: size, heads }: VisionConfig,
  qkv: string,
  [cos, sin]: [string, string],
  { rows, mask, places, extent }: Segments,
): string {
  const d = size / heads;
  const transpose = (x: string, ...perm: number[]): string =>
    graph.node("Transpose", [x], { perm });
  const [qk, values] = graph.nodes("Split", [qkv, graph.integers([2 * size, size])], 2, {
    axis: 1,
  });
  const rotated = graph.node(
    "RotaryEmbedding",
    [graph.node("Unsqueeze", [qk, graph.integers([0])]), cos, sin],
    { num_heads: 2 * heads },
  );
  const flat = graph.node("Reshape", [rotated, graph.integers([-1, 2 * size])]);
  const all = graph.node("Concat", [flat, values], { axis: 1 });
  const placed = graph.node("Gather", [all, rows], { axis: 0 });
  const shape = graph.node("Concat", [...extent, graph.integers([3, heads, d])], { axis: 0 });
  const byHead = transpose(graph.node("Reshape", [placed, shape]), 2, 0, 3, 1, 4);
  const [q, k, v] = graph
    .nodes("Split", [byHead], 3, { axis: 0, num_outputs: 3 })
    .map((part) => graph.node("Squeeze", [part, graph.integers([0])]));
  const scaled = graph.node("Mul", [q, graph.scalar(1 / Math.sqrt(d), "float32")]);
  const scores = graph.node("MatMul", [scaled, transpose(k, 0, 1, 3, 2)]);
  const shares = graph.node("Softmax", [graph.node("Add", [scores, mask])], { axis: 3 });
  const mixed = transpose(graph.node("MatMul", [shares, v]), 0, 2, 1, 3);
  const tokens = graph.node("Reshape", [mixed, graph.integers([-1, size])]);
  return graph.node("Gather", [tokens, places], { axis: 0 });
}
