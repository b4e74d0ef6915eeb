/** Models in ONNX Runtime: loading, calling, and errors that name the tensor that does not fit. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { fault, type LabError } from "../../engine/errors";

/** An input in plain memory, which the runtime reads without copying it. */
export interface Feed {
  data: Float32Array | Int32Array;
  dims: readonly number[];
}

export type Feeds = Record<string, Feed>;

export interface ModelSession {
  device: OnnxDevice;
  /** @throws LabError with names and shapes when the runtime refuses */
  run(feeds: Feeds): Promise<Record<string, FloatTensor>>;
  /** Gives the runtime's memory back. */
  release(): Promise<void>;
}

/** An output; all of the lab's models give floats. */
export interface FloatTensor {
  data: Float32Array;
  dims: readonly number[];
}

/** What a session computes on; what a device cannot do, the runtime computes on the CPU. */
export type OnnxDevice = "cpu" | "cuda" | "webgpu";

export interface SessionOptions {
  /** Threads one operation may use on the CPU; the runtime's own choice (all cores) by default. */
  threads?: number;
  /** The CPU unless told otherwise. */
  device?: OnnxDevice;
}

/**
 * @param model the bytes of an `.onnx` file, not needed afterwards, or its path
 * @throws LabError when the device is not there, or the model is none
 */
export async function openSession(
  model: Uint8Array | string,
  { threads, device = "cpu" }: SessionOptions = {},
): Promise<ModelSession> {
  const { InferenceSession, Tensor } = await loadRuntime();
  if (device === "cuda" && !hasCuda()) {
    throw fault("openSession", "ONNX Runtime has no CUDA provider here", { try: CUDA_ADVICE });
  }
  let session: InferenceSession;
  try {
    const options: InferenceSession.SessionOptions = {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      executionMode: "sequential",
      interOpNumThreads: 1,
      // Fatal only: what fails is thrown, and need not be printed as well.
      logSeverityLevel: 4,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    };
    // The runtime's types have one signature for bytes and one for a path.
    session = await (typeof model === "string"
      ? InferenceSession.create(model, options)
      : InferenceSession.create(model, options));
  } catch (error) {
    if (device !== "cpu") {
      throw fault("openSession", `ONNX Runtime does not start on ${device} (${lastLine(error)})`, {
        try: device === "cuda" ? CUDA_ADVICE : "a Vulkan loader and driver, or the device cpu",
      });
    }
    throw fault("openSession", `ONNX Runtime does not load the model (${firstLine(error)})`, {
      expected: "a model of exportOnnx's",
      try: "onnxruntime-node of the version in package.json, or the tfjs engine",
    });
  }
  return {
    device,
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

const CUDA_ADVICE =
  "ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install (it downloads; CUDA 12 and cuDNN 9 must be there), or the device cpu";

/** npm's package brings no CUDA provider; without it the runtime prints an error of its own before it throws. */
function hasCuda(): boolean {
  const root = dirname(require.resolve("onnxruntime-node/package.json"));
  const folder = join(root, "bin", "napi-v6", process.platform, process.arch);
  return existsSync(join(folder, "libonnxruntime_providers_cuda.so"));
}

/**
 * The first of the devices on which the model starts.
 * @throws LabError of the last one when none does
 */
export async function openFirst(
  model: Uint8Array | string,
  devices: readonly OnnxDevice[],
  options: Omit<SessionOptions, "device"> = {},
): Promise<ModelSession> {
  let failure: unknown;
  for (const device of devices) {
    try {
      return await openSession(model, { ...options, device });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
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
    if (feed === undefined) return fault("onnx session", what, { got: "nothing", expected });
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
      return fault("onnx session", what, {
        got,
        expected: known === "" ? expected : `${expected} with ${known}`,
      });
    }
  }
  const shapes = Object.entries(feeds).map(([name, { dims }]) => `${name} [${dims.join(", ")}]`);
  return fault("onnx session", what, {
    got: shapes.slice(0, 5).join("; "),
    try: "a smaller batch, if memory ran out",
  });
}

function firstLine(error: unknown): string {
  return String((error as Error)?.message ?? error).split("\n")[0];
}

/** A device's failure ends with its reason, after the runtime's own source lines. */
function lastLine(error: unknown): string {
  const lines = String((error as Error)?.message ?? error)
    .trim()
    .split("\n");
  return lines[lines.length - 1].replace(/^.* was false\. /, "");
}
