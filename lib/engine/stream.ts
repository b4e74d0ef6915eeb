/**
 * Tensors that come from a file slice by slice. A tensor made from a JavaScript array is in memory twice, in V8's and in
 * the engine's, until the garbage collector comes round to it, and a checkpoint that fits once may not fit twice.
 */
import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { describeEngine, tf } from "./backend";
import type { TensorReader } from "./safetensors";

/** 16 million numbers, 64 MiB, are in V8's memory at a time. */
export const SLICE_NUMBERS = 2 ** 24;
/** A tensor of fewer is made at once. */
const FEW_NUMBERS = 2 ** 18;

/** What is used of tfjs-node's back end. */
interface NodeBackend {
  executeMultipleOutputs(
    name: string,
    attributes: readonly object[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[];
}

/**
 * Reads a file's tensors into the engine's memory, as float32.
 * @returns the tensor of a name, which the caller disposes of; it throws as the reader does
 */
export function tensorStream(reader: TensorReader): (name: string) => Tensor {
  let slice = new Float32Array(0);
  const writesInPlace = describeEngine().backend === "native";
  return (name) => {
    const { shape } = reader.info(name);
    const size = shape.reduce((a, b) => a * b, 1);
    if (!writesInPlace || size < FEW_NUMBERS) return tf.tensor(reader.read(name), shape, "float32");
    const [rows, ...inner] = shape;
    const width = size / rows;
    const most = Math.max(1, Math.floor(SLICE_NUMBERS / width));
    const backend = tf.engine().backend as unknown as NodeBackend;
    const tensor = tf.fill(shape, 0);
    try {
      for (let row = 0; row < rows; row += most) {
        const count = Math.min(most, rows - row);
        if (slice.length < count * width) slice = new Float32Array(count * width);
        const values = slice.subarray(0, count * width);
        reader.readInto(name, row * width, values);
        tf.tidy(() => {
          const at: Tensor1D = tf.range(row, row + count, 1, "int32");
          const part = tf.tensor(values, [count, ...inner], "float32");
          backend.executeMultipleOutputs("InplaceUpdate", [], [tensor, at, part], 1);
        });
      }
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  };
}
