/** The decoder model in ONNX Runtime: loading, calling, and errors that name the tensor that does not fit. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { fault, type LabError } from "../../engine/errors";

export type Feeds = Record<string, Tensor>;

export interface DecoderSession {
  /** @throws LabError with names and shapes when the runtime refuses */
  run(feeds: Feeds): Promise<Record<string, FloatTensor>>;
  /** Gives the runtime's memory back. */
  release(): Promise<void>;
}

/** An output; all of the decoder's are of this type. */
export interface FloatTensor {
  data: Float32Array;
  dims: readonly number[];
}

/**
 * @param model the bytes of an `.onnx` file; not needed afterwards
 * @param threads threads one operation may use; the runtime's own choice (all cores) by default
 */
export async function openSession(
  model: Uint8Array,
  { threads }: { threads?: number } = {},
): Promise<DecoderSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model, {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      executionMode: "sequential",
      interOpNumThreads: 1,
      // Fatal only: what fails is thrown, and need not be printed as well.
      logSeverityLevel: 4,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    });
  } catch (error) {
    throw fault("openSession", `ONNX Runtime does not load the model (${firstLine(error)})`, {
      expected: "a model of exportOnnx's",
      try: "onnxruntime-node of the version in package.json, or the tfjs engine",
    });
  }
  return {
    run: async (feeds) => {
      try {
        const outputs = await session.run(feeds);
        return outputs as unknown as Record<string, FloatTensor>;
      } catch (error) {
        throw explain(error, feeds, session.inputMetadata);
      }
    },
    release: () => session.release(),
  };
}

/** Arrays as tensors of the runtime, without a copy. */
export function floats(data: Float32Array, ...dims: number[]): Tensor {
  return new Tensor("float32", data, dims);
}

export function integers(data: Int32Array, ...dims: number[]): Tensor {
  return new Tensor("int32", data, dims);
}

/**
 * The runtime's message names a node of its own optimised graph, or one dimension's number. What helps is the first
 * tensor that contradicts the model or the tensors before it.
 */
function explain(
  error: unknown,
  feeds: Feeds,
  declared: readonly InferenceSession.ValueMetadata[],
): LabError {
  const what = `ONNX Runtime refuses (${firstLine(error)})`;
  const sizes = new Map<string, number>();
  for (const value of declared) {
    if (!value.isTensor) continue;
    const expected = `${value.name}: ${value.type} [${value.shape.join(", ")}]`;
    const feed = feeds[value.name];
    if (feed === undefined) return fault("onnx decoder", what, { got: "nothing", expected });
    const got = `${value.name}: ${feed.type} [${feed.dims.join(", ")}]`;
    let fits = feed.type === value.type && feed.dims.length === value.shape.length;
    value.shape.forEach((size, i) => {
      const wanted = typeof size === "number" ? size : sizes.get(size);
      if (wanted !== undefined && wanted !== feed.dims[i]) fits = false;
      if (typeof size === "string" && wanted === undefined) sizes.set(size, feed.dims[i]);
    });
    if (!fits) {
      const known = [...sizes].map(([name, size]) => `${name} = ${size}`).join(", ");
      return fault("onnx decoder", what, {
        got,
        expected: known === "" ? expected : `${expected} with ${known}`,
      });
    }
  }
  const shapes = Object.entries(feeds).map(([name, { dims }]) => `${name} [${dims.join(", ")}]`);
  return fault("onnx decoder", what, {
    got: shapes.slice(0, 5).join("; "),
    try: "a smaller batch, if memory ran out",
  });
}

function firstLine(error: unknown): string {
  return String((error as Error)?.message ?? error).split("\n")[0];
}
