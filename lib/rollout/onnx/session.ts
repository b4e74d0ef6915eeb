/** The decoder model in ONNX Runtime: loading, calling, and errors that name the tensor that does not fit. */
import type { InferenceSession } from "onnxruntime-node";
import { fault, type LabError } from "../../engine/errors";

/** An input in plain memory, which the runtime reads without copying it. */
export interface Feed {
  data: Float32Array | Int32Array;
  dims: readonly number[];
}

export type Feeds = Record<string, Feed>;

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
  const { InferenceSession, Tensor } = await loadRuntime();
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
      const tensors = Object.entries(feeds).map(([name, { data, dims }]) => [
        name,
        new Tensor(elementType(data), data, dims),
      ]);
      try {
        const outputs = await session.run(Object.fromEntries(tensors));
        return outputs as unknown as Record<string, FloatTensor>;
      } catch (error) {
        throw explain(error, feeds, session.inputMetadata);
      }
    },
    release: () => session.release(),
  };
}

export function floats(data: Float32Array, ...dims: number[]): Feed {
  return { data, dims };
}

export function integers(data: Int32Array, ...dims: number[]): Feed {
  return { data, dims };
}

/** Loaded at first use: it is a large native library, and not built for every platform that Node runs on. */
async function loadRuntime(): Promise<typeof import("onnxruntime-node")> {
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    throw fault("openSession", `onnxruntime-node does not load (${firstLine(error)})`, {
      expected: "Linux with glibc, macOS or Windows, on x64 or arm64",
      try: "the tfjs engine",
    });
  }
}

function elementType(data: Feed["data"]): "float32" | "int32" {
  return data instanceof Float32Array ? "float32" : "int32";
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
    const type = elementType(feed.data);
    const got = `${value.name}: ${type} [${feed.dims.join(", ")}]`;
    let fits = type === value.type && feed.dims.length === value.shape.length;
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
