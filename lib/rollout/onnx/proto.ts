/**
 * The part of the ONNX file format that the exporter writes: protobuf messages of github.com/onnx/onnx, onnx.proto.
 * Names here are camel-cased; only field numbers reach the file.
 */
import type protobuf from "protobufjs/light";

/** What a tensor's elements are, as `TensorProto.DataType` numbers them. */
export const DataType = { float32: 1, int32: 6, int64: 7 } as const;

/** What an attribute holds, as `AttributeProto.AttributeType` numbers it. */
export const AttributeType = { float: 1, int: 2, ints: 7 } as const;

export interface TensorProto {
  name: string;
  dims: number[];
  dataType: number;
  /** Little-endian elements. */
  rawData: Uint8Array;
}

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  ints?: number[];
}

export interface NodeProto {
  name: string;
  opType: string;
  input: string[];
  output: string[];
  attribute: AttributeProto[];
}

export interface ValueInfoProto {
  name: string;
  type: {
    tensorType: {
      elemType: number;
      shape: { dim: ({ dimValue: number } | { dimParam: string })[] };
    };
  };
}

export interface ModelProto {
  irVersion: number;
  producerName: string;
  docString: string;
  opsetImport: { domain: string; version: number }[];
  graph: {
    name: string;
    node: NodeProto[];
    initializer: TensorProto[];
    input: ValueInfoProto[];
    output: ValueInfoProto[];
  };
}

const optional = (type: string, id: number): protobuf.IField => ({ type, id });
const repeated = (type: string, id: number): protobuf.IField => ({ rule: "repeated", type, id });

const messages = {
  nested: {
    ModelProto: {
      fields: {
        irVersion: optional("int64", 1),
        producerName: optional("string", 2),
        docString: optional("string", 6),
        graph: optional("GraphProto", 7),
        opsetImport: repeated("OperatorSetIdProto", 8),
      },
    },
    OperatorSetIdProto: {
      fields: { domain: optional("string", 1), version: optional("int64", 2) },
    },
    GraphProto: {
      fields: {
        node: repeated("NodeProto", 1),
        name: optional("string", 2),
        initializer: repeated("TensorProto", 5),
        input: repeated("ValueInfoProto", 11),
        output: repeated("ValueInfoProto", 12),
      },
    },
    NodeProto: {
      fields: {
        input: repeated("string", 1),
        output: repeated("string", 2),
        name: optional("string", 3),
        opType: optional("string", 4),
        attribute: repeated("AttributeProto", 5),
      },
    },
    AttributeProto: {
      fields: {
        name: optional("string", 1),
        f: optional("float", 2),
        i: optional("int64", 3),
        ints: repeated("int64", 8),
        type: optional("int32", 20),
      },
    },
    TensorProto: {
      fields: {
        dims: repeated("int64", 1),
        dataType: optional("int32", 2),
        name: optional("string", 8),
        rawData: optional("bytes", 9),
      },
    },
    ValueInfoProto: { fields: { name: optional("string", 1), type: optional("TypeProto", 2) } },
    TypeProto: {
      fields: { tensorType: optional("Tensor", 1) },
      nested: {
        Tensor: { fields: { elemType: optional("int32", 1), shape: optional("Shape", 2) } },
        Shape: {
          fields: { dim: repeated("Dimension", 1) },
          nested: {
            Dimension: {
              fields: { dimValue: optional("int64", 1), dimParam: optional("string", 2) },
            },
          },
        },
      },
    },
  },
};

let root: protobuf.Root | undefined;

/** The model as the bytes of an `.onnx` file. */
export function encodeModel(model: ModelProto): Uint8Array {
  return loadRoot().lookupType("ModelProto").encode(model).finish();
}

/** protobufjs, which nobody pays for who exports nothing. */
function loadRoot(): protobuf.Root {
  root ??= (require("protobufjs/light") as typeof protobuf).Root.fromJSON(messages);
  return root;
}
