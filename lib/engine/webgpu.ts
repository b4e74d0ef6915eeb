/**
 * tfjs's WebGPU back end outside a browser, on npm's `webgpu`: Dawn, which speaks Vulkan, Metal and Direct3D 12.
 *
 * The package is an optional dependency and brings its library with it, for Linux, macOS and Windows. A machine without a
 * Vulkan loader or without a GPU has no adapter, and runs on another engine.
 *
 * Every read waits for the GPU, as it does on libtensorflow. tfjs offers no such read outside a browser, where the results
 * of a mapped buffer arrive by a promise. Dawn delivers them in callbacks that it leaves with `setImmediate`, and
 * {@link readBuffer} calls these itself until the buffer is mapped. Trainers and samplers therefore need no second version.
 */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fault } from "./errors";

type Tfjs = typeof import("@tensorflow/tfjs");

/** A GPU that WebGPU offers. */
export interface GpuAdapter {
  /** Such as `apple metal-3, Apple M2`; whatever the driver tells. */
  name: string;
  /** Computed by a CPU, as SwiftShader and lavapipe do: right, and slow. */
  software: boolean;
  gpu: Gpu;
  adapter: Adapter;
}

/** The parts of WebGPU that are used here; Node's types have none of them. */
interface Gpu {
  requestAdapter(options: { powerPreference: "high-performance" }): Promise<Adapter | null>;
}
interface Adapter {
  info: Record<"vendor" | "architecture" | "device" | "description", string> & {
    isFallbackAdapter: boolean;
  };
  features: ReadonlySet<string>;
  limits: Record<string, number>;
  requestDevice(options: { requiredLimits: Record<string, number> }): Promise<object>;
}
interface GpuBuffer {
  size: number;
  mapState: "unmapped" | "pending" | "mapped";
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

/** The part of tfjs's back end that a read touches. */
interface Backend {
  tensorMap: {
    get(id: object): { values: unknown; dtype: string; resource: GpuBuffer };
  };
  bufferManager: {
    acquireBuffer(size: number, usage: number): GpuBuffer;
    releaseBuffer(buffer: GpuBuffer): void;
  };
  commandEncoder: {
    copyBufferToBuffer(...args: [GpuBuffer, number, GpuBuffer, number, number]): void;
  };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  convertAndCacheOnCPU(id: object, values: unknown): unknown;
  readSync(id: object): unknown;
  read(id: object): Promise<unknown>;
}

const load = createRequire(__filename);

const PAUSE_MS = 0.05;
const pause = new Int32Array(new SharedArrayBuffer(4));
/** As WebGPU's specification numbers them. */
const MAP_READ = 1;
const COPY_DST = 8;
/** What tfjs takes from the global object. */
const GLOBALS = ["GPUBuffer", "GPUBufferUsage", "GPUMapMode", "GPUTexture", "GPUTextureUsage"];
/** Limits that tfjs makes use of; WebGPU's own standard values are far below what a GPU has. */
const LIMITS = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
];

/** Whether looking for a GPU can be worth it: on Linux one shows as a device file, which costs nothing to see. */
export function mayHaveGpu(): boolean {
  if (process.platform !== "linux") return true;
  return (
    existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD"))
  );
}

/**
 * The fastest GPU that WebGPU offers, if any.
 * @throws LabError when npm's `webgpu` is not installed or does not load here
 */
export async function findAdapter(): Promise<GpuAdapter | undefined> {
  const { create, globals } = loadDawn();
  const gpu = create([]);
  const adapter = await hearing(() => gpu.requestAdapter({ powerPreference: "high-performance" }));
  if (adapter === null) return undefined;
  for (const name of GLOBALS) (globalThis as Record<string, unknown>)[name] = globals[name];
  const { vendor, architecture, description, device, isFallbackAdapter } = adapter.info;
  const words = [vendor, architecture, description || device].filter((word) => word !== "");
  // lavapipe calls itself no fall-back.
  const software = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader/i.test(words.join(" "));
  return { name: words.join(" "), software, gpu, adapter };
}

function loadDawn(): { create(options: string[]): Gpu; globals: Record<string, unknown> } {
  try {
    return load("webgpu") as ReturnType<typeof loadDawn>;
  } catch (error) {
    throw fault("engine", "npm's webgpu does not load", {
      got: (error as Error).message.split("\n", 1)[0],
      try: "npm ci --include=optional",
    });
  }
}

/** Makes WebGPU the back end of `tf`. */
export async function startWebgpu(tf: Tfjs, { gpu, adapter }: GpuAdapter): Promise<void> {
  // tfjs asks the navigator whether there is WebGPU. Node has one from version 21 on.
  const host = globalThis as { navigator?: object };
  host.navigator ??= { userAgent: `Node.js/${process.versions.node.split(".", 1)[0]}` };
  Object.defineProperty(host.navigator, "gpu", { value: gpu, configurable: true });
  const { WebGPUBackend } = load("@tensorflow/tfjs-backend-webgpu") as {
    WebGPUBackend: new (device: object, info: object) => Backend;
  };
  const device = await hearing(() =>
    adapter.requestDevice({
      requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
    }),
  );
  const backend = withReads(tf, new WebGPUBackend(device, adapter.info));
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => backend as unknown as ReturnType<Tfjs["backend"]>, 3);
  await tf.setBackend("webgpu");
}

/** Gives a back end reads that wait. */
function withReads(tf: Tfjs, backend: Backend): Backend {
  backend.readSync = (id) => {
    const { values, dtype, resource } = backend.tensorMap.get(id);
    if (values !== null && values !== undefined) return values;
    const bytes = readBuffer(backend, resource);
    const { convertBackendValuesAndArrayBuffer: convert } = tf.util as unknown as {
      convertBackendValuesAndArrayBuffer(bytes: ArrayBuffer, dtype: string): unknown;
    };
    return backend.convertAndCacheOnCPU(id, convert(bytes, dtype));
  };
  // With a second way of waiting beside it, a callback could be left with the event loop that readBuffer then misses.
  backend.read = async (id) => backend.readSync(id);
  return backend;
}

/** Dawn's callbacks that wait for the event loop, or for a read that does not. */
const waiting = new Map<() => void, NodeJS.Immediate>();

/** Runs something of Dawn's, and notes the callbacks that it leaves with the event loop. */
function hearing<T>(work: () => T): T {
  const { setImmediate } = globalThis;
  const noting = (callback: () => void): NodeJS.Immediate => {
    const turn = setImmediate(() => deliver([callback, turn]));
    waiting.set(callback, turn);
    return turn;
  };
  globalThis.setImmediate = noting as typeof setImmediate;
  try {
    return work();
  } finally {
    globalThis.setImmediate = setImmediate;
  }
}

/** Calls one of them; it may leave another. */
function deliver([callback, turn]: [() => void, NodeJS.Immediate]): void {
  clearImmediate(turn);
  waiting.delete(callback);
  hearing(callback);
}

/** Copies a buffer of the GPU, once all that was asked before has been computed. */
function readBuffer(backend: Backend, buffer: GpuBuffer): ArrayBuffer {
  const { size } = buffer;
  const copy = backend.bufferManager.acquireBuffer(size, COPY_DST | MAP_READ);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
  backend.submitQueue();
  hearing(() => copy.mapAsync(MAP_READ)).catch(() => undefined);
  for (let asked = 1; copy.mapState === "pending" && waiting.size > 0; asked++) {
    const [first] = waiting;
    deliver(first);
    // A small result comes within the first hundred; a core is not kept busy with asking for a large one.
    if (asked > 100) Atomics.wait(pause, 0, 0, PAUSE_MS);
  }
  if (copy.mapState !== "mapped") {
    throw fault("engine", "the GPU does not hand its results over", {
      got: `a buffer of ${size} bytes that is ${copy.mapState}`,
      try: "SRPO_DEVICE=cpu; a smaller batch or policy if the GPU's memory was full",
    });
  }
  const bytes = copy.getMappedRange().slice(0);
  copy.unmap();
  backend.bufferManager.releaseBuffer(copy);
  return bytes;
}
