/** Writes an ONNX graph node by node: every call names its output and hands the name on. */
import {
  AttributeType,
  DataType,
  encodeModel,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./proto";

export type ElementType = keyof typeof DataType;

/** A number, or the name of a size that is known only when the model runs. */
export type Dimension = number | string;

/** A whole number is written as an `int` attribute; floats are wrapped, because 1 may be meant as one. */
export type Attributes = Record<string, number | readonly number[] | { float: number }>;

export interface Graph {
  input(name: string, type: ElementType, dims: readonly Dimension[]): string;
  /** Makes a value an output of the model, under a name of its own. */
  output(name: string, value: string, type: ElementType, dims: readonly Dimension[]): void;
  /** Parameters. @returns `name` */
  weight(name: string, values: Float32Array, dims: readonly number[]): string;
  /** Sizes and indices; equal ones are stored once. */
  integers(values: readonly number[]): string;
  /** A number to compute with. */
  scalar(value: number, type: "float32" | "int32"): string;
  node(op: string, inputs: readonly string[], attributes?: Attributes): string;
  /** A node with several outputs. */
  nodes(op: string, inputs: readonly string[], outputs: number, attributes?: Attributes): string[];
  /** The model as the bytes of an `.onnx` file. @param doc says what goes in and what comes out */
  encode(doc: string): Uint8Array;
}

/** Version of the standard operators: the first with RMSNormalization and RotaryEmbedding. */
const OPSET = 23;
/** The file format's version that belongs to {@link OPSET}. */
const IR_VERSION = 11;

export function createGraph(name: string): Graph {
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const inputs: ValueInfoProto[] = [];
  const outputs: ValueInfoProto[] = [];

  const initializer = (
    name: string,
    type: ElementType,
    dims: readonly number[],
    { buffer, byteOffset, byteLength }: ArrayBufferView,
  ): string => {
    initializers.set(name, {
      name,
      dims: dims.slice(),
      dataType: DataType[type],
      rawData: new Uint8Array(buffer, byteOffset, byteLength),
    });
    return name;
  };

  const graph: Graph = {
    input: (name, type, dims) => {
      inputs.push(valueInfo(name, type, dims));
      return name;
    },
    output: (name, value, type, dims) => {
      outputs.push(valueInfo(name, type, dims));
      nodes.push({ name, opType: "Identity", input: [value], output: [name], attribute: [] });
    },
    weight: (name, values, dims) => initializer(name, "float32", dims, values),
    integers: (values) =>
      initializer(
        `integers(${values.join()})`,
        "int64",
        [values.length],
        BigInt64Array.from(values, BigInt),
      ),
    scalar: (value, type) =>
      initializer(
        `${type}(${value})`,
        type,
        [],
        type === "float32" ? Float32Array.of(value) : Int32Array.of(value),
      ),
    node: (op, inputs, attributes) => graph.nodes(op, inputs, 1, attributes)[0],
    nodes: (op, inputs, count, attributes = {}) => {
      const name = `${op}.${nodes.length}`;
      const output = Array.from({ length: count }, (_unused, i) => `${name}:${i}`);
      const attribute = Object.entries(attributes).map(([key, value]) => toAttribute(key, value));
      nodes.push({ name, opType: op, input: inputs.slice(), output, attribute });
      return output;
    },
    encode: (docString) =>
      encodeModel({
        irVersion: IR_VERSION,
        producerName: "srpo-lab",
        docString,
        opsetImport: [{ domain: "", version: OPSET }],
        graph: {
          name,
          node: nodes,
          initializer: [...initializers.values()],
          input: inputs,
          output: outputs,
        },
      }),
  };
  return graph;
}

function valueInfo(name: string, type: ElementType, dims: readonly Dimension[]): ValueInfoProto {
  const dim = dims.map((size) =>
    typeof size === "number" ? { dimValue: size } : { dimParam: size },
  );
  return { name, type: { tensorType: { elemType: DataType[type], shape: { dim } } } };
}

function toAttribute(name: string, value: Attributes[string]): AttributeProto {
  if (typeof value === "number") return { name, type: AttributeType.int, i: value };
  if ("float" in value) return { name, type: AttributeType.float, f: value.float };
  return { name, type: AttributeType.ints, ints: value.slice() };
}
