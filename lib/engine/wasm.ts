/**
 * Kernels that tfjs's WebAssembly back end lacks or has wrong, as far as a transformer and its gradients need them.
 *
 * Of what the policy uses, 4.22 lacks `UnsortedSegmentSum` (the gradient of `gather`, so of every embedding), and its
 * `GatherV2` reads outside its memory when `batchDims` is 1 (the log-prob of each row's token). Also absent, and not used
 * by the policy: Einsum, the filter gradient of convolutions (patches are embedded by a matrix product), complex numbers.
 */
import type { GatherV2Attrs, KernelConfig, KernelFunc, TensorInfo } from "@tensorflow/tfjs";

type Tfjs = typeof import("@tensorflow/tfjs");

/** The part of the WebAssembly back end that a kernel written in JavaScript touches. */
interface WasmMemory {
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array;
  makeOutput(shape: number[], dtype: TensorInfo["dtype"]): TensorInfo;
}

/** Registers the missing kernels. Call it once, before the back end starts. */
export function completeWasm(tf: Tfjs): void {
  const gather = tf.getKernel("GatherV2", "wasm");
  tf.unregisterKernel("GatherV2", "wasm");
  tf.registerKernel({ ...gather, kernelFunc: gatherInBatches(tf, gather) });
  tf.registerKernel({
    kernelName: "UnsortedSegmentSum",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend, attrs }) => {
      const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
      const { numSegments } = attrs as unknown as { numSegments: number };
      return segmentSum(backend as unknown as WasmMemory, x, segmentIds, numSegments);
    },
  });
}

/** Sums the rows of `x` `[...ids, ...D]` that share a segment into `[numSegments, ...D]`; ids out of range are dropped. */
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

/** `gather` with `batchDims` in JavaScript; without, the back end's own. */
function gatherInBatches(tf: Tfjs, original: KernelConfig): KernelFunc {
  return (call) => {
    const { axis, batchDims } = call.attrs as unknown as GatherV2Attrs;
    if (batchDims === 0) return original.kernelFunc(call);
    const { x, indices } = call.inputs as { x: TensorInfo; indices: TensorInfo };
    const memory = call.backend as unknown as WasmMemory;
    const [parsedAxis] = tf.util.parseAxisParam(axis, x.shape);
    const sizes = tf.backend_util.segment_util.collectGatherOpShapeInfo(
      // Only the shapes are read.
      x as unknown as Parameters<typeof tf.backend_util.segment_util.collectGatherOpShapeInfo>[0],
      indices as unknown as Parameters<
        typeof tf.backend_util.segment_util.collectGatherOpShapeInfo
      >[1],
      parsedAxis,
      batchDims,
    );
    const { batchSize, outerSize, dimSize, sliceSize } = sizes;
    const output = memory.makeOutput(sizes.outputShape, x.dtype);
    const picked = memory.typedArrayFromHeap(output);
    const values = memory.typedArrayFromHeap(x);
    const ids = memory.typedArrayFromHeap(indices);
    const idsPerBatch = ids.length / batchSize;
    let at = 0;
    for (let batch = 0; batch < batchSize; batch++) {
      for (let outer = 0; outer < outerSize; outer++) {
        for (let i = 0; i < idsPerBatch; i++) {
          const id = ids[batch * idsPerBatch + i];
          tf.util.assert(
            id >= 0 && id < dimSize,
            () => `gather: index ${id} is not in [0, ${dimSize}).`,
          );
          const from = ((batch * outerSize + outer) * dimSize + id) * sliceSize;
          picked.set(values.subarray(from, from + sliceSize), at);
          at += sliceSize;
        }
      }
    }
    return output;
  };
}
