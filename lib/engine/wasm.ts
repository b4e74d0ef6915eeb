/**
 * Kernels that tfjs's WebAssembly back end lacks and a transformer's gradients need.
 *
 * Of what the policy uses, 4.22 lacks `UnsortedSegmentSum` only: it is the gradient of `gather`, so of every embedding.
 * (Also absent, and unused here: Einsum, the filter gradients of convolutions, complex numbers.)
 */
import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs";

type Tfjs = typeof import("@tensorflow/tfjs");

/** The part of the WebAssembly back end that a kernel written in JavaScript touches. */
interface WasmMemory {
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array;
  makeOutput(shape: number[], dtype: TensorInfo["dtype"]): TensorInfo;
}

/** Registers the missing kernels, once a process. */
export function completeWasm(tf: Tfjs): void {
  if (tf.getKernel("UnsortedSegmentSum", "wasm") != null) return;
  const unsortedSegmentSum: KernelConfig = {
    kernelName: "UnsortedSegmentSum",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend, attrs }) => {
      const memory = backend as unknown as WasmMemory;
      const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
      const { numSegments } = attrs as unknown as { numSegments: number };
      return segmentSum(memory, x, segmentIds, numSegments);
    },
  };
  tf.registerKernel(unsortedSegmentSum);
}

/** Sums the rows of `x` `[...ids, ...D]` that share a segment into `[numSegments, ...D]`; negative ids are dropped. */
function segmentSum(memory: WasmMemory, x: TensorInfo, ids: TensorInfo, numSegments: number) {
  const inner = x.shape.slice(ids.shape.length);
  const width = inner.reduce((product, size) => product * size, 1);
  const output = memory.makeOutput([numSegments, ...inner], x.dtype);
  // Views on the heap are taken after the output is allocated: growing the heap detaches older ones.
  const sums = memory.typedArrayFromHeap(output).fill(0);
  const values = memory.typedArrayFromHeap(x);
  const segments = memory.typedArrayFromHeap(ids);
  for (let row = 0; row < segments.length; row++) {
    const segment = segments[row];
    if (segment < 0 || segment >= numSegments) continue;
    for (let column = 0; column < width; column++) {
      sums[segment * width + column] += values[row * width + column];
    }
  }
  return output;
}
