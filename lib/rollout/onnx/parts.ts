/** What the decoder's and the vision tower's graphs have in common. */
import type { Tensor } from "@tensorflow/tfjs";
import { fault } from "../../engine/errors";
import type { Weights } from "../../policy/weights";
import type { Graph } from "./graph";

/** Protobuf cannot hold more in one message. */
const MAX_BYTES = 2 ** 31 - 1;

/** @throws LabError when the parameters that belong to `model` exceed protobuf's 2 GB */
export function refuseLarge(
  model: string,
  weights: Weights,
  belongs: (name: string) => boolean,
): void {
  const bytes = weights.names
    .filter(belongs)
    .reduce((sum, name) => sum + 4 * weights.get(name).size, 0);
  if (bytes <= MAX_BYTES) return;
  throw fault("exportOnnx", `the ${model}'s weights do not fit into one ONNX file`, {
    got: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
    expected: "2 GiB at most",
    try: "the tfjs engine, or an OpenAI-compatible server for a policy of this size",
  });
}

/** Puts parameters into a graph; several of them, which a fused projection reads as one, below one another. */
export function weightReader(
  graph: Graph,
  weights: Weights,
): (name: string, ...parts: string[]) => string {
  return (name, ...parts) => {
    const tensors = (parts.length === 0 ? [name] : parts).map((part) => weights.get(part));
    const [, ...rest] = tensors[0].shape;
    const rows = tensors.reduce((sum, tensor) => sum + tensor.shape[0], 0);
    return graph.weight(name, joined(tensors), [rows, ...rest]);
  };
}

function joined(tensors: readonly Tensor[]): Float32Array {
  if (tensors.length === 1) return tensors[0].dataSync<"float32">();
  const values = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.size, 0));
  let at = 0;
  for (const tensor of tensors) {
    values.set(tensor.dataSync<"float32">(), at);
    at += tensor.size;
  }
  return values;
}

/** `x Wᵀ + b` with the weight as Hugging Face stores it. */
export function linear(graph: Graph, x: string, weight: string, bias?: string): string {
  return graph.node("Gemm", bias === undefined ? [x, weight] : [x, weight, bias], { transB: 1 });
}

export function rmsNorm(graph: Graph, x: string, gain: string, epsilon: number): string {
  return graph.node("RMSNormalization", [x, gain], { axis: -1, epsilon: { float: epsilon } });
}

/** Inputs `cos` and `sin`, of which the operator takes the first half: both halves of a head turn by the same angles. */
export function rotaryInputs(graph: Graph, headDim: number): [string, string] {
  const half = (name: string): string => {
    const table = graph.input(name, "float32", ["tokens", headDim]);
    const [first] = graph.nodes("Split", [table], 2, { axis: 1, num_outputs: 2 });
    return graph.node("Unsqueeze", [first, graph.integers([0])]);
  };
  return [half("cos"), half("sin")];
}
